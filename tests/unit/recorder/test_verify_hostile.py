"""A file made to mislead or to wear out its verifier is told for what it is (L8, T42)."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from tests.unit.recorder.archive import CLOSED, Archive, alter, said, where


def test_t42_a_journal_that_other_readers_would_obey_is_a_problem(archive: Archive, tmp_path: Path) -> None:
    path = archive.copy(tmp_path)
    path.with_name(path.name + "-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(1000))
    assert "copy.sqlite-journal lies beside it" in said(archive.verified(path))


def test_t42_an_emptied_database_does_not_hold(archive: Archive, tmp_path: Path) -> None:
    path = archive.copy(tmp_path)
    for table in ("sessions", "chunks", "audit"):
        alter(path, f"DELETE FROM {table}")
    assert "audit: the chain is empty" in said(archive.verified(path))


def test_t42_a_huge_value_is_told_in_a_short_message(archive: Archive, tmp_path: Path) -> None:
    path = archive.altered(
        tmp_path, "UPDATE sessions SET owner = hex(zeroblob(5000000)) WHERE id = ?", CLOSED
    )
    report = archive.verified(path)
    assert where(report) == {f"session {CLOSED}"}
    assert "10000000 long" in said(report)
    assert len(said(report)) < 1000


def test_t42_schema_entries_of_odd_types_are_named_and_not_stumbled_over(
    archive: Archive, tmp_path: Path
) -> None:
    path = archive.copy(tmp_path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE z1 (a)")
        connection.execute("CREATE TABLE z2 (a)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET name = x'7a31' WHERE name = 'z1'")
    assert "database" in where(archive.verified(path))
