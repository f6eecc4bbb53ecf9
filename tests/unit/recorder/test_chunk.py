"""Chunks: what is packed unpacks the same, and nothing that was altered, moved or not signed unpacks at all."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.chunk import (
    SEGMENT_BYTES,
    SEGMENT_US,
    Chunk,
    ChunkError,
    ChunkReader,
    ChunkWriter,
    genesis,
    link,
)
from recorder.events import Event, Kind
from recorder.seal import KeySet, Signer, generate_seal_key

SIGNER = Signer(generate_seal_key())
KEYS = KeySet.of(SIGNER)
SESSION = "01JD0000000000000000000001"

EVENTS = st.builds(
    Event,
    at_us=st.integers(0, 2**40),
    kind=st.sampled_from(Kind),
    channel=st.integers(0, 9),
    data=st.binary(max_size=200),
    detail=st.dictionaries(
        st.text(max_size=5), st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=9)), max_size=3
    ),
)


def output(size: int, at_us: int = 0) -> Event:
    return Event(at_us, Kind.OUTPUT, 1, hashlib.shake_128(b"%d" % at_us).digest(size))


def packed(batches: list[list[Event]], signer: Signer = SIGNER, session: str = SESSION) -> list[Chunk]:
    writer = ChunkWriter(session, signer)
    return [writer.pack(batch, bytes_in=at, bytes_out=2 * at) for at, batch in enumerate(batches)]


def unpacked(chunks: list[Chunk], keys: KeySet = KEYS, session: str = SESSION) -> list[list[Event]]:
    reader = ChunkReader(session, keys)
    return [reader.unpack(chunk) for chunk in chunks]


@given(st.lists(st.lists(EVENTS, min_size=1, max_size=5), min_size=1, max_size=8))
def test_what_is_packed_unpacks_the_same_in_any_batches(batches: list[list[Event]]) -> None:
    assert unpacked(packed(batches)) == batches


@given(st.lists(EVENTS, min_size=1, max_size=12), st.data())
def test_the_events_do_not_depend_on_how_they_were_batched(events: list[Event], data: st.DataObject) -> None:
    batches, rest = [], events
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        batches.append(rest[:size])
        rest = rest[size:]
    assert [event for batch in unpacked(packed(batches)) for event in batch] == events


def test_a_segment_ends_when_it_is_full_or_old_and_the_next_can_be_read_without_it() -> None:
    big = output(SEGMENT_BYTES)
    chunks = packed(
        [[output(10)], [big], [output(10, 1)], [output(10, SEGMENT_US + 1)], [output(10, SEGMENT_US + 2)]]
    )
    assert [chunk.segment for chunk in chunks] == [1, 1, 3, 4, 4]
    for start in (0, 2, 3):
        stream = zstandard.ZstdDecompressor().decompressobj()
        assert msgspec.msgpack.decode(stream.decompress(chunks[start].body))


def test_a_chain_that_is_taken_up_again_begins_a_segment_of_its_own() -> None:
    first = packed([[output(10)], [output(20)]])
    writer = ChunkWriter(SESSION, SIGNER, seq=2, head=first[-1].hash)
    later = writer.pack([output(30)], bytes_in=9, bytes_out=9)
    assert (later.seq, later.segment) == (3, 3)
    assert unpacked([*first, later])[-1] == [output(30)]


def test_a_rest_ends_the_open_segment_and_a_chunk_of_bulk_is_one_by_itself() -> None:
    writer = ChunkWriter(SESSION, SIGNER)
    batches = [[output(10)], [output(11, 1)], [output(SEGMENT_BYTES, 2)], [output(12, 3)], [output(13, 4)]]
    assert not writer.rest()
    chunks = [writer.pack(batches[0], bytes_in=0, bytes_out=0)]
    assert writer.rest()
    assert not writer.rest()
    chunks += [writer.pack(batch, bytes_in=0, bytes_out=0) for batch in batches[1:]]
    assert [chunk.segment for chunk in chunks] == [1, 2, 2, 4, 4]
    fresh = ChunkWriter(SESSION, SIGNER)
    whole = fresh.pack([output(SEGMENT_BYTES)], bytes_in=0, bytes_out=0)
    assert zstandard.ZstdDecompressor().decompress(whole.body)
    assert unpacked(chunks) == batches


def test_bulk_is_packed_with_one_compressor_until_a_rest() -> None:
    writer = ChunkWriter(SESSION, SIGNER)
    batches = [[output(SEGMENT_BYTES, at)] for at in range(3)]
    chunks = [writer.pack(batches[0], bytes_in=0, bytes_out=0)]
    compressor = writer._bulk
    chunks.append(writer.pack(batches[1], bytes_in=0, bytes_out=0))
    assert writer._bulk is compressor is not None
    assert [writer.rest() for _ in range(2)] == [True, False]
    assert writer._bulk is None
    chunks.append(writer.pack(batches[2], bytes_in=0, bytes_out=0))
    assert [chunk.segment for chunk in chunks] == [1, 2, 3]
    assert unpacked(chunks) == batches


def test_the_hash_covers_every_field_and_the_chain_before_it() -> None:
    """The bytes that are hashed, written out once more from the documentation of the format."""
    (chunk,) = packed([[output(10)]])
    first = hashlib.sha256(b"bastion-session-v1\0" + SESSION.encode()).digest()
    assert genesis(SESSION) == first
    text = b"bastion-chunk-v1\0" + SESSION.encode() + struct.pack(">QQQQ", 1, 1, 0, 0) + first
    assert chunk.hash == hashlib.sha256(text + hashlib.sha256(chunk.body).digest()).digest()


@settings(max_examples=200)
@given(st.sampled_from(["seq", "segment", "bytes_in", "bytes_out", "body", "hash", "signature"]), st.data())
def test_t42_an_altered_field_is_found(name: str, data: st.DataObject) -> None:
    chunks = packed([[output(10)], [output(20)], [output(30)]])
    at = data.draw(st.integers(0, 2))
    value = getattr(chunks[at], name)
    if isinstance(value, bytes):
        byte, bit = data.draw(st.integers(0, len(value) - 1)), data.draw(st.integers(0, 7))
        other: Any = value[:byte] + bytes([value[byte] ^ (1 << bit)]) + value[byte + 1 :]
    else:
        other = data.draw(st.integers(-1, 2**64).filter(lambda number: number != value))
    chunks[at] = dataclasses.replace(chunks[at], **{name: other})
    with pytest.raises(ChunkError, match="chunk"):
        unpacked(chunks)


@pytest.mark.parametrize("name", ["seq", "segment", "bytes_in", "bytes_out", "body", "hash", "signature"])
@pytest.mark.parametrize("value", [None, "text", 1.5, b"\x00"])
def test_t42_a_field_of_another_type_is_found(name: str, value: Any) -> None:
    (chunk,) = packed([[output(10)]])
    with pytest.raises(ChunkError):
        unpacked([dataclasses.replace(chunk, **{name: value})])


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        ([1, 2], "chunk 1 is missing"),
        ([0, 2], "chunk 2 is missing"),
        ([0, 2, 1], "chunk 2 is missing"),
        ([0, 0], "chunk 2 is missing"),
    ],
)
def test_t42_missing_moved_and_repeated_chunks_are_found(order: list[int], complaint: str) -> None:
    chunks = packed([[output(10)], [output(20)], [output(30)]])
    with pytest.raises(ChunkError, match=complaint):
        unpacked([chunks[at] for at in order])


def test_t42_a_chunk_of_another_session_does_not_fit() -> None:
    mine, other = (
        packed([[output(10)], [output(20)]]),
        packed([[output(10)], [output(20)]], session="01JDOTHER"),
    )
    with pytest.raises(ChunkError, match="chunk 2 was altered"):
        unpacked([mine[0], other[1]])
    with pytest.raises(ChunkError, match="chunk 1 was altered"):
        unpacked(other)


def test_t42_a_chain_signed_by_another_key_is_no_evidence() -> None:
    with pytest.raises(ChunkError, match="chunk 1 is not signed by a seal key of this set"):
        unpacked(packed([[output(10)]], signer=Signer(generate_seal_key())))


def test_what_is_signed_but_makes_no_sense_is_named() -> None:
    head = genesis(SESSION)
    for body in (b"", b"\x00\x01", zstandard.compress(b"\xc1")):
        digest = link(head, session=SESSION, seq=1, segment=1, bytes_in=0, bytes_out=0, body=body)
        chunk = Chunk(
            session=SESSION,
            seq=1,
            segment=1,
            bytes_in=0,
            bytes_out=0,
            body=body,
            hash=digest,
            signature=SIGNER.sign(digest),
        )
        with pytest.raises(ChunkError, match="chunk 1 cannot be unpacked"):
            unpacked([chunk])


def test_a_chunk_of_a_segment_that_is_not_open_is_named() -> None:
    writer = ChunkWriter(SESSION, SIGNER)
    writer.pack([output(10)], bytes_in=0, bytes_out=0)
    second = writer.pack([output(20)], bytes_in=0, bytes_out=0)
    digest = link(
        genesis(SESSION), session=SESSION, seq=1, segment=9, bytes_in=0, bytes_out=0, body=second.body
    )
    odd = dataclasses.replace(second, seq=1, segment=9, hash=digest, signature=SIGNER.sign(digest))
    with pytest.raises(ChunkError, match="segment 9, which is not the one that is open"):
        unpacked([odd])


@pytest.mark.parametrize("detail", [{"x": 2**70}, {"x": object()}, {"x": "\ud800"}])
def test_an_event_that_cannot_be_written_is_an_error_of_its_chunk(detail: dict[str, Any]) -> None:
    with pytest.raises(ChunkError, match="an event cannot be written"):
        packed([[Event(0, Kind.MARKER, 0, b"", detail)]])
