"""A session is replayed on a real terminal: at its pace, with keys, and with no effect beyond drawing (T45)."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import World
from tests.integration.test_evidence_service import Master

EVIL = (
    r"\033]0;pwned\007\033]2;pwned\007\033]52;c;cHduZWQ=\007\033kpwned\033\\"
    r"\033[?1049h\033[?25l\033[?2004h\033[?1003h"
)


class Tmux:
    """A terminal of a hundred columns, on a tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        self.run("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "PS1='ready$ ' sh")
        self.run("set", "-g", "set-clipboard", "on")
        self.run("set", "-g", "allow-rename", "on")
        self.run("set", "-g", "automatic-rename", "off")
        self.sees("ready$")

    def run(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words], capture_output=True, text=True, timeout=20
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def asks(self, what: str) -> str:
        """Return what tmux knows of the terminal."""
        return self.run("display-message", "-p", f"#{{{what}}}").strip()

    def types(self, line: str) -> None:
        self.run("send-keys", "-l", line)
        self.run("send-keys", "Enter")

    def presses(self, key: str) -> None:
        self.run("send-keys", key)

    def screen(self) -> str:
        return self.run("capture-pane", "-p")

    def sees(self, text: str) -> str:
        deadline = time.monotonic() + 20
        while text not in (screen := self.screen()):
            assert time.monotonic() < deadline, screen
            time.sleep(0.05)
        return screen

    def end(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, timeout=20)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    made = Tmux(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def session(world: World) -> str:
    """A session of two commands, the first of which does to its terminal what it can."""
    master = Master(world)
    first = (
        f"printf '{EVIL}one%s\\n' 41; sleep 0.3; echo two$((40 + 2))"  # its words are not those of its answer
    )
    assert b"two42" in master.run(first).stdout
    assert master.run("echo three").stdout == b"three\n"
    master.program.kill()
    master.program.communicate()
    row: dict[str, Any] = world.ended_session()
    return str(row["id"])


def replay(world: World, session: str, *words: str) -> str:
    command = [sys.executable, "-m", "bastion", "replay", session, *words]
    surroundings = f"BASTION_CONFIG={world.stage.config} PYTHONPATH={Path(__file__).parents[2]}"
    return f"clear; {surroundings} {shlex.join(command)}; echo status $?"


SLOWLY = ("--speed", "0.002", "--idle-limit", "3600", "--from", "sleep")


def test_keys_pause_step_jump_and_leave_and_the_screen_is_put_back(
    world: World, session: str, tmux: Tmux
) -> None:
    tmux.types(replay(world, session, *SLOWLY))
    tmux.sees("sleep 0.3")
    tmux.presses(".")
    assert "two42" not in tmux.sees("one41")
    assert tmux.asks("alternate_on") == "1"
    tmux.presses(".")
    assert "echo three" not in tmux.sees("two42")
    tmux.presses("Space")
    tmux.presses("n")
    tmux.sees("$ echo three")
    tmux.presses("q")
    tmux.sees("status 0")
    assert (tmux.asks("alternate_on"), tmux.asks("cursor_flag"), tmux.asks("mouse_any_flag")) == (
        "0",
        "1",
        "0",
    )
    tmux.types("echo $((40 + 2)) echoed")  # the terminal echoes and edits lines again
    tmux.sees("42 echoed")


def test_ctrl_c_leaves_it_as_well(world: World, session: str, tmux: Tmux) -> None:
    tmux.types(replay(world, session, *SLOWLY))
    tmux.sees("sleep 0.3")
    tmux.presses(".")
    tmux.sees("one41")
    tmux.presses("C-c")
    screen = tmux.sees("status 130")
    assert "Traceback" not in screen
    assert (tmux.asks("alternate_on"), tmux.asks("cursor_flag")) == ("0", "1")
    tmux.types("echo $((40 + 2)) echoed")
    tmux.sees("42 echoed")


def test_t45_the_readers_terminal_keeps_its_title_its_clipboard_and_its_modes(
    world: World, session: str, tmux: Tmux
) -> None:
    before = (tmux.asks("pane_title"), tmux.asks("window_name"))
    tmux.types(replay(world, session, "--speed", "64"))
    tmux.sees("status 0")
    assert (tmux.asks("pane_title"), tmux.asks("window_name")) == before
    assert tmux.run("list-buffers") == ""
    assert (tmux.asks("mouse_any_flag"), tmux.asks("alternate_on")) == ("0", "0")


def test_the_escapes_would_have_worked_otherwise(tmux: Tmux) -> None:
    """The test above looks for something that this terminal does do when it is told to."""
    tmux.types(f"printf '{EVIL}'")
    deadline = time.monotonic() + 20
    while tmux.asks("pane_title") != "pwned" or "pwned" not in tmux.run("list-buffers"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert tmux.asks("alternate_on") == "1"


def test_a_replay_over_ssh_on_a_terminal_obeys_keys(world: World, session: str, tmux: Tmux) -> None:
    assert world.responder("sessions", "--limit", "1").returncode == 0
    words = shlex.join(["ssh", "-F", "ssh_config.responder", "-t", "bastion", "replay", session, *SLOWLY])
    tmux.types(f"clear; cd {world.job}; {words}; echo status $?")
    tmux.sees("sleep 0.3")
    tmux.presses(".")
    tmux.sees("one41")
    tmux.presses("n")
    tmux.sees("$ echo three")
    tmux.presses("q")
    tmux.sees("status 0")
    assert (tmux.asks("alternate_on"), tmux.asks("cursor_flag")) == ("0", "1")
