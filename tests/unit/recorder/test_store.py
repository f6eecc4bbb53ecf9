"""The store: many sessions to a transaction, nothing answered before it is on disk, one fault for one job."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.audit import Entry
from recorder.errors import StoreClosed, StoreError
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import BATCH_JOBS, Store, Transaction, append_now, connect
from recorder.store_schema import create_schema, expected_schema
from recorder.verify import verify
from tests.unit.recorder.archive import CLOSED, OPEN, Ticking, begin, finish

SIGNER = Signer(generate_seal_key())
KEYS = KeySet.of(SIGNER)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.sqlite"


@pytest.fixture
def heard() -> list[Entry]:
    return []


@pytest.fixture
def store(path: Path, heard: list[Entry]) -> Iterator[Store]:
    made = Store(path, SIGNER, now_us=Ticking(), journal=heard.append)
    yield made
    made.close()


def other(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=0)


def count(path: Path, table: str = "audit") -> int:
    with contextlib.closing(other(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


async def test_l1_what_a_commit_answered_for_is_there_for_any_other_process(store: Store, path: Path) -> None:
    for number in range(1, 5):
        await store.audit("evidence.read", {"by": "dana"})
        assert count(path) == number


async def test_jobs_run_in_the_order_of_asking_and_each_gets_its_own_answer(store: Store) -> None:
    seen: list[int] = []

    def job(number: int) -> Any:
        def work(_transaction: Transaction) -> int:
            seen.append(number)
            return number

        return store.commit(work)

    amount = 3 * BATCH_JOBS
    assert await asyncio.gather(*(job(number) for number in range(amount))) == list(range(amount))
    assert seen == list(range(amount))


async def test_l8_every_head_goes_to_the_journal_once_it_is_committed(
    store: Store, heard: list[Entry]
) -> None:
    entries = [await store.audit("evidence.read", {"by": "dana"}) for _ in range(3)]
    store.run_now(lambda transaction: transaction.audit("service.started", {}))
    assert heard[:3] == entries
    assert [entry.seq for entry in heard] == [1, 2, 3, 4]


# A fault of one job.


@pytest.mark.parametrize(
    "fault", [ValueError("x"), TypeError("x"), KeyError("x"), AttributeError("x"), OverflowError("x")]
)
async def test_a_job_that_fails_undoes_its_own_work_only(
    store: Store, heard: list[Entry], fault: Exception
) -> None:
    undone: list[str] = []

    def bad(transaction: Transaction) -> None:
        transaction.audit("never", {})
        raise fault

    hold = asyncio.gather(
        store.audit("first", {}),
        store.submit(bad, undone=lambda: undone.append("bad")),
        store.audit("second", {}),
        return_exceptions=True,
    )
    first, failed, second = await hold
    assert (first.kind, failed, second.kind) == ("first", fault, "second")
    assert undone == ["bad"]
    assert [entry.kind for entry in heard] == ["first", "second"]
    assert verify(store.path, KEYS).problems == []


async def test_a_row_that_somebody_put_in_the_way_ends_one_session_and_no_other(
    store: Store, path: Path
) -> None:
    mine, else_ = await begin(store, CLOSED), await begin(store, OPEN)
    with contextlib.closing(other(path)) as connection:
        connection.execute(
            "INSERT INTO chunks SELECT session, seq + 1, segment, bytes_in, bytes_out, body, hash, signature"
            " FROM chunks WHERE session = ? ORDER BY seq DESC LIMIT 1",
            (CLOSED,),
        )
    results = await asyncio.gather(finish(mine), finish(else_), return_exceptions=True)
    assert "cannot be recorded" in str(results[0])
    assert results[1] is None


async def test_a_broken_audit_chain_is_a_store_error(store: Store, path: Path) -> None:
    await store.audit("evidence.read", {"by": "dana"})
    with contextlib.closing(other(path)) as connection:
        connection.execute("UPDATE audit SET jws = x'00'")
    with pytest.raises(StoreError, match="the audit chain cannot go on"):
        await store.audit("evidence.read", {"by": "dana"})
    with pytest.raises(StoreError, match="cannot be written"):
        append_now(path, SIGNER, "evidence.read", {}, 1)
    with pytest.raises(StoreError, match="cannot be written"):
        store.run_now(lambda transaction: transaction.audit("service.started", {}))


async def test_l2_a_writer_that_dies_of_a_fault_of_ours_leaves_nobody_waiting(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _told: None)

    def fatal(_transaction: Transaction) -> None:
        raise MemoryError

    results = await asyncio.gather(
        store.commit(fatal), store.audit("evidence.read", {}), return_exceptions=True
    )
    assert [str(result).rpartition(": ")[2] for result in results] == ["the recorder has stopped"] * 2
    with pytest.raises(StoreError, match="the recorder has stopped"):
        await store.audit("evidence.read", {})


# A fault of the database.


async def test_t43_a_locked_database_fails_what_waits_and_nothing_after_it(store: Store, path: Path) -> None:
    await store.audit("before", {})
    with contextlib.closing(other(path)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        results = await asyncio.gather(
            *(store.audit("while locked", {}) for _ in range(3)), return_exceptions=True
        )
        lock.execute("ROLLBACK")
    assert [isinstance(result, StoreError) and "locked" in str(result) for result in results] == [True] * 3
    assert (await store.audit("after", {})).seq == 2
    assert verify(path, KEYS).problems == []


async def test_t43_a_full_disk_fails_what_does_not_fit_and_nothing_after_there_is_room(
    store: Store, path: Path
) -> None:
    """SQLite's own limit of pages gives its own error for a full disk (SQLITE_FULL)."""
    await store.audit("before", {})
    (pages,) = store.run_now(lambda job: job.connection.execute("PRAGMA page_count").fetchone())
    store.run_now(lambda job: job.connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    with pytest.raises(StoreError, match="full"):
        await store.audit("too much", {"text": "x" * 100_000})
    store.run_now(lambda job: job.connection.execute("PRAGMA max_page_count = 100000").fetchone())
    assert (await store.audit("after", {"text": "x" * 100_000})).seq == 2
    assert verify(path, KEYS).problems == []


async def test_t43_a_file_that_became_read_only_fails_every_commit(store: Store, path: Path) -> None:
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="readonly"):
        await store.audit("never", {})
    store._connection.execute("PRAGMA query_only = OFF")
    assert (await store.audit("after", {})).seq == 1


# Opening and closing.


async def test_closing_finishes_what_is_queued_and_leaves_one_whole_file(store: Store, path: Path) -> None:
    waiting = [asyncio.ensure_future(store.audit("evidence.read", {})) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.to_thread(store.close)
    assert [(await entry).seq for entry in waiting] == list(range(1, 51))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes()[18:20] == b"\x01\x01"  # no write-ahead log: SQLite file format, section 1.3.3
    assert verify(path, KEYS).entries == 50
    with pytest.raises(StoreClosed):
        await store.audit("evidence.read", {})
    store.close()


async def test_closing_while_somebody_reads_keeps_everything(store: Store, path: Path) -> None:
    await store.audit("evidence.read", {})
    with contextlib.closing(other(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM audit").fetchone()
        store.close()
    assert verify(path, KEYS).entries == 1


def test_only_its_owner_may_read_the_file(store: Store, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_power_means_an_fsync_before_the_answer(tmp_path: Path) -> None:
    for durability, level in (("power", 2), ("process", 1)):
        connection = connect(tmp_path / durability, durability=durability, create=True)  # type: ignore[arg-type]
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_many_processes_may_be_the_first(path: Path) -> None:
    """Each sees an empty place; one makes the tables, all go on."""
    faults: list[BaseException] = []

    def make() -> None:
        try:
            connect(path, create=True).close()
        except StoreError as error:
            faults.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    append_now(path, SIGNER, "service.started", {}, 1)
    assert verify(path, KEYS).problems == []


def test_a_first_start_that_was_cut_off_is_taken_up(path: Path) -> None:
    """Killed after the file was there and before its tables were."""
    with contextlib.closing(other(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        create_schema(connection)
        connection.execute("ROLLBACK")
    assert path.stat().st_size > 0
    connect(path, create=True).close()
    append_now(path, SIGNER, "service.started", {}, 1)


def foreign(path: Path) -> None:
    with contextlib.closing(other(path)) as connection:
        connection.execute("CREATE TABLE songs (name)")


def text(path: Path) -> None:
    path.write_text("these are no pages of a database, but a text that is long enough to look at\n" * 20)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "there is no such recording database"),
        (lambda path: path.touch(), "not a recording database"),
        (lambda path: path.mkdir(), "cannot be opened"),
        (foreign, "not a recording database"),
        (text, "not a recording database"),
        (
            lambda path: path.parent.joinpath("gone").symlink_to("nowhere"),
            "there is no such recording database",
        ),
    ],
)
def test_what_is_no_recording_database_is_refused_and_left_alone(path: Path, make: Any, says: str) -> None:
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=says) as refused:
        append_now(path, SIGNER, "evidence.read", {}, 1)
    assert str(path) in str(refused.value)
    if before:
        with pytest.raises(StoreError, match=says):
            Store(path, SIGNER, now_us=Ticking())
        assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened for recording"):
        Store(tmp_path / "nowhere" / "recordings.sqlite", SIGNER, now_us=Ticking())


def test_a_process_beside_the_server_appends_to_the_same_chain(store: Store, path: Path) -> None:
    async def take_turns() -> None:
        for _ in range(3):
            await store.audit("certificate.refused", {})
            await asyncio.to_thread(append_now, path, SIGNER, "evidence.read", {"pid": os.getpid()}, 5)

    asyncio.run(take_turns())
    report = verify(path, KEYS)
    assert (report.problems, report.entries) == ([], 6)


def test_the_tables_are_those_of_the_documented_format() -> None:
    """Whatever version of a library lays them out: verify compares them letter by letter."""
    statements = {name: sql for _kind, name, _table, sql in expected_schema()}
    assert " ".join(statements["chunks"].split()) == (
        'CREATE TABLE "chunks" ( "session" TEXT, "seq" INTEGER, "segment" INTEGER NOT NULL,'
        ' "bytes_in" INTEGER NOT NULL, "bytes_out" INTEGER NOT NULL, "body" BLOB NOT NULL, "hash" BLOB NOT NULL,'
        ' "signature" BLOB NOT NULL, PRIMARY KEY ("session", "seq") )'
    )
    assert " ".join(statements["audit"].split()) == (
        'CREATE TABLE "audit" ( "seq" INTEGER PRIMARY KEY, "at_us" INTEGER NOT NULL, "kind" TEXT NOT NULL,'
        ' "session" TEXT, "jws" TEXT NOT NULL )'
    )
    assert " ".join(statements["sessions"].split()) == (
        'CREATE TABLE "sessions" ( "id" TEXT PRIMARY KEY, "state" TEXT NOT NULL, "identity" TEXT NOT NULL,'
        ' "owner" TEXT NOT NULL, "target" TEXT NOT NULL, "login" TEXT NOT NULL, "access" TEXT,'
        ' "started_us" INTEGER NOT NULL, "ended_us" INTEGER, "exit_status" INTEGER, "exit_signal" TEXT,'
        ' "end_reason" TEXT, "bytes_in" INTEGER, "bytes_out" INTEGER, "claims" TEXT NOT NULL, "exposure" TEXT NOT NULL,'
        ' "seal" INTEGER )'
    )
    assert set(statements) == {
        *("audit", "chunks", "sessions", "idx_audit_session", "idx_sessions_started_us"),
        *("sqlite_autoindex_chunks_1", "sqlite_autoindex_sessions_1"),
    }
