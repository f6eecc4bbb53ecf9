"""A flipped bit is found wherever it lies in what can be read (law L8, threat T42)."""

from __future__ import annotations

import random
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from recorder.errors import StoreError
from tests.unit.recorder.archive import CLOSED, Archive


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
    written = [at for at, byte in enumerate(whole) if byte]  # most of a page's slack is zeros
    found = 0
    for _ in range(150):
        at, bit = dice.choice(written), 1 << dice.randrange(8)
        path = tmp_path / "copy.sqlite"
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        try:
            broken = bool(archive.verified(path).problems)
        except StoreError:
            broken = True
        found += broken
        assert broken or content(path) == original, f"byte {at} was altered, and that was not found"
    assert found > 10


def test_t42_a_session_id_altered_at_any_of_its_places_is_found(archive: Archive, tmp_path: Path) -> None:
    """It stands in tables and in their indices: what one lists the other may then not find."""
    whole, path = archive.path.read_bytes(), tmp_path / "copy.sqlite"
    places = [found.start() for found in re.finditer(CLOSED.encode(), whole)]
    assert len(places) > 10
    for at in places:
        path.write_bytes(whole[: at + 25] + b"X" + whole[at + 26 :])
        assert archive.verified(path).problems or content(path) == content(archive.path), f"byte {at + 25}"


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
