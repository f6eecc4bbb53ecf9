"""Reading evidence: what is asked for and no more, checked as it is read, from a live file or a lone copy."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.chunk import ChunkError
from recorder.errors import StoreError, UnknownSession
from recorder.events import Kind
from recorder.evidence import Evidence, Filter
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store, append_now
from tests.unit.recorder.archive import (
    CLOSED,
    INTERRUPTED,
    OPEN,
    Archive,
    Ticking,
    begin,
    build,
    finish,
)

OTHER = "01JE0000000000000000000001"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    made = build(tmp_path_factory.mktemp("archive"))
    store = Store(made.path, made.signer, now_us=lambda: 1_800_000_000_000_000)

    async def more() -> None:
        who = {"identity": "reports", "owner": "sam@acme.example", "target": "web-2"}
        await finish(await begin(store, OTHER, **who, claims={"run_id": "7", "note": "a'b\"c%"}))

    asyncio.run(more())
    store.close()
    return made


@pytest.fixture
def evidence(archive: Archive) -> Iterator[Evidence]:
    with contextlib.closing(Evidence(archive.path, archive.keys)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [OTHER, OPEN, CLOSED, INTERRUPTED]),
        ({"identity": "orders-deployer"}, [OPEN, CLOSED, INTERRUPTED]),
        ({"identity": "orders"}, []),
        ({"owner": "sam@acme.example"}, [OTHER]),
        ({"target": "web-2"}, [OTHER]),
        ({"target": "web-2", "identity": "orders-deployer"}, []),
        ({"state": "active"}, [OPEN]),
        ({"state": "interrupted"}, [INTERRUPTED]),
        ({"state": "closed"}, [OTHER, CLOSED]),
        ({"state": "closed", "limit": 1}, [OTHER]),
        ({"since_us": 1_750_000_000_000_000}, [OTHER]),
        ({"claims": {"run_id": "42"}}, [OPEN, CLOSED, INTERRUPTED]),
        ({"claims": {"run_id": "42", "repository": "acme/orders"}}, [OPEN, CLOSED, INTERRUPTED]),
        ({"claims": {"run_id": "42", "repository": "acme/web"}}, []),
        ({"claims": {"run_id": 42}}, []),
        ({"claims": {"run_%": "42"}}, []),
        ({"claims": {"note": "a'b\"c%"}}, [OTHER]),
        ({"identity": "' OR 1 --"}, []),
        ({"identity": "\udcff"}, []),
        ({"claims": {"\udcff": "\udcff"}}, []),
    ],
)
def test_a_list_holds_what_fits_every_filter_the_newest_first(
    evidence: Evidence, wanted: dict[str, Any], found: list[str]
) -> None:
    assert [row.id for row in evidence.sessions(Filter(**wanted))] == found


def test_a_session_is_found_by_the_beginning_of_its_id_in_either_case(evidence: Evidence) -> None:
    assert evidence.session(OTHER).id == OTHER
    assert evidence.session("01je").id == OTHER
    with pytest.raises(UnknownSession, match="3 sessions begin with 01JD"):
        evidence.session("01JD")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "01JX",
        OTHER + "0",
        "../../etc/passwd",
        "%",
        "_" * 26,
        "*",
        "' OR 1=1 --",
        "\udcff",
        "x" * 100_000,
        "\x1b]0;x\x07",
    ],
)
def test_t46_no_name_reaches_anything_but_a_session(evidence: Evidence, name: str) -> None:
    with pytest.raises(UnknownSession, match="there is no session"):
        evidence.session(name)


def test_events_come_in_order_and_running_counts_show_on_a_live_session(evidence: Evidence) -> None:
    kinds = [event.kind for event in evidence.events(CLOSED)]
    assert kinds == [Kind.OPEN, Kind.REQUEST, *[Kind.OUTPUT] * 3, Kind.EXIT, Kind.CLOSE]
    row = evidence.session(OPEN)
    assert (row.state, row.ended_us, row.sealed) == ("active", None, False)
    assert (
        row.bytes_out
        == sum(len(event.data) for event in evidence.events(OPEN) if event.kind is Kind.OUTPUT)
        > 0
    )


@pytest.mark.parametrize(
    ("change", "complaint", "before"),
    [
        ("UPDATE chunks SET body = x'00' WHERE session = ? AND seq = 3", "chunk 3 was altered", 2),
        ("DELETE FROM chunks WHERE session = ? AND seq = 1", "chunk 1 is missing", 0),
        (
            "DELETE FROM chunks WHERE session = ? AND seq = 7",
            "chunk 7 is missing: it ends before its seal",
            6,
        ),
        ("DELETE FROM chunks WHERE session = ?", "chunk 1 is missing: it ends before its seal", 0),
    ],
)
def test_t42_reading_stops_at_what_does_not_hold(
    archive: Archive, tmp_path: Path, change: str, complaint: str, before: int
) -> None:
    path = archive.altered(tmp_path, change, CLOSED)
    with contextlib.closing(Evidence(path, archive.keys)) as evidence:
        events = evidence.events(CLOSED)
        seen = [next(events) for _ in range(before)]
        with pytest.raises(ChunkError, match=complaint):
            next(events)
    assert len(seen) == before


def test_events_of_another_key_are_not_shown(archive: Archive) -> None:
    stranger = KeySet.of(Signer(generate_seal_key()))
    with (
        contextlib.closing(Evidence(archive.path, stranger)) as evidence,
        pytest.raises(ChunkError, match="not signed"),
    ):
        list(evidence.events(CLOSED))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("claims", "not json"),
        ("claims", "[]"),
        ("claims", '{"run_id": 42}'),
        ("claims", "[" * 50_000),
        ("claims", b"\xff\xfe"),
        ("state", "finished"),
        ("started_us", "yesterday"),
        ("started_us", -5),
        ("started_us", 2**62),
        ("ended_us", b"\x00"),
        ("exit_status", "zero"),
    ],
)
def test_a_row_altered_beyond_recognition_is_shown_as_damaged_and_hides_no_other(
    archive: Archive, tmp_path: Path, column: str, value: Any
) -> None:
    place = "CAST(? AS TEXT)" if column == "claims" else "?"
    path = archive.altered(tmp_path, f"UPDATE sessions SET {column} = {place} WHERE id = ?", value, CLOSED)
    with contextlib.closing(Evidence(path, archive.keys)) as evidence:
        found = {row.id: row.state for row in evidence.sessions(Filter())}
        assert found == {OTHER: "closed", OPEN: "active", INTERRUPTED: "interrupted", CLOSED: "damaged"}
        assert [row.id for row in evidence.sessions(Filter(claims={"run_id": "7"}))] == [OTHER]


def test_text_that_is_no_text_any_more_is_shown_all_the_same(archive: Archive, tmp_path: Path) -> None:
    path = archive.altered(
        tmp_path, "UPDATE sessions SET identity = CAST(x'6f72ff' AS TEXT) WHERE id = ?", CLOSED
    )
    with contextlib.closing(Evidence(path, archive.keys)) as evidence:
        assert evidence.session(CLOSED).identity == "or\udcff"


# Files.


def test_a_copy_is_read_without_a_trace(archive: Archive, tmp_path: Path) -> None:
    path = archive.copy(tmp_path)
    with contextlib.closing(Evidence(path, archive.keys)) as evidence:
        assert len(evidence.sessions(Filter())) == 4
        assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == archive.path.read_bytes()


def test_nothing_can_be_written_through_it(archive: Archive, tmp_path: Path) -> None:
    path = archive.copy(tmp_path)
    for live in (False, True):
        evidence = Evidence(path, archive.keys, live=live)
        with contextlib.closing(evidence), pytest.raises(sqlite3.OperationalError, match="readonly"):
            evidence._connection.execute("DELETE FROM chunks")


def test_a_live_file_is_read_while_others_write_it_and_after(archive: Archive, tmp_path: Path) -> None:
    """Without a server the write-ahead log comes and goes with each command: a reader must keep its own view."""
    path = archive.copy(tmp_path)
    with contextlib.closing(Evidence(path, archive.keys, live=True)) as evidence:
        for number in range(20):
            append_now(path, archive.signer, "evidence.read", {"by": "dana", "text": "x" * 5_000}, number)
            assert len(evidence.sessions(Filter())) == 4
            assert [entry.kind for entry in evidence.audit()].count("evidence.read") == 3 + number
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_running_stores_file_can_be_copied_with_its_log_and_read(tmp_path: Path) -> None:
    signer = Signer(generate_seal_key())
    store = Store(tmp_path / "recordings.sqlite", signer, now_us=Ticking())
    asyncio.run(begin(store, OPEN))
    copies = tmp_path / "copies"
    copies.mkdir()
    for file in tmp_path.glob("recordings.sqlite*"):
        shutil.copy(file, copies)
    store.close()
    with contextlib.closing(Evidence(copies / "recordings.sqlite", KeySet.of(signer))) as evidence:
        assert [row.id for row in evidence.sessions(Filter())] == [OPEN]


def wrong(folder: Path, kind: str) -> Path:
    path = folder / "recordings.sqlite"
    match kind:
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
        case "text":
            path.write_text("no database\n" * 500)
        case "foreign":
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("CREATE TABLE songs (name)")
        case "loop":
            path.symlink_to(path)
        case _:
            pass
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "there is no such file"),
        ("empty", "not a recording database"),
        ("folder", "is not a file"),
        ("text", "not a recording database"),
        ("foreign", "not a recording database"),
        ("loop", "there is no such file"),
    ],
)
def test_what_is_no_recording_database_is_named_in_one_line(
    archive: Archive, tmp_path: Path, kind: str, says: str
) -> None:
    path = wrong(tmp_path, kind)
    for live in (False, True):
        with pytest.raises(StoreError, match=says) as refused:
            Evidence(path, archive.keys, live=live)
        assert "\n" not in str(refused.value)
        assert str(path) in str(refused.value)


def test_a_schema_that_is_no_text_any_more_is_a_store_error(archive: Archive, tmp_path: Path) -> None:
    path = archive.copy(tmp_path)
    whole = path.read_bytes()
    at = whole.index(b'CREATE TABLE "sessions"')
    path.write_bytes(whole[:at] + b"\xff\xfe\xfd" + whole[at + 3 :])
    with pytest.raises(StoreError):
        Evidence(path, archive.keys)
