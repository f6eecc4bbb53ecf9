"""A replay draws at its pace, obeys keys while there are any, and leaves the terminal as it was."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time

import pytest

PLAY = """
import sys
from bastion.cli.replay import play
from recorder.events import Event, Kind
from recorder.player import Player
gap = int(sys.argv[1])
events = [
    Event(0, Kind.REQUEST, 1, b"first command", {"type": "exec", "pty": False}),
    Event(1, Kind.OUTPUT, 1, b"one\\x1b[?1049h\\x1b[?25l"),
    Event(gap, Kind.OUTPUT, 1, b"two"),
    Event(gap, Kind.REQUEST, 2, b"second command", {"type": "exec", "pty": False}),
    Event(2 * gap, Kind.OUTPUT, 2, b"three"),
]
terminal = sys.argv[2] == "terminal"
keys = terminal and sys.stdin.isatty()
play(Player(iter(events), speed=float(sys.argv[3]), styled=terminal), keys=keys, terminal=terminal, raw=False)
"""
LONG = str(3_600_000_000)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *words: str) -> None:
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.program = subprocess.Popen(
            [sys.executable, "-c", PLAY, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.seen = b""

    def sees(self, text: bytes) -> None:
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], 20)
            assert ready, self.seen
            self.seen += os.read(self.master, 4096)

    def presses(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def ends(self) -> int:
        status = self.program.wait(timeout=20)
        os.set_blocking(self.master, False)
        with contextlib.suppress(BlockingIOError):
            self.seen += os.read(self.master, 65536)
        assert termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return status


def test_n_jumps_over_an_hours_pause_to_the_next_command_and_q_leaves() -> None:
    terminal = Terminal(LONG, "terminal", "1")
    terminal.sees(b"one")
    terminal.presses(b"n")
    terminal.sees(b"second command")
    assert b"two" in terminal.seen
    terminal.presses(b"q")
    assert terminal.ends() == 0
    assert b"three" not in terminal.seen


def test_space_pauses_and_goes_on_and_a_dot_steps() -> None:
    terminal = Terminal(LONG, "terminal", "1")
    terminal.sees(b"one")
    terminal.presses(b" ")
    terminal.presses(b".")
    terminal.sees(b"two")
    terminal.presses(b".")
    terminal.sees(b"second command")
    terminal.presses(b" q")
    assert terminal.ends() == 0


@pytest.mark.parametrize("keys", [b"q", b"\x03", b"\x04"])
def test_the_screen_is_put_back_however_it_is_left(keys: bytes) -> None:
    """The session has hidden the cursor and gone to the alternate screen; Ctrl-C comes as a signal."""
    terminal = Terminal(LONG, "terminal", "1")
    terminal.sees(b"one\x1b[?1049h\x1b[?25l")
    terminal.presses(keys)
    assert (terminal.ends() == 0) == (keys != b"\x03")
    assert b"\x1b[?1049l" in terminal.seen
    assert b"\x1b[?25h" in terminal.seen.partition(b"\x1b[?25l")[2]


def played(gap: str, speed: str, *, terminal: bool, stdin: int = subprocess.DEVNULL) -> bytes:
    words = [sys.executable, "-c", PLAY, gap, "terminal" if terminal else "pipe", speed]
    return subprocess.run(words, stdin=stdin, capture_output=True, check=True, timeout=20).stdout


def test_without_a_terminal_all_of_it_comes_at_once_and_plain() -> None:
    assert played(LONG, "0", terminal=False).startswith(b"#1 $ first command\r\none")


@pytest.mark.parametrize("terminal", [False, True])
def test_the_screen_is_put_back_without_keys_too(terminal: bool) -> None:
    """`ssh bastion replay ID` draws on the far terminal, of which the command knows nothing."""
    out = played("1000", "1", terminal=terminal)
    assert b"three" in out
    assert b"\x1b[?1049l" in out.partition(b"three")[2]


def test_a_speed_that_was_asked_for_holds_without_a_terminal_too() -> None:
    begun = time.monotonic()
    played("300000", "1", terminal=False)
    assert time.monotonic() - begun > 0.6
