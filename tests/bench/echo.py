"""Measure how long a line takes to come back from a program that runs in an open session.

A line is recorded, and on disk, before it goes to the target, and once more before it goes back (law L1). So the
commits of an echo are counted, and an fsync is measured in the same run, on the same file system; what is left is
what the bastion takes beside them.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench.faults import BenchFault
from tests.bench.figures import median, seconds_text
from tests.bench.ground import TARGET, Ground, Side
from tests.bench.run import Run
from tests.bench.table import Row, at_most

FRAME_BYTES = 4096 + 24  # a page in SQLite's write-ahead log
ROOM_BYTES = 4 << 20
OPEN = {"cat": ("cat",), "shell": ()}


class Conversation:
    """A session that is open: a line goes in, a line comes out."""

    def __init__(self, side: Side, kind: str) -> None:
        """Open a `cat`, or the login shell (then the line is a command that prints it)."""
        self._prefix = b"echo " if kind == "shell" else b""
        self._ssh = subprocess.Popen(
            side.ssh("-T", TARGET, *OPEN[kind]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._ssh.stdin
        assert self._ssh.stdout
        self._in, self._out = self._ssh.stdin.fileno(), self._ssh.stdout.fileno()

    def say(self, line: bytes) -> float:
        """Send a line and wait until it has come back; return the seconds; raise BenchFault."""
        began = time.perf_counter()
        os.write(self._in, self._prefix + line)
        got = b""
        while not got.endswith(b"\n"):
            more = os.read(self._out, 4096)
            if not more:
                raise BenchFault("the session ended in the middle of a conversation")
            got += more
        took_s = time.perf_counter() - began
        if got != line:
            raise BenchFault(f"said {line!r}, got {got!r}")
        return took_s

    def __enter__(self) -> Self:
        self.say(b"hello\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ssh.communicate(timeout=30)


class Appender:
    """A file that is written as the database's log is: over and over, each time down to the disk."""

    def __init__(self, path: Path, pages: int) -> None:
        self._frame = os.urandom(FRAME_BYTES * max(1, pages))
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._at = 0
        os.write(self._file, bytes(ROOM_BYTES))
        os.fsync(self._file)

    def append(self) -> float:
        """Write as much as a commit does, and wait until it is on disk; return the seconds."""
        began = time.perf_counter()
        os.pwrite(self._file, self._frame, self._at)
        os.fdatasync(self._file)
        took_s = time.perf_counter() - began
        self._at = (self._at + len(self._frame)) % (ROOM_BYTES - len(self._frame))
        return took_s

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def measure(run: Run) -> list[Row]:
    """Return what an echo takes beside its fsyncs, for a program and for the login shell."""
    rows: list[Row] = []
    with run.ground() as ground:
        for kind in OPEN:
            run.say(f"echo: {kind}, {run.scale.echo_rounds} rounds of {run.scale.echo_lines} lines")
            rows += _echo(run, ground, kind)
    return rows


def _echo(run: Run, ground: Ground, kind: str) -> list[Row]:
    times: dict[str, list[float]] = {"bastion": [], "jump": [], "fsync": []}
    with Conversation(ground.bastion, kind) as ours, Conversation(ground.jump, kind) as theirs:
        chunks, pages = _counted(
            ground, lambda: [ours.say(b"to count\n") for _ in range(run.scale.echo_lines)]
        )
        commits, pages_each = chunks / run.scale.echo_lines, max(2, round(pages / max(1, chunks)))
        appender = Appender(ground.folder / "appender", pages_each)
        for number in range(run.scale.echo_rounds):
            for line in range(run.scale.echo_lines):
                text = b"line %d of round %d\n" % (line, number)
                times["bastion"].append(ours.say(text))
                times["jump"].append(theirs.say(text))
                times["fsync"].append(appender.append())
        appender.close()
    p50 = {name: median(values) for name, values in times.items()}
    beside_s = p50["bastion"] - commits * p50["fsync"]
    what = "cat" if kind == "cat" else "login shell"
    return [
        Row(
            line="echo",
            what=f"echo of a line by {what}, p50, beside its fsyncs",
            measured=beside_s * 1e3,
            unit="ms",
            target=at_most(0.5),
            note=f"{seconds_text(p50['bastion'])} - {commits:.2g} commits x {seconds_text(p50['fsync'])}"
            f" (fsync of {pages_each} pages)",
            runs=dict(times),
        ),
        Row(
            line="echo",
            what=f"echo by {what}, p50, more than by the jump",
            measured=(p50["bastion"] - p50["jump"]) * 1e3,
            unit="ms",
            note=f"{seconds_text(p50['bastion'])} / {seconds_text(p50['jump'])}",
        ),
    ]


def _counted(ground: Ground, work: Callable[[], object]) -> tuple[int, int]:
    """Return how many chunks and how many pages of log the work made the bastion write."""
    log = ground.database.with_name(ground.database.name + "-wal")
    reader = sqlite3.connect(f"file:{ground.database}?mode=ro", uri=True)
    try:
        before = _chunks(reader), log.stat().st_size
        work()
        return _chunks(reader) - before[0], max(0, log.stat().st_size - before[1]) // FRAME_BYTES
    finally:
        reader.close()


def _chunks(reader: sqlite3.Connection) -> int:
    (count,) = reader.execute("SELECT count(*) FROM chunks").fetchone()
    return int(count)
