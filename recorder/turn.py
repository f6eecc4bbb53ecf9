"""Take turns at writing, among the processes that share one store.

SQLite lets one process write and has the others try again after ever longer naps, so that under load one of them may
find the store taken each time it looks. Here they stand in line: who waits holds `queue` and sleeps until `turn` is
free; who has just written must pass `queue` again, behind those who waited meanwhile. The system gives a lock back
when its holder dies. The one thing that this cannot see is a holder that neither goes on nor dies; whoever runs the
processes watches for that.

In      the path of the evidence file
Out     a context: its body runs in one process at a time
Holds   two open files beside the evidence, which `remove` deletes
Errors  StoreError
Source  flock(2)
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from recorder.errors import StoreError

SUFFIXES = ("-queue", "-turn")


class Turn:
    """One process's place in the line; for one thread at a time."""

    def __init__(self, path: Path, processes: int) -> None:
        """Open the lock files beside an evidence file that so many processes write to; raise StoreError."""
        self.processes = processes
        self._files: list[int] = []
        try:
            for file in _files(path):
                self._files.append(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            self.close()
            raise StoreError(f"{path}: processes cannot take turns at it: {error.strerror}") from error

    def __enter__(self) -> None:
        """Wait in line; raise StoreError."""
        queue, turn = self._files
        try:
            fcntl.flock(queue, fcntl.LOCK_EX)
            try:
                fcntl.flock(turn, fcntl.LOCK_EX)
            finally:
                fcntl.flock(queue, fcntl.LOCK_UN)
        except OSError as error:
            raise StoreError(f"the recorder's turn cannot be taken: {error.strerror}") from error

    def __exit__(self, *_raised: object) -> None:
        fcntl.flock(self._files[1], fcntl.LOCK_UN)

    def close(self) -> None:
        """Leave the line."""
        while self._files:
            os.close(self._files.pop())


def remove(path: Path) -> None:
    """Delete the lock files beside an evidence file that no process shares any more."""
    for file in _files(path):
        file.unlink(missing_ok=True)


def _files(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in SUFFIXES]
