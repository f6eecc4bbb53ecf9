"""Commit evidence to one SQLite file, from one writer thread, many sessions to a transaction.

In      jobs: functions of a Transaction, from the event loop
Out     a future that is done only once the job's transaction is on disk (law L1)
Holds   the jobs that wait for the next transaction, at most one for each thing that awaits one
Errors  StoreError for the database's faults; every job of a failed transaction gets it (law L2); what a job itself
        raises (JOB_FAULTS) undoes and fails that job alone
Source  SQLite: WAL, PRAGMA synchronous, SAVEPOINT; docs/adr/0009-a-commit-is-made-safe-beside-the-next.md
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from recorder import audit
from recorder.errors import StoreClosed, StoreError
from recorder.jobs import Answers, Job, Landed, Outcome, all_undone
from recorder.seal import Signer
from recorder.store_schema import check_ours, create_schema, is_blank
from recorder.turn import Turn
from recorder.wal import FOLD_BYTES, WriteAheadLog

Durability = Literal["power", "process"]
T = TypeVar("T")

_SYNCHRONOUS: Mapping[Durability, str] = {"power": "FULL", "process": "NORMAL"}
BATCH_JOBS = 256
BUSY_MS = 2_000
MEMORY_KIB = 4_096
PAGE_BYTES = 16 * 1024  # bulk goes through the log in fewer, larger writes; a small commit costs a little
CHECKPOINT_PAGES = (
    512 * 1024 * 1024 // PAGE_BYTES
)  # of the log, after which the writer folds it back by itself
LOG_BYTES = FOLD_BYTES  # what is kept of the log's file once it is folded back: to write over it costs half
BULK_BYTES = 64 * 1024  # a transaction of more is made safe beside the next one

JOB_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, sqlite3.IntegrityError)


@dataclass(slots=True)
class Transaction:
    """What a job may use: the connection, inside a transaction, and the audit chain."""

    connection: sqlite3.Connection
    signer: Signer
    now_us: Callable[[], int]
    entries: list[audit.Entry] = field(default_factory=list)
    written_bytes: int = 0

    def audit(self, kind: str, detail: Mapping[str, Any]) -> audit.Entry:
        """Append one entry to the audit chain; it is journalled once it is committed."""
        entry = audit.append(self.connection, self.signer, kind, detail, self.now_us())
        self.entries.append(entry)
        return entry


def connect(path: Path, *, durability: Durability = "power", create: bool = False) -> sqlite3.Connection:
    """Open the evidence file for writing; raise StoreError when it is not one or cannot be written."""
    try:
        if not create and not path.exists():
            raise StoreError(f"{path}: there is no such recording database")
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            connection.execute("PRAGMA trusted_schema = OFF")
            if create and is_blank(connection, path):
                path.chmod(0o600)
                connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                _create_once(connection, path)
            check_ours(connection, path, whole=True)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
            connection.execute(f"PRAGMA cache_size = -{MEMORY_KIB}")
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: cannot be opened for recording: {error}") from error
    return connection


def _create_once(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables, all or nothing, unless another process has just done so."""
    connection.execute("BEGIN EXCLUSIVE")
    try:
        if is_blank(connection, path):
            create_schema(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def append_now(path: Path, signer: Signer, kind: str, detail: Mapping[str, Any], now_us: int) -> audit.Entry:
    """Append one audit entry from a process that is not the server; raise StoreError."""
    connection = connect(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        entry = audit.append(connection, signer, kind, detail, now_us)
        connection.execute("COMMIT")
    except (sqlite3.Error, *JOB_FAULTS) as error:
        raise StoreError(f"{path}: cannot be written: {error}") from error
    finally:
        connection.close()
    return entry


_Prepared = tuple[Job[Any], Outcome | None]


class Store:
    """The evidence database of a running bastion."""

    def __init__(
        self,
        path: Path,
        signer: Signer,
        *,
        now_us: Callable[[], int],
        durability: Durability = "power",
        journal: Callable[[audit.Entry], None] = lambda _entry: None,
        turn: Turn | None = None,
    ) -> None:
        """Open (or make) the file and start the writer thread; raise StoreError.

        `turn` is entered for each transaction, where several processes write to one file.
        """
        self.path = path
        self.signer = signer
        self.now_us = now_us
        self._journal = journal
        self._turn: contextlib.AbstractContextManager[None] = turn or contextlib.nullcontext()
        self._connection = connect(path, durability="process", create=True)
        writers = turn.processes if turn is not None else 1
        self._log = WriteAheadLog(path, durable=durability == "power", writers=writers)
        self._queue: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._unsafe: queue.SimpleQueue[list[Outcome] | None] = queue.SimpleQueue()
        self._answers: dict[asyncio.AbstractEventLoop, Answers] = {}
        self._settling = 0
        self._settled = threading.Lock()
        self._closed = False
        self._stopped = False
        self._settler = threading.Thread(target=self._settle, name="recorder-sync", daemon=True)
        self._settler.start()
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    def submit(
        self,
        work: Callable[[Transaction], T],
        *,
        undone: Callable[[], None] = lambda: None,
        fault: Callable[[Exception], Exception] = lambda error: error,
        prepare: Callable[[], None] = lambda: None,
        landed: Landed | None = None,
    ) -> asyncio.Future[T]:
        """Queue a job for the next transaction; its future has the result once that is on disk.

        Jobs are done in the order in which they are submitted. Raise StoreClosed; the future gets StoreError, or what
        `fault` makes of one of JOB_FAULTS that the job raised.
        `prepare` is called on the writer thread before `work`, and while other processes may still write. `undone` is
        called there, before any later job's work, when the job's work was rolled back or not done. `landed` is called
        on the loop, in the order of the jobs, with the error that the future is about to get, or None; what it raises
        goes to the loop's exception handler. It is not called once the future was cancelled.
        """
        if self._closed:
            raise StoreClosed(f"{self.path}: the recorder is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        answers = self._answers.get(loop)
        if answers is None:
            answers = self._answers[loop] = Answers(loop)
        self._queue.put(Job(work, answers, future, undone, fault, prepare, landed))
        if self._stopped:
            self._abandon([])
        return future

    async def commit(self, work: Callable[[Transaction], T]) -> T:
        """Run a job in the next transaction and return its result once that is on disk.

        Raise StoreError, or what the job raised if that is among JOB_FAULTS.
        """
        return await self.submit(work)

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> audit.Entry:
        """Append one entry to the audit chain; raise StoreError."""

        def fault(error: Exception) -> StoreError:
            return StoreError(f"{self.path}: the audit chain cannot go on: {error}")

        return await self.submit(lambda transaction: transaction.audit(kind, detail), fault=fault)

    def run_now(self, work: Callable[[Transaction], T]) -> T:
        """Run a job before the event loop starts, in a transaction of its own; raise StoreError."""
        transaction = Transaction(self._connection, self.signer, self.now_us)
        with self._turn:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                result = work(transaction)
                self._connection.execute("COMMIT")
                self._log.sync()
            except (sqlite3.Error, *JOB_FAULTS) as error:
                self._rollback()
                raise StoreError(f"{self.path}: cannot be written: {error}") from error
            for entry in transaction.entries:
                self._journal(entry)
        return result

    def close(self, *, whole: bool = True) -> None:
        """Finish what is queued, and leave one whole file behind (no WAL) unless others write to it still."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._unsafe.put(None)
        self._settler.join()
        for answers in self._answers.values():
            answers.close()
        self._log.close()
        if not whole:
            self._connection.close()
            return
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error:
            pass  # a reader still has the file open: the WAL stays beside it, and is part of it
        finally:
            self._connection.close()

    def _write(self) -> None:
        batch: list[Job[Any]] = []
        try:
            while (job := self._queue.get()) is not None:
                batch = [job]
                stop = False
                while len(batch) < BATCH_JOBS and not self._queue.empty():
                    another = self._queue.get()
                    if another is None:
                        stop = True
                        break
                    batch.append(another)
                self._commit_batch(batch)
                if stop:
                    return
        finally:  # by a fault of ours or at the end: nobody may wait for what no longer comes
            self._stopped = True
            self._abandon(batch)

    def _abandon(self, batch: list[Job[Any]]) -> None:
        """Fail the jobs that the writer thread will not do (those that are done stay done)."""
        jobs = list(batch)
        with contextlib.suppress(queue.Empty):
            while True:
                jobs += [job for job in [self._queue.get_nowait()] if job is not None]
        failure = StoreError(f"{self.path}: the recorder has stopped")
        self._answer([(job, None, failure) for job in jobs])

    def _commit_batch(self, batch: list[Job[Any]]) -> None:
        ready = [(job, _prepared(job)) for job in batch]
        try:
            with self._turn:
                outcomes, safe, bulk = self._transact(ready)
        except StoreError as failure:
            self._answer(all_undone(batch, failure))
            return
        at_once = safe or (self._queue.empty() and not bulk)  # nothing to do meanwhile: spare the hand-over
        if at_once and self._settling == 0:
            self._answer(outcomes if safe else self._made_safe(outcomes))
        else:  # answers keep the order of their jobs
            with self._settled:
                self._settling += 1
            self._unsafe.put(outcomes)

    def _transact(self, batch: list[_Prepared]) -> tuple[list[Outcome], bool, bool]:
        """Run jobs in one transaction; return how they went, whether that is on disk already, and if it is much.

        What adds to the audit chain is: it is journalled in the order of the chain, and never before it is safe.
        """
        transaction = Transaction(self._connection, self.signer, self.now_us)
        outcomes: list[Outcome] = []
        self._log.renew(self._connection)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job, failed in batch:
                outcome = failed or self._run(job, transaction, alone=len(batch) == 1)
                outcomes.append(outcome)
            self._connection.execute("COMMIT")
            if transaction.entries:
                self._log.sync()
        except (sqlite3.Error, StoreError) as error:
            self._rollback()
            failure = StoreError(f"{self.path}: cannot be written: {error}")
            return all_undone([job for job, _failed in batch], failure), True, False
        for entry in transaction.entries:
            self._journal(entry)
        bulk = transaction.written_bytes >= BULK_BYTES
        self._log.grown(transaction.written_bytes, bulk=bulk)
        self._log.fold_rest(self._connection)
        return outcomes, bool(transaction.entries), bulk

    def _settle(self) -> None:
        """Make safe what the writer has committed, while it commits what comes next (its own thread)."""
        while (outcomes := self._unsafe.get()) is not None:
            groups = 1
            with contextlib.suppress(queue.Empty):
                while (more := self._unsafe.get_nowait()) is not None:
                    outcomes, groups = outcomes + more, groups + 1
                self._unsafe.put(None)  # the end: for the next time round
            self._answer(self._made_safe(outcomes))
            with self._settled:
                self._settling -= groups

    def _made_safe(self, outcomes: list[Outcome]) -> list[Outcome]:
        try:
            self._log.sync()
        except StoreError as failure:
            return all_undone([job for job, _result, _error in outcomes], failure)
        return outcomes

    def _answer(self, outcomes: list[Outcome]) -> None:
        by_loop: dict[Answers, list[Outcome]] = {}
        for outcome in outcomes:
            by_loop.setdefault(outcome[0].answers, []).append(outcome)
        for answers, group in by_loop.items():
            answers.give(group)

    def _run(self, job: Job[Any], transaction: Transaction, *, alone: bool) -> Outcome:
        """Run one job so that its own fault undoes its own work only."""
        kept = len(transaction.entries)
        if not alone:
            self._connection.execute("SAVEPOINT job")
        try:
            result = job.work(transaction)
        except JOB_FAULTS as error:
            if alone:
                self._connection.execute("ROLLBACK")
                self._connection.execute("BEGIN IMMEDIATE")
            else:
                self._connection.execute("ROLLBACK TO job")
                self._connection.execute("RELEASE job")
            del transaction.entries[kept:]
            job.undone()
            return job, None, job.fault(error)
        if not alone:
            self._connection.execute("RELEASE job")
        return job, result, None

    def _rollback(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # the commit's own error is the one that is told


def _prepared(job: Job[Any]) -> Outcome | None:
    """Prepare a job; return how it went if it failed."""
    try:
        job.prepare()
    except JOB_FAULTS as error:
        job.undone()
        return job, None, job.fault(error)
    return None
