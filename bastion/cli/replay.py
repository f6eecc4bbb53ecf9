"""Play a replay on a terminal, here or at the far end of an SSH channel, and hear its keys.

In      a Player; keys on standard input, as long as there are any
Out     what it draws on standard output
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator

from recorder.player import Player


def play(player: Player, *, keys: bool, terminal: bool, raw: bool) -> None:
    """Draw until the replay ends.

    `keys`: somebody may press some; `terminal`: it draws on one, and not into a file; `raw`: the terminal is at the
    far end of a channel, and raw already.
    """
    drawn_upon = terminal
    with _raw_keys(keys and not raw):
        try:
            while not player.finished:
                due_s = player.due()
                if keys or due_s is None:
                    key, waited_s = _wait_key(due_s)
                    if key is None and due_s is None:
                        break  # paused, and nobody is there to press keys any more
                    if key:
                        player.key(key, waited_s)
                        continue
                    if key is None and due_s is not None:
                        keys = False
                        time.sleep(max(0.0, due_s - waited_s))
                elif due_s:
                    time.sleep(due_s)
                drawn = player.step()
                drawn_upon |= (
                    b"\x1b" in drawn
                )  # it may end on a terminal all the same, as with `ssh bastion replay`
                _draw(drawn)
        finally:
            _draw(player.finish() if drawn_upon else b"")
    if terminal:
        _draw(b"\r\n")


def _wait_key(due_s: float | None) -> tuple[str | None, float]:
    """Wait until the next drawing is due, and return a key that was pressed meanwhile; None when none will be."""
    begun = time.monotonic()
    ready, _, _ = select.select([sys.stdin], [], [], due_s)
    if not ready:
        return "", 0.0
    data = os.read(sys.stdin.fileno(), 1)
    return (data.decode("latin-1") if data else None), time.monotonic() - begun


def _draw(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@contextlib.contextmanager
def _raw_keys(wanted: bool) -> Iterator[None]:
    """Take keys one by one and unechoed, and put the terminal back afterwards."""
    if not wanted:
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
