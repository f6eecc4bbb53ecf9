"""Run a program in a real bash in which nothing real can be reached, and tell what it ran.

PATH leads nowhere; a name that is looked for is written down, with its words (stubs.bash). Programs with a slash are
not run at all: they could name a real file.

In      the bytes of a program
Out     the words of each run, in order; None if the program does not parse, or is not fit to be run
Holds   a scratch folder, WALL_S a program; its processes end with it
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from policies.shell.quoting import ansi

STUBS = Path(__file__).with_name("stubs.bash")
LOG_FD = 210
WALL_S = 2.0
MOST_LOG_BYTES = 256 * 1024
NOBODY = 65534
UNFIT = (b"/", b"\0", b"kill", b"BASH", b"SHELL", b"OLDPWD", b"ulimit", b"wait", b"sleep", b"~", b"_ran")

_QUOTED = re.compile(r"\$'(?P<ansi>(?:[^'\\]|\\.)*)'|'(?P<plain>[^']*)'|\\(?P<escaped>.)")
_WORD = re.compile(
    rf"(?:{_QUOTED.pattern})+".replace("?P<ansi>", "?:")
    .replace("?P<plain>", "?:")
    .replace("?P<escaped>", "?:")
)
Run = tuple[bytes, ...]


class Shell:
    """A scratch folder to run programs in; a context manager."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix="oracle-", dir=memory if memory.is_dir() else None))
        self._folder.chmod(0o755)
        self._work = self._folder / "work"
        self._stubs = self._folder / "stubs"
        shutil.copyfile(STUBS, self._stubs)
        self._stubs.chmod(0o644)
        self._bash = shutil.which("bash") or "/bin/bash"
        self._nobody: dict[str, Any] = (
            {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        )

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def parses(self, program: bytes) -> bool:
        """Say whether bash accepts the program as a whole."""
        done = subprocess.run(
            [self._bash, "-n", "-c", program], stdin=subprocess.DEVNULL, capture_output=True, timeout=10
        )
        return done.returncode == 0

    def run(self, program: bytes, *, on_stdin: bool = False) -> list[Run] | None:
        """Run a program, as an argument or as a script on stdin; return what it ran."""
        if any(part in program for part in UNFIT):
            return None
        if self._work.exists():
            shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(mode=0o777)
        self._work.chmod(0o777)
        (self._work / "~").mkdir()
        log, theirs = os.pipe()
        os.dup2(theirs, LOG_FD)
        os.close(theirs)
        text, feed = os.pipe()  # as a channel is: in a file, what runs in the background moves the place back
        os.write(feed, program if on_stdin else b"")
        os.close(feed)
        began_s = time.monotonic()
        try:
            process = subprocess.Popen(
                [self._bash, "-s"] if on_stdin else [self._bash, "-c", program],
                stdin=text,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self._work,
                env={
                    "PATH": "nowhere",
                    "BASH_ENV": str(self._stubs),
                    "HOME": "~",  # as the facts name it
                    "LC_ALL": "C.UTF-8",
                    "PROCESSES": "128" if self._nobody else "unlimited",
                },
                start_new_session=True,
                pass_fds=(LOG_FD,),
                **self._nobody,
            )
        finally:
            os.close(text)
            os.close(LOG_FD)
        try:
            written = _drained(log)
        finally:
            os.close(log)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if time.monotonic() - began_s >= WALL_S:
                _kill_session(process.pid)
        return _runs(written)


def _kill_session(leader: int) -> None:
    """Kill what is left of a session: with `set -m` a program's jobs are process groups of their own."""
    for signals in (signal.SIGSTOP, signal.SIGKILL):  # first those that start others stand still
        for _ in range(20):
            if not _signalled(leader, signals):
                break


def _signalled(leader: int, number: signal.Signals) -> int:
    """Send a signal to all of a session that have not had it; return how many that were."""
    done = ("Z", "X", "T") if number == signal.SIGSTOP else ("Z", "X")
    count = 0
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] not in done:
                os.kill(int(place.name), number)
                count += 1
    return count


def _drained(log: int) -> bytes:
    """Read what is written until nobody can write any more, or the time is up."""
    by_s = time.monotonic() + WALL_S
    parts, size = list[bytes](), 0
    ready = select.poll()
    ready.register(log, select.POLLIN | select.POLLHUP)
    while size < MOST_LOG_BYTES and (left_s := by_s - time.monotonic()) > 0 and ready.poll(left_s * 1000):
        part = os.read(log, 65536)
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _runs(written: bytes) -> list[Run]:
    """Return the words of each line; a line that is cut off is left out."""
    lines = written.decode("utf-8", "surrogateescape").split("\n")[:-1]
    return [tuple(_word(word) for word in _WORD.findall(line)) for line in lines]


def _word(quoted: str) -> bytes:
    text = ""
    for one in _QUOTED.finditer(quoted):
        text += ansi(one["ansi"]) if one["ansi"] is not None else (one["plain"] or one["escaped"] or "")
    return text.encode("utf-8", "surrogateescape")
