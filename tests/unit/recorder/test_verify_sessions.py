"""Chunks and sessions that were removed, moved, rewritten or forged are found, and named (law L8, threat T42)."""

from __future__ import annotations

import sqlite3
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import zstandard

from recorder.chunk import Chunk, ChunkWriter, link
from recorder.events import Event, Kind
from recorder.recording import Recording
from recorder.rows import insert_chunk, read_chunks
from recorder.seal import Signer, generate_seal_key
from recorder.store import Store
from tests.unit.recorder.archive import (
    CLOSED,
    INTERRUPTED,
    OPEN,
    Archive,
    alter,
    begin,
    finish,
    header,
    run_on,
    said,
    where,
)

# Chunks.


@pytest.mark.parametrize("seq", [1, 3, 7])
def test_t42_a_deleted_chunk_is_found_first_middle_or_last(
    archive: Archive, tmp_path: Path, seq: int
) -> None:
    path = archive.altered(tmp_path, "DELETE FROM chunks WHERE session = ? AND seq = ?", CLOSED, seq)
    report = archive.verified(path)
    assert where(report) == {f"session {CLOSED}"}
    assert ("7 chunks" if seq == 99 else "seal" if seq == 7 else f"chunk {seq} is missing") in said(report)


def test_t42_a_tail_cut_off_an_open_session_is_found_back_to_its_last_checkpoint(
    archive: Archive, tmp_path: Path
) -> None:
    path = archive.altered(tmp_path, "DELETE FROM chunks WHERE session = ? AND seq > 2", INTERRUPTED)
    assert "a checkpoint saw chunk 5" in said(archive.verified(path))


def test_t42_swapped_chunks_are_found(archive: Archive, tmp_path: Path) -> None:
    path = archive.copy(tmp_path)
    alter(path, "UPDATE chunks SET seq = 1000 WHERE session = ? AND seq = 3", CLOSED)
    alter(path, "UPDATE chunks SET seq = 3 WHERE session = ? AND seq = 4", CLOSED)
    alter(path, "UPDATE chunks SET seq = 4 WHERE session = ? AND seq = 1000", CLOSED)
    report = archive.verified(path)
    assert (where(report), "chunk 3 was altered" in said(report)) == ({f"session {CLOSED}"}, True)


def test_t42_a_chunk_spliced_from_another_session_is_found(archive: Archive, tmp_path: Path) -> None:
    path = archive.altered(
        tmp_path,
        "UPDATE chunks SET (segment, bytes_in, bytes_out, body, hash, signature) = (SELECT segment, bytes_in,"
        " bytes_out, body, hash, signature FROM chunks WHERE session = ? AND seq = 4) WHERE session = ? AND seq = 4",
        INTERRUPTED,
        CLOSED,
    )
    assert where(archive.verified(path)) == {f"session {CLOSED}"}


def test_t42_chunks_without_a_session_are_found(archive: Archive, tmp_path: Path) -> None:
    insert = (
        "INSERT INTO chunks SELECT ?, seq, segment, bytes_in, bytes_out, body, hash, signature FROM chunks"
        " WHERE session = ? AND seq = 1"
    )
    path = archive.altered(tmp_path, insert, "01JDORPHAN", CLOSED)
    assert "session 01JDORPHAN: has chunks, but its row is gone" in said(archive.verified(path))
    path = archive.altered(tmp_path, insert, None, CLOSED)
    assert "session None: has chunks" in said(archive.verified(path))


def with_key(signer: Signer, session: str, seq: int, head: bytes, body: bytes) -> Chunk:
    """Return a chunk that follows `head`, whatever its body, signed."""
    digest = link(head, session=session, seq=seq, segment=seq, bytes_in=0, bytes_out=0, body=body)
    return Chunk(
        session=session,
        seq=seq,
        segment=seq,
        bytes_in=0,
        bytes_out=0,
        body=body,
        hash=digest,
        signature=signer.sign(digest),
    )


def append_chunk(path: Path, signer: Signer, chunk: Chunk) -> None:
    async def work(store: Store) -> None:
        await store.commit(lambda transaction: insert_chunk(transaction, chunk))

    run_on(path, signer, work)


def last_head(path: Path, session: str) -> tuple[int, bytes]:
    connection = sqlite3.connect(path)
    try:
        *_, last = read_chunks(connection, session)
    finally:
        connection.close()
    return last.seq, last.hash


def test_t42_events_after_the_last_one_are_found_even_if_the_seal_key_signed_them(
    archive: Archive, tmp_path: Path
) -> None:
    path = archive.copy(tmp_path)
    seq, head = last_head(path, CLOSED)
    writer = ChunkWriter(CLOSED, archive.signer, seq=seq, head=head)
    late = writer.pack([Event(9_000_000, Kind.OUTPUT, 1, b"more")], bytes_in=0, bytes_out=0)
    append_chunk(path, archive.signer, late)
    assert said(archive.verified(path)) == f"session {CLOSED}: goes on after its last event"


def test_t42_what_is_not_signed_is_never_unpacked(archive: Archive, tmp_path: Path) -> None:
    """A zstd frame of 40 KB that says a gigabyte, in place of a chunk, costs the verifier nothing."""
    stream = zstandard.ZstdCompressor(level=1).compressobj()
    zeros = bytes(1 << 20)
    bomb = b"".join(stream.compress(zeros) for _ in range(1024)) + stream.flush()
    path = archive.copy(tmp_path)
    seq, head = last_head(path, OPEN)
    append_chunk(path, archive.signer, with_key(Signer(generate_seal_key()), OPEN, seq + 1, head, bomb))
    tracemalloc.start()
    try:
        report = archive.verified(path)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert said(report) == f"session {OPEN}: chunk {seq + 1} is not signed by a seal key of this set"
    assert peak < 16 << 20


# Sessions.


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("identity", "somebody-else"),
        ("owner", "sam@acme.example"),
        ("target", "web-2"),
        ("login", "root"),
        ("access", "shell"),
        ("state", "active"),
        ("started_us", 5),
        ("ended_us", None),
        ("exit_status", 0),
        ("exit_status", 3.5),
        ("exit_signal", "TERM"),
        ("end_reason", "nothing to see"),
        ("bytes_in", 1),
        ("bytes_out", 0),
        ("claims", '{"run_id": "43"}'),
        ("claims", '{"repository": "acme/orders",  "run_id": "42"}'),
        ("claims", "not json"),
        ("exposure", '{"email": {"redact": 1}}'),
        ("seal", None),
        ("seal", 2),
    ],
)
def test_t42_a_rewritten_session_row_is_found(
    archive: Archive, tmp_path: Path, column: str, value: Any
) -> None:
    path = archive.altered(tmp_path, f"UPDATE sessions SET {column} = ? WHERE id = ?", value, CLOSED)
    report = archive.verified(path)
    assert where(report) == {f"session {CLOSED}"}
    assert f"its row says {column}" in said(report)
    assert where(archive.verified(path, session=CLOSED)) == {f"session {CLOSED}"}


@pytest.mark.parametrize("session", [CLOSED, INTERRUPTED, OPEN])
def test_t42_a_session_that_was_deleted_is_missed(archive: Archive, tmp_path: Path, session: str) -> None:
    path = archive.altered(tmp_path, "DELETE FROM chunks WHERE session = ?", session)
    alter(path, "DELETE FROM sessions WHERE id = ?", session)
    report = archive.verified(path)
    assert where(report) == {f"session {session}"}
    assert "is gone" in said(report)
    assert "orders-deployer opened it on web-1" in said(report)
    alone = archive.verified(path, session=session)
    assert where(alone) == {f"session {session}"}


def test_t42_a_session_under_another_id_is_found(archive: Archive, tmp_path: Path) -> None:
    other = "01JD9999999999999999999999"
    path = archive.altered(tmp_path, "UPDATE sessions SET id = ? WHERE id = ?", other, CLOSED)
    alter(path, "UPDATE chunks SET session = ? WHERE session = ?", other, CLOSED)
    report = archive.verified(path)
    assert where(report) == {f"session {CLOSED}", f"session {other}"}


def test_t42_a_row_without_an_id_hides_nothing(archive: Archive, tmp_path: Path) -> None:
    columns = "state, identity, owner, target, login, started_us, claims, exposure"
    path = archive.altered(
        tmp_path, f"INSERT INTO sessions (id, {columns}) SELECT NULL, {columns} FROM sessions LIMIT 1"
    )
    alter(path, "DELETE FROM sessions WHERE id = ?", CLOSED)
    assert where(archive.verified(path)) == {"session None", f"session {CLOSED}"}


def test_t42_a_session_made_by_somebody_without_the_seal_key_is_found(
    archive: Archive, tmp_path: Path
) -> None:
    path = archive.copy(tmp_path)
    alter(path, "DELETE FROM chunks WHERE session = ?", CLOSED)
    alter(path, "DELETE FROM sessions WHERE id = ?", CLOSED)

    async def forge(store: Store) -> None:
        await finish(await begin(store, CLOSED, identity="nobody"))

    run_on(path, Signer(generate_seal_key()), forge)
    report = archive.verified(path)
    assert {"audit", f"session {CLOSED}"} <= where(report)
    assert "signed by a key that is not in the key set" in said(report)
    assert "chunk 1 is not signed by a seal key of this set" in said(report)


def test_t42_a_session_made_again_with_the_seal_key_does_not_begin_as_it_did(
    archive: Archive, tmp_path: Path
) -> None:
    """The holder of the seal key is caught by what the chain says of the first chunk, as long as the chain stands."""
    path = archive.copy(tmp_path)
    alter(path, "DELETE FROM chunks WHERE session = ?", OPEN)
    writer = ChunkWriter(OPEN, archive.signer)
    chunk = writer.pack(
        [Event(0, Kind.OPEN, 0, b"", {"id": OPEN, "identity": "nobody"})], bytes_in=0, bytes_out=0
    )
    append_chunk(path, archive.signer, chunk)
    assert "chunk 1 is not the one that the audit chain says the session began with" in said(
        archive.verified(path)
    )


def test_t42_a_recording_that_names_another_session_is_found(archive: Archive, tmp_path: Path) -> None:
    path = archive.copy(tmp_path)
    name = "01JD0000000000000000000009"

    async def work(store: Store) -> None:
        recording = Recording(store, header(store, name))
        object.__setattr__(recording.header, "id", CLOSED)
        await recording.open()

    run_on(path, archive.signer, work)
    assert "does not begin with its own header" in said(archive.verified(path, session=name))
