"""Pack events into compressed chunks, each hashed onto the last, and unpack them again.

In      events of one session, in order
Out     Chunk values: a zstd body, the hash that links it to its forerunner, an Ed25519 signature of that hash
Holds   one zstd stream per open segment; a segment ends after SEGMENT_BYTES of events or SEGMENT_US, or in a rest;
        one compressor for bulk, until a rest
Errors  ChunkError, which names the chunk
Source  docs/recording-format.md; RFC 8878 (zstd); FIPS 180-4 (SHA-256); RFC 8032
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import zstandard

from recorder.events import Event, EventDecodeError, decode_events, encode_events
from recorder.seal import KeySet, Signer

SEGMENT_BYTES = 128 * 1024
SEGMENT_US = 30_000_000
_LEVEL = zstandard.ZstdCompressionParameters.from_level(3, source_size=SEGMENT_BYTES)
_BULK_LEVEL = zstandard.ZstdCompressionParameters.from_level(1)


class ChunkError(ValueError):
    """A chunk is not what its chain says it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One committed piece of a recording; `bytes_in` and `bytes_out` are the session's totals at its end."""

    session: str
    seq: int
    segment: int
    bytes_in: int
    bytes_out: int
    body: bytes
    hash: bytes
    signature: bytes


def genesis(session: str) -> bytes:
    """Return the hash that the first chunk of a session is linked to."""
    return hashlib.sha256(b"bastion-session-v1\0" + session.encode("utf-8", "surrogateescape")).digest()


def link(
    previous: bytes, *, session: str, seq: int, segment: int, bytes_in: int, bytes_out: int, body: bytes
) -> bytes:
    """Return the hash of a chunk: SHA-256 over everything it says and the hash before it."""
    return hashlib.sha256(
        b"bastion-chunk-v1\0"
        + session.encode("utf-8", "surrogateescape")
        + struct.pack(">QQQQ", seq, segment, bytes_in, bytes_out)
        + previous
        + hashlib.sha256(body).digest()
    ).digest()


class ChunkWriter:
    """Turns batches of events into the next chunk of one session's chain."""

    def __init__(self, session: str, signer: Signer, *, seq: int = 0, head: bytes | None = None) -> None:
        """Start a chain, or go on after `seq` chunks whose last hash is `head`."""
        self.session = session
        self.seq = seq
        self.head = head if head is not None else genesis(session)
        self._signer = signer
        self._segment = 0
        self._segment_bytes = 0
        self._segment_started_us = 0
        self._stream: zstandard.ZstdCompressionObj | None = None
        self._bulk: zstandard.ZstdCompressor | None = None

    def pack(self, events: Sequence[Event], *, bytes_in: int, bytes_out: int) -> Chunk:
        """Return the next chunk, holding these events (at least one); raise ChunkError."""
        try:
            raw = encode_events(events)
        except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise ChunkError(f"an event cannot be written: {error}") from error
        at_us = events[-1].at_us
        full = self._segment_bytes >= SEGMENT_BYTES or at_us - self._segment_started_us >= SEGMENT_US
        self.seq += 1
        stream, self._stream = self._stream, None
        if stream is None or full:
            stream = None
            self._segment, self._segment_bytes, self._segment_started_us = self.seq, 0, at_us
        self._segment_bytes += len(raw)
        body = self._compressed(raw, stream)
        self.head = link(
            self.head,
            session=self.session,
            seq=self.seq,
            segment=self._segment,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            body=body,
        )
        return Chunk(
            session=self.session,
            seq=self.seq,
            segment=self._segment,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            body=body,
            hash=self.head,
            signature=self._signer.sign(self.head),
        )

    def rest(self) -> bool:
        """Let go of what packing holds, which ends the open segment; say if there was any: it is some 400 KiB or more.

        May be called from any thread.
        """
        stream, self._stream = self._stream, None
        bulk, self._bulk = self._bulk, None
        return stream is not None or bulk is not None

    def _compressed(self, raw: bytes, stream: zstandard.ZstdCompressionObj | None) -> bytes:
        """Return the chunk's body: the next block of the segment's stream, or a frame that is a segment by itself."""
        if stream is None:
            if len(raw) >= SEGMENT_BYTES:  # the next chunk begins another segment: no stream, and no copies
                bulk = self._bulk or zstandard.ZstdCompressor(compression_params=_BULK_LEVEL)
                body = bulk.compress(raw)
                self._bulk = bulk
                return body
            stream = zstandard.ZstdCompressor(compression_params=_LEVEL).compressobj()
        body = stream.compress(raw) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        self._stream = stream
        return body


class ChunkReader:
    """Checks the chain of one session chunk by chunk, and gives back the events."""

    def __init__(self, session: str, keys: KeySet) -> None:
        self.session = session
        self.seq = 0
        self.head = genesis(session)
        self.bytes_in = 0
        self.bytes_out = 0
        self._keys = keys
        self._segment = 0
        self._stream: zstandard.ZstdDecompressionObj | None = None

    def unpack(self, chunk: Chunk) -> list[Event]:
        """Return the events of the next chunk; raise ChunkError when it does not follow from the last."""
        name = f"chunk {chunk.seq}"
        if chunk.seq != self.seq + 1:
            raise ChunkError(f"chunk {self.seq + 1} is missing (found {name} in its place)")
        if not (isinstance(chunk.hash, bytes) and isinstance(chunk.signature, bytes)):
            raise ChunkError(f"{name} was altered: a column does not hold what it should")
        try:
            expected = link(
                self.head,
                session=self.session,
                seq=chunk.seq,
                segment=chunk.segment,
                bytes_in=chunk.bytes_in,
                bytes_out=chunk.bytes_out,
                body=chunk.body,
            )
        except (struct.error, TypeError) as error:
            raise ChunkError(f"{name} was altered: a column does not hold what it should") from error
        if chunk.hash != expected:
            raise ChunkError(f"{name} was altered: its content does not have the hash that was recorded")
        if not self._keys.verify(chunk.hash, chunk.signature):
            raise ChunkError(f"{name} is not signed by a seal key of this set")
        if chunk.segment == chunk.seq:
            self._stream = zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj()
        elif chunk.segment != self._segment or self._stream is None:
            raise ChunkError(f"{name} belongs to segment {chunk.segment}, which is not the one that is open")
        try:
            events = decode_events(self._stream.decompress(chunk.body))
        except (zstandard.ZstdError, EventDecodeError) as error:
            raise ChunkError(f"{name} cannot be unpacked: {error}") from error
        self.seq, self.head, self._segment = chunk.seq, chunk.hash, chunk.segment
        self.bytes_in, self.bytes_out = chunk.bytes_in, chunk.bytes_out
        return events
