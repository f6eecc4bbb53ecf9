"""Whatever is altered, removed, moved or added in an evidence database is found, and named (law L8, threat T42)."""

from __future__ import annotations

import random
import sqlite3
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import zstandard

from recorder.chunk import Chunk, ChunkWriter, genesis, link
from recorder.errors import StoreError, UnknownSession
from recorder.events import Event, Kind
from recorder.recording import Recording
from recorder.rows import insert_chunk, read_chunks
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store
from recorder.verify import Report, parse_head, verify
from tests.unit.recorder.archive import (
    CLOSED,
    INTERRUPTED,
    OPEN,
    Archive,
    alter,
    begin,
    build,
    finish,
    header,
    run_on,
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return build(tmp_path_factory.mktemp("archive"))


def where(report: Report) -> set[str]:
    return {problem.where for problem in report.problems}


def said(report: Report) -> str:
    return "\n".join(f"{problem.where}: {problem.what}" for problem in report.problems)


def content(path: Path) -> list[Any]:
    """Return everything that any reader can be told of a database."""
    connection = sqlite3.connect(path)
    try:
        schema = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2"
        ).fetchall()
        tables = [name for kind, name, *_rest in schema if kind == "table"]
        rows = [sorted(map(repr, connection.execute(f"SELECT * FROM {name}"))) for name in tables]
    finally:
        connection.close()
    return [schema, rows]


# What is whole.


def test_an_archive_that_nobody_touched_holds_with_a_note_for_what_cannot_be_proven(archive: Archive) -> None:
    report = archive.verified(archive.path, head=archive.head)
    assert report.problems == []
    assert (report.sessions, report.entries, report.head) == (
        3,
        archive.head[0],
        f"{archive.head[0]}:{archive.head[1]}",
    )
    notes = {note.where: note.what for note in report.notes}
    assert notes.keys() == {f"session {INTERRUPTED}", f"session {OPEN}"}
    assert "interrupted" in notes[f"session {INTERRUPTED}"]
    assert "the last 1 before the end" in notes[f"session {INTERRUPTED}"]
    assert "open" in notes[f"session {OPEN}"]


def test_one_session_can_be_verified_alone(archive: Archive) -> None:
    report = archive.verified(archive.path, session=CLOSED)
    assert (report.problems, report.notes, report.sessions) == ([], [], 1)
    with pytest.raises(UnknownSession):
        archive.verified(archive.path, session="01JD9999999999999999999999")


def test_verifying_leaves_the_file_and_its_folder_as_they_were(archive: Archive, tmp_path: Path) -> None:
    path = archive.copy(tmp_path)
    before = path.read_bytes()
    archive.verified(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


# Bytes.


def cells(path: Path) -> list[tuple[str, int, str, Any]]:
    connection = sqlite3.connect(path)
    found = []
    for table in ("sessions", "chunks", "audit"):
        cursor = connection.execute(f"SELECT rowid, * FROM {table}")
        columns = [column[0] for column in cursor.description][1:]
        for row in cursor.fetchall():
            found += [(table, row[0], column, value) for column, value in zip(columns, row[1:], strict=True)]
    connection.close()
    return found


def flipped(value: Any, dice: random.Random) -> Any:
    match value:
        case None:
            return dice.choice([0, "", b""])
        case int():
            return value ^ (1 << dice.randrange(40))
        case str():
            data = bytearray(value.encode())
        case _:
            data = bytearray(value)
    if not data:
        return "x"
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data.decode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(data)


def test_t42_one_flipped_bit_in_any_cell_of_any_table_is_found(archive: Archive, tmp_path: Path) -> None:
    dice = random.Random(42)
    every = cells(archive.path)
    assert {column for _table, _row, column, _value in every} >= {
        "claims",
        "body",
        "hash",
        "signature",
        "jws",
    }
    missed = []
    for table, row, column, value in every:
        path = archive.copy(tmp_path)
        connection = sqlite3.connect(path, isolation_level=None)
        while True:
            new = flipped(value, dice)
            stored = new.encode("utf-8", "surrogateescape") if isinstance(new, str) else new
            place = "CAST(? AS TEXT)" if isinstance(new, str) else "?"
            try:
                connection.execute(f"UPDATE {table} SET {column} = {place} WHERE rowid = ?", (stored, row))
            except sqlite3.IntegrityError:
                continue  # another row has this key: try another bit
            break
        connection.close()
        if not archive.verified(path).problems:
            missed.append((table, row, column, value, new))
    assert missed == []


@pytest.mark.parametrize("seed", range(4))
def test_t42_a_flipped_byte_anywhere_in_the_file_is_found_or_changes_nothing_that_can_be_read(
    archive: Archive, tmp_path: Path, seed: int
) -> None:
    """SQLite's file has slack (free space in pages, counters): a change there is no change of the evidence."""
    whole, original = archive.path.read_bytes(), content(archive.path)
    dice = random.Random(seed)
    found = 0
    for _ in range(150):
        at, bit = dice.randrange(len(whole)), 1 << dice.randrange(8)
        path = tmp_path / "copy.sqlite"
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        try:
            broken = bool(archive.verified(path).problems)
        except StoreError:
            broken = True
        found += broken
        assert broken or content(path) == original, f"byte {at} was altered, and that was not found"
    assert found > 30


def test_t42_a_file_cut_short_is_found_at_any_length(archive: Archive, tmp_path: Path) -> None:
    whole = archive.path.read_bytes()
    path = tmp_path / "copy.sqlite"
    for length in (0, 50, 100, 512, 4095, 4096, 8192, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        path.write_bytes(whole[:length])
        try:
            broken = bool(archive.verified(path).problems)
        except StoreError:
            broken = True
        assert broken, f"cut at {length}"


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
    columns = "state, identity, owner, target, login, started_us, claims"
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


# The audit chain.


def rows_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM audit").fetchone()[0])
    finally:
        connection.close()


def test_t42_a_deleted_audit_entry_is_found_wherever_it_was(archive: Archive, tmp_path: Path) -> None:
    for seq in range(1, archive.head[0]):
        path = archive.altered(tmp_path, "DELETE FROM audit WHERE seq = ?", seq)
        assert f"audit: audit entry {seq} is missing" in said(archive.verified(path))


def test_t42_audit_entries_renumbered_over_a_gap_are_found(archive: Archive, tmp_path: Path) -> None:
    path = archive.altered(tmp_path, "DELETE FROM audit WHERE seq = 3")
    for seq in range(4, archive.head[0] + 1):
        alter(path, "UPDATE audit SET seq = ? WHERE seq = ?", seq - 1, seq)
    report = archive.verified(path)
    assert "audit: audit entry 3 was altered: its columns do not say what its signature says" in said(report)


def test_t42_reordered_audit_entries_are_found(archive: Archive, tmp_path: Path) -> None:
    last = archive.head[0]
    path = archive.altered(tmp_path, "UPDATE audit SET seq = 1000 WHERE seq = ?", last)
    alter(path, "UPDATE audit SET seq = ? WHERE seq = ?", last, last - 1)
    alter(path, "UPDATE audit SET seq = ? WHERE seq = 1000", last - 1)
    assert where(archive.verified(path)) == {"audit"}


def test_t42_one_altered_entry_is_named_and_the_rest_of_the_chain_is_still_read(
    archive: Archive, tmp_path: Path
) -> None:
    path = archive.altered(tmp_path, "UPDATE audit SET jws = replace(jws, '.', '.A') WHERE seq = 1")
    report = archive.verified(path)
    assert [problem.where for problem in report.problems] == ["audit"]
    assert said(report).startswith("audit: audit entry 1 was altered")


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_l8_a_chain_cut_back_to_an_earlier_state_is_found_with_the_head_that_was_witnessed(
    archive: Archive, tmp_path: Path, cut: int
) -> None:
    path = archive.altered(tmp_path, "DELETE FROM audit WHERE seq > ?", archive.head[0] - cut)
    if cut == 3:
        alter(path, "DELETE FROM chunks WHERE session = ?", OPEN)
        alter(path, "DELETE FROM sessions WHERE id = ?", OPEN)
    assert archive.verified(path).problems == []  # nothing inside the file can say what is no longer there
    report = archive.verified(path, head=archive.head)
    assert where(report) == {"audit"}
    assert f"cut back: entry {archive.head[0]} was witnessed" in said(report)


def test_l8_a_chain_written_anew_with_the_seal_key_is_found_with_the_head_that_was_witnessed(
    archive: Archive, tmp_path: Path
) -> None:
    last = archive.head[0]
    path = archive.altered(tmp_path, "DELETE FROM audit WHERE seq = ?", last)

    async def work(store: Store) -> None:
        await store.audit("evidence.read", {"by": "sam", "command": "show"})

    run_on(path, archive.signer, work)
    assert archive.verified(path).problems == []
    report = archive.verified(path, head=archive.head)
    assert said(report) == f"audit: entry {last} is not the one that was witnessed: the chain was rewritten"


def test_l8_an_earlier_head_that_was_witnessed_is_found_in_a_chain_that_went_on(archive: Archive) -> None:
    connection = sqlite3.connect(archive.path)
    heads = [row[0] for row in connection.execute("SELECT jws FROM audit ORDER BY seq")]
    connection.close()
    assert len(heads) == archive.head[0]
    assert archive.verified(archive.path, head=(1, genesis("x").hex())).problems
    assert archive.verified(archive.path, head=archive.head).problems == []


# The file.


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE notes (text)",
        "CREATE VIEW everything AS SELECT * FROM audit",
        "CREATE TRIGGER quiet BEFORE INSERT ON chunks BEGIN SELECT RAISE(IGNORE); END",
        "CREATE INDEX more ON chunks (hash)",
        "DROP INDEX idx_audit_session",
        "ALTER TABLE sessions ADD COLUMN note TEXT",
        "ALTER TABLE sessions DROP COLUMN end_reason",
        "DROP TABLE audit",
        "ANALYZE",
    ],
)
def test_t42_nothing_may_be_added_to_or_taken_from_the_schema(
    archive: Archive, tmp_path: Path, statement: str
) -> None:
    path = archive.altered(tmp_path, statement)
    assert "database" in where(archive.verified(path))
    if statement != "ANALYZE":
        with pytest.raises(StoreError, match=r"its tables were altered; `bastion verify --all` says which"):
            Store(path, archive.signer, now_us=lambda: 0)


def test_a_view_in_the_place_of_a_table_is_not_asked_anything(archive: Archive, tmp_path: Path) -> None:
    path = archive.altered(tmp_path, "ALTER TABLE audit RENAME TO hidden")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    alter(
        path,
        f"CREATE VIEW audit AS {endless} SELECT i AS seq, i AS at_us, '' AS kind, '' AS session, '' AS jws FROM n",
    )
    assert "database: table audit is missing, or was altered" in said(archive.verified(path))


@pytest.mark.parametrize(
    ("pragma", "says"), [("application_id = 7", "application id"), ("user_version = 9", "format 9")]
)
def test_a_database_of_another_kind_or_format_is_told_apart(
    archive: Archive, tmp_path: Path, pragma: str, says: str
) -> None:
    path = archive.altered(tmp_path, f"PRAGMA {pragma}")
    with pytest.raises(StoreError, match=says):
        archive.verified(path)


# Keys.


def test_sessions_sealed_before_a_rotation_verify_with_the_retired_key(
    archive: Archive, tmp_path: Path
) -> None:
    path = archive.copy(tmp_path)
    new = Signer(generate_seal_key())

    async def work(store: Store) -> None:
        await finish(await begin(store, "01JD0000000000000000000004"))

    run_on(path, new, work)
    assert verify(path, KeySet.of(new, archive.signer)).problems == []
    assert where(verify(path, KeySet.of(archive.signer))) >= {"audit", "session 01JD0000000000000000000004"}
    assert where(verify(path, KeySet.of(new))) >= {"audit", f"session {CLOSED}"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "7:",
        "x:" + "0" * 64,
        "7:" + "0" * 63,
        "7:" + "G" * 64,
        "9" * 5000 + ":" + "0" * 64,
        "٣:" + "0" * 64,
    ],
)
def test_a_head_that_is_none_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(StoreError, match="expected SEQ:HASH"):
        parse_head(text)
    assert parse_head("12:" + "ab" * 32) == (12, "ab" * 32)
