"""What is committed is made safe before it is told, and the log is folded back beside the writer."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from recorder import wal
from recorder.errors import StoreError
from recorder.seal import Signer, generate_seal_key
from recorder.store import BULK_BYTES, Store, Transaction
from recorder.turn import Turn

BULK = b"x" * (2 * BULK_BYTES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.sqlite"


def opened(path: Path, **options: str | Turn) -> Store:
    return Store(path, Signer(generate_seal_key()), now_us=lambda: 1, **options)  # type: ignore[arg-type]


def chunk(transaction: Transaction, seq: int, body: bytes) -> int:
    transaction.connection.execute(
        "INSERT INTO chunks VALUES ('s', ?, 1, 0, 0, ?, x'00', x'00')", (seq, body)
    )
    transaction.written_bytes += len(body)
    return seq


async def test_l1_nothing_is_told_before_it_is_on_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(path)
    held = threading.Event()
    sync = os.fdatasync

    def slow(file: int) -> None:
        held.wait(10)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", slow)
    jobs = [store.submit(lambda t, seq=seq: chunk(t, seq, BULK)) for seq in range(4)]  # type: ignore[misc]
    jobs.append(store.submit(lambda t: chunk(t, 9, b"small")))
    reader = sqlite3.connect(path)
    while reader.execute("SELECT count(*) FROM chunks").fetchone()[0] < 2:
        await asyncio.sleep(0.01)
    assert not any(job.done() for job in jobs)
    held.set()
    assert await asyncio.gather(*jobs) == [0, 1, 2, 3, 9]
    reader.close()
    await asyncio.to_thread(store.close)


async def test_answers_keep_the_order_of_their_jobs(path: Path) -> None:
    store = opened(path)
    told: list[int] = []
    jobs = []
    for seq in range(200):
        body = BULK if seq % 7 == 0 else b"small"
        job = store.submit(lambda t, seq=seq, body=body: chunk(t, seq, body))  # type: ignore[misc]
        job.add_done_callback(lambda done: told.append(done.result()))
        jobs.append(job)
        if seq % 20 == 0:
            jobs.append(store.submit(lambda t: t.audit("x", {}).seq))
            await asyncio.sleep(0.001)
    await asyncio.gather(*jobs)
    assert told == list(range(200))
    await asyncio.to_thread(store.close)


@pytest.mark.parametrize("body", [b"small", BULK])
async def test_l2_what_cannot_be_made_safe_fails_and_is_undone(
    path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    store = opened(path)

    def broken(_file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        undone: list[bool] = []
        with pytest.raises(StoreError, match="made safe on disk: Input/output error"):
            await store.submit(lambda t: chunk(t, 1, body), undone=lambda: undone.append(True))
        assert undone == [True]
    assert await store.submit(lambda t: chunk(t, 2, body)) == 2
    await asyncio.to_thread(store.close)


@pytest.mark.parametrize("body", [b"small", BULK])
async def test_l1_after_a_failure_nothing_is_safe_until_the_log_is_begun_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """The kernel tells of it once: a later fdatasync succeeds, and what it could not write is still missing."""
    store = opened(path)
    log = path.with_name(f"{path.name}-wal")
    told = [OSError(5, "Input/output error")]

    def told_once(_file: int) -> None:
        if told:
            raise told.pop()

    monkeypatch.setattr(os, "fdatasync", told_once)
    assert await asyncio.gather(store.submit(lambda t: chunk(t, 1, body)), return_exceptions=True) != [1]
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM chunks").fetchone() == (1,)
    with pytest.raises(
        StoreError, match="it could not be before"
    ):  # a reader keeps the log from being begun anew
        await store.submit(lambda t: chunk(t, 2, body))
    reader.execute("COMMIT")
    assert await store.submit(lambda t: chunk(t, 3, b"small")) == 3
    assert log.stat().st_size < BULK_BYTES * 2
    reader.close()
    await asyncio.to_thread(store.close)


async def test_l8_no_head_is_journalled_before_it_is_safe(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal: list[int] = []
    store = Store(
        path, Signer(generate_seal_key()), now_us=lambda: 1, journal=lambda entry: journal.append(entry.seq)
    )

    def broken(_file: int) -> None:
        assert journal == []
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(StoreError):
        await store.audit("x", {})
    assert journal == []
    monkeypatch.undo()
    await asyncio.to_thread(store.close)


async def test_with_durability_process_the_disk_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_file: int) -> None:
        raise AssertionError

    monkeypatch.setattr(os, "fdatasync", never)
    store = opened(path, durability="process")
    assert await store.submit(lambda t: chunk(t, 1, BULK)) == 1
    await asyncio.to_thread(store.close)


@pytest.mark.parametrize(
    ("quiet_s", "fold_bytes", "processes"),
    [(0.05, 2**40, 1), (3600.0, 8 * len(BULK), 1), (3600.0, 32 * len(BULK), 2)],
    ids=["quiet", "long", "one of two, its share"],
)
async def test_the_log_is_folded_when_it_is_quiet_and_when_it_is_long(
    path: Path, monkeypatch: pytest.MonkeyPatch, quiet_s: float, fold_bytes: int, processes: int
) -> None:
    """One of two does not know what the other has written: together they would reach what SQLite has a writer fold."""
    monkeypatch.setattr(wal, "QUIET_S", quiet_s)
    monkeypatch.setattr(wal, "FOLD_BYTES", fold_bytes)
    turn = Turn(path, processes)
    store = opened(path, turn=turn)
    for seq in range(20):
        await store.submit(lambda t, seq=seq: chunk(t, seq, BULK))  # type: ignore[misc]
    async with asyncio.timeout(20):
        while path.stat().st_size < 10 * len(BULK):
            await asyncio.sleep(0.02)
    await asyncio.to_thread(store.close)
    turn.close()
    assert not Path(f"{path}-wal").exists()


async def test_the_writer_folds_only_a_log_twice_as_long_and_what_one_fold_takes_is_written_over(
    path: Path,
) -> None:
    """Both at the same length would have the writer fold what the other thread was about to."""
    store = opened(path)
    pragma = {
        name: store._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("wal_autocheckpoint", "page_size", "journal_size_limit")
    }
    assert pragma["wal_autocheckpoint"] * pragma["page_size"] >= 2 * wal.FOLD_BYTES
    assert pragma["journal_size_limit"] >= wal.FOLD_BYTES
    await asyncio.to_thread(store.close)


async def test_a_log_that_is_written_to_without_a_pause_begins_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal, "QUIET_S", 3600.0)
    monkeypatch.setattr(wal, "FOLD_BYTES", 10 * len(BULK))
    store = opened(path)
    log = Path(f"{path}-wal")
    for seq in range(5):
        await store.submit(lambda t, seq=seq: chunk(t, seq, BULK))  # type: ignore[misc]
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute(
        "SELECT count(*) FROM chunks"
    ).fetchone()  # what comes later cannot be folded while it reads
    for seq in range(5, 10):
        await store.submit(lambda t, seq=seq: chunk(t, seq, BULK))  # type: ignore[misc]
    async with asyncio.timeout(20):
        while not store._log._left_over:
            await asyncio.sleep(0.01)
    reader.close()
    await store.submit(lambda t: chunk(t, 10, BULK))
    assert not store._log._left_over
    size = log.stat().st_size
    for seq in range(11, 18):  # less than was there
        await store.submit(lambda t, seq=seq: chunk(t, seq, BULK))  # type: ignore[misc]
    assert log.stat().st_size == size
    await asyncio.to_thread(store.close)


async def test_l1_a_file_system_that_gives_up_while_it_syncs_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ext4 may report success for what its aborted journal never wrote; the next change of that journal fails."""
    store = opened(path)
    await store.commit(lambda t: chunk(t, 1, b"safe"))

    def gone(_file: int, _at: int, _length: int) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", gone)
        with pytest.raises(StoreError, match="cannot be made safe on disk: Read-only file system"):
            await store.commit(lambda t: chunk(t, 2, b"lost"))
    await store.commit(lambda t: chunk(t, 3, b"safe again"))
    await asyncio.to_thread(store.close)
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing is left beside it
