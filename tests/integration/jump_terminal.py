"""Be the terminal that ssh runs in: a real one, whose window can change.

In      a command line for ssh
Out     what it shows, and its exit status
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol


class Place(Protocol):
    """Where a client is run: a World, or a way to a target."""

    job: Path


class Terminal:
    """One terminal with one program in it."""

    def __init__(self, place: Place, *words: str, rows: int = 24, cols: int = 80) -> None:
        """Run a program in the job's folder, the terminal as its own."""
        self._master, slave = pty.openpty()
        self.resize(rows, cols)
        self.shown = b""
        self.process = subprocess.Popen(
            words,
            cwd=place.job,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "vt220"},
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the program, and take the terminal away."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=10)
        os.close(self._master)

    def resize(self, rows: int, cols: int) -> None:
        """Change the window; the kernel tells whoever runs in it."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def until(self, text: str, seconds: float = 20) -> bytes:
        """Read until this was shown, and return all up to and including it; what follows is kept."""
        deadline = time.monotonic() + seconds
        while text.encode() not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown, but {self.shown!r}"
            if not self._read(0.1) and self.process.poll() is not None:
                assert text.encode() in self.shown, f"{text!r} was not shown, but {self.shown!r}"
        at = self.shown.index(text.encode()) + len(text.encode())
        found, self.shown = self.shown[:at], self.shown[at:]
        return found

    def status(self, seconds: float = 20) -> int:
        """Read on until the program has ended, and return its exit status."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it still runs, and showed {self.shown!r}"
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._master], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so of a terminal that nobody has open any more
            time.sleep(wait_s)
            return False
        self.shown += data
        return bool(data)
