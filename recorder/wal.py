"""Make SQLite's write-ahead log durable, and fold it back into the database beside the writer.

SQLite at `synchronous = FULL` would do both inside COMMIT, one after the other; the writer would stand still for the
disk twice over. At NORMAL it does neither until the log is very long, and we do both: `fdatasync` of the log before
anything that it holds is released, and passive checkpoints from a thread of their own.

A file system that gives up (ext4 with `errors=remount-ro`) may do so in the middle of `fdatasync`, which then reports
success for a transaction of its journal that never reached the disk. What changes the file system's own journal fails
from that moment on; so a file without a name is touched after each `fdatasync`, and only then is the log safe.

An `fdatasync` that fails is told once: the kernel takes what it could not write for clean, and the next one succeeds
over a hole, behind which SQLite would read nothing after a power cut. So after a failure nothing is safe until all of
the log is folded into the database, which is synced too, and the log begun anew.

Out     sync(): what was committed before is on disk
Errors  StoreError
Source  SQLite: WAL, sections 3.1 to 3.3; fdatasync(2), "errors may be reported once"; PostgreSQL wiki, Fsync Errors;
        posix_fallocate(3); linux/fs/jbd2: jbd2_complete_transaction
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import threading
from pathlib import Path
from typing import IO

from recorder.errors import StoreError

FOLD_BYTES = (
    256 * 1024 * 1024
)  # what the log may hold, of all who write to it, before it is folded under bulk
FOLD_COMMITS = 100  # after as many small commits it is folded too: a log that is used again need not grow
LEFT_BYTES = 16 * 1024 * 1024  # of a log as long as that, the writer folds so much itself, and begins it anew
QUIET_S = 1.0  # without load it is folded when nothing was written for as long


class WriteAheadLog:
    """The log that lies beside the evidence file while it is open."""

    def __init__(self, path: Path, *, durable: bool, writers: int) -> None:
        """Start the thread that folds; `durable` says whether `sync` is to wait for the disk.

        Each of several processes that write counts its own bytes only, so each folds once it has written its share.
        If all waited until there was enough for one, SQLite would have a writer fold it, in its turn, while all wait.
        """
        self.path = path
        self._durable = durable
        self._fold_bytes = FOLD_BYTES // writers
        self._file: int | None = None
        self._touched: IO[bytes] | None = None
        self._unfolded_bytes = 0
        self._small_commits = 0
        self._closed = False
        self._left_over = False
        self._doubtful = False
        self._written = threading.Event()
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._fold, name="recorder-log", daemon=True)
        self._thread.start()

    def sync(self) -> None:
        """Return once all that is committed is on disk; raise StoreError."""
        if not self._durable:
            return
        if self._doubtful:
            raise StoreError(f"{self.path}: cannot be made safe on disk: it could not be before")
        try:
            if self._file is None:
                self._file = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            if self._touched is None:
                self._touched = tempfile.TemporaryFile(dir=self.path.parent, buffering=0)  # noqa: SIM115 - see close
            os.fdatasync(self._file)
            os.posix_fallocate(self._touched.fileno(), 0, 1)
        except OSError as error:
            self._doubtful = True
            raise StoreError(f"{self.path}: cannot be made safe on disk: {error.strerror}") from error

    def renew(self, connection: sqlite3.Connection) -> None:
        """Begin the log anew if what it holds could not be made safe (on the writer thread, between transactions)."""
        if self._doubtful:
            with contextlib.suppress(sqlite3.Error):
                busy, _log, _folded = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._doubtful = bool(busy)

    def grown(self, size_bytes: int, *, bulk: bool) -> None:
        """Take note that this much was committed."""
        self._unfolded_bytes += size_bytes
        self._small_commits = 0 if bulk else self._small_commits + 1
        if not self._written.is_set():
            self._written.set()
        if self._unfolded_bytes >= self._fold_bytes or self._small_commits >= FOLD_COMMITS:
            self._small_commits = 0
            self._due.set()

    def fold_rest(self, connection: sqlite3.Connection) -> None:
        """Fold what was written while a long log was being folded (on the writer thread, after a commit).

        A log begins anew only with a commit that finds all before it folded, which under load no other thread brings
        about. Without this it would grow until SQLite has the writer fold hundreds of megabytes at once.
        """
        if self._left_over:
            self._left_over = False
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Stop folding."""
        self._closed = True
        self._written.set()
        self._due.set()
        self._thread.join()
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._touched is not None:
            self._touched.close()
            self._touched = None

    def _fold(self) -> None:
        while self._written.wait() and not self._closed:
            self._written.clear()
            if not self._due.wait(QUIET_S) and self._written.is_set():
                continue  # there is load: what is written now would have to be folded again
            self._due.clear()
            self._unfolded_bytes = 0
            self._fold_all()

    def _fold_all(self) -> None:
        """Fold until little is left: while it is done, more is written."""
        # What cannot be folded now is folded later, by the writer itself once the log has grown long.
        with contextlib.suppress(sqlite3.Error):
            connection = sqlite3.connect(self.path, isolation_level=None)
            try:
                log_bytes = more_bytes = _folded(connection)
                while more_bytes > LEFT_BYTES and not self._closed:
                    before_bytes, log_before_bytes = more_bytes, log_bytes
                    log_bytes = _folded(connection)
                    more_bytes = log_bytes - log_before_bytes
                    if more_bytes >= before_bytes:  # it is written faster than folded
                        break
                self._left_over = log_bytes >= FOLD_BYTES and more_bytes <= LEFT_BYTES
            finally:
                connection.close()


def _folded(connection: sqlite3.Connection) -> int:
    """Fold what can be folded now; return how many bytes the log held when that began."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    _busy, log, _folded = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(log) * int(page_bytes)
