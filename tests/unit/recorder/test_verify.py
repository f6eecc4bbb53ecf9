"""What is whole is found whole; what file, schema or audit chain lack or have too much is named (L8, T42)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from recorder.chunk import genesis
from recorder.errors import StoreError, UnknownSession
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store
from recorder.verify import parse_head, verify
from tests.unit.recorder.archive import (
    CLOSED,
    INTERRUPTED,
    OPEN,
    Archive,
    alter,
    begin,
    finish,
    run_on,
    said,
    where,
)

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
