"""The guarded shell: no line reaches the target before it has its verdict, whatever keys make it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.gate_world import adopt, judged_world, statements
from tests.integration.jump_evidence import Recorded, Since
from tests.integration.jump_terminal import Terminal

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "gate" / "keys.json").read_text())["cases"]
POLICY = """\
[[rule]]
id = "named-commands"
verdict = "allow"
when = { groups = ["ci"], access = ["exec", "shell"] }
match = [
  { program = ["echo", "cd", "true", "sleep", "printf", "cat", "read", "exit", "stty", "id", "tty", "sudo", "su"] },
  { program = ["bash", "sh"], args_none = ["-c", "-i"] },
]
"""
RAW = """
[[rule]]
id = "top-is-raw"
verdict = "allow"
when = { access = ["raw"] }
match = [{ argv = ["echo", "glob:raw*"] }]
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with judged_world(tmp_path_factory.mktemp("guarded"), POLICY) as world:
        yield world


def shell(world: World, *command: str, **size: int) -> Terminal:
    return Terminal(world, "ssh", "-F", "ssh_config", "-tt", "web-1", *command, **size)


def prompted(world: World, *command: str, prompt: str = ":", **size: int) -> Terminal:
    terminal = shell(world, *command, **size)
    terminal.until(prompt)
    terminal.until("# " if os.geteuid() == 0 else "$ ")
    return terminal


def press(terminal: Terminal, keys: str) -> None:
    """Press keys given as latin-1; what stands between two section signs is waited for."""
    for turn, part in enumerate(keys.split("\xa7")):
        if turn % 2:
            terminal.until(part)
        else:
            os.write(terminal._master, part.encode("latin-1"))


def ended(terminal: Terminal, since: Since) -> Recorded:
    terminal.process.kill()
    return since.ended()


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_t28_t29_what_reaches_the_target_is_what_was_judged(guarded: World, case: dict[str, Any]) -> None:
    since = Since(guarded)
    with prompted(guarded) as terminal:
        press(terminal, case["keys"])
        for _time in range(case.get("times", 1)):
            terminal.until(case["until"])
        recorded = ended(terminal, since)
    assert recorded.input.decode("latin-1") == case["reached"]
    if not case.get("denied_any"):
        denied = [source.decode("latin-1") for source, verdict in statements(recorded) if verdict != "allow"]
        assert [source for source in denied if source] == case.get("denied", [])


def test_t28_keys_that_come_one_by_one_are_the_same_line(guarded: World) -> None:
    since = Since(guarded)
    with prompted(guarded) as terminal:
        for key in "echo wr\x7fo''ne\r":
            terminal.type(key)
        terminal.until("wone\r\n")
        recorded = ended(terminal, since)
    assert recorded.input == b"echo wo''ne\n"


def test_a_line_shows_once_and_the_prompt_comes_back(guarded: World) -> None:
    with prompted(guarded) as terminal:
        terminal.type("echo on''e\r")
        assert terminal.until("one\r\n").replace(b"\x1b[m", b"").endswith(b"echo on''e\r\none\r\n")
        prompt = terminal.until("# " if os.geteuid() == 0 else "$ ")
        terminal.type("ls\r")
        shown = terminal.until("# " if os.geteuid() == 0 else "$ ")
        line, told, again = shown.replace(b"\r\n", b"\n").split(b"\n")
        assert line == b"ls"
        assert told.startswith(b"bastion: denied: no rule allows the command")
        assert again == prompt
        terminal.type("exit 7\r")
        assert terminal.status() == 7


def test_ctrl_d_ends_the_shell(guarded: World) -> None:
    with prompted(guarded) as terminal:
        terminal.type("\x04")
        assert terminal.status() == 0


@pytest.mark.parametrize(
    ("command", "prompt"),
    [
        ("bash", ":"),
        ("bash -l", ":"),
        ("sh", ":"),
        ("sudo -i", "bash"),
        ("su -", "bash"),
        ("sudo bash", "bash"),
    ],
)
def test_a_shell_by_any_plain_command_is_guarded(guarded: World, command: str, prompt: str) -> None:
    since = Since(guarded)
    with prompted(guarded, command, prompt=prompt) as terminal:
        terminal.type("echo $-\r")
        flags = terminal.until("\r\n") + terminal.until("\r\n")
        assert b"H" not in flags.split(b"\r\n")[1]
        terminal.type("ls\r")
        terminal.until("denied: no rule allows")
        recorded = ended(terminal, since)
    assert recorded.input == b"echo $-\n"
    assert statements(recorded)[0] == (command.encode(), "allow")


def test_l4_a_program_that_is_no_shell_gets_no_keys_but_ctrl_c(guarded: World) -> None:
    since = Since(guarded)
    with shell(guarded, "echo rea''dy; cat") as terminal:
        terminal.until("ready")
        terminal.type("text\r")
        terminal.until("denied: no rule allows what is data")
        terminal.type("more\r\x03")
        assert terminal.status() in (130, 255)
    assert since.ended().input == b"\x03"


def test_a_terminal_is_raw_only_where_a_rule_says_raw(own_world: World) -> None:
    adopt(own_world, POLICY + RAW)
    since = Since(own_world)
    with shell(own_world, "echo rawly") as terminal:
        terminal.until("rawly")
        assert terminal.status() == 0
    recorded = since.ended()
    assert recorded.details(Kind.MARKER) == [{"label": "raw terminal: not filtered"}]
    assert recorded.details(Kind.STATEMENT)[0]["rules"] == [
        "named-commands",
        "top-is-raw",
    ] or recorded.details(Kind.STATEMENT)[0]["rules"] == ["top-is-raw"]
    with prompted(own_world) as terminal:
        terminal.type("ls\r")
        terminal.until("denied: no rule allows")


def test_l10_what_asks_for_a_password_only_hides(guarded: World) -> None:
    """A lone word is not drawn and not recorded; a command with words is recorded, and both are judged."""
    since = Since(guarded)
    with prompted(guarded) as terminal:
        terminal.type("printf 'Pass''word: '; sleep 2\r")
        terminal.until("Password: ")
        terminal.type("s3cr3t\r")
        shown = terminal.until("denied: what was typed unseen")
        assert b"s3cr3t" not in shown
        terminal.type("echo vis''ible\r")
        shown = terminal.until("visible\r\n")
        assert b"echo vis" not in shown
        recorded = ended(terminal, since)
    assert b"s3cr3t" not in b"".join(event.data for event in recorded.events)
    assert "s3cr3t" not in json.dumps([event.detail for event in recorded.events])
    assert statements(recorded)[1:] == [(b"[hidden]", "deny"), (b"echo vis''ible\n", "allow")]


def test_the_terminals_own_modes_cannot_make_another_line_of_it(guarded: World) -> None:
    """A client that asks for a terminal which erases at x, strips bits and folds case gets one that does not."""
    since = Since(guarded)
    script = "stty erase x kill y iuclc istrip 2>/dev/null; exec ssh -F ssh_config -tt web-1"
    with Terminal(guarded, "sh", "-c", script) as terminal:
        terminal.until("# " if os.geteuid() == 0 else "$ ")
        terminal.type("echo AxyB\r")
        terminal.until("AxyB\r\n")
        terminal.until("AxyB\r\n")
        recorded = ended(terminal, since)
    assert recorded.input == b"echo AxyB\n"


def test_what_was_typed_is_drawn_in_the_recording(guarded: World) -> None:
    since = Since(guarded)
    with prompted(guarded) as terminal:
        terminal.type("echo on''e\r")
        terminal.until("one\r\n")
        terminal.type("exit\r")
        terminal.status()
    told = guarded.bastion("replay", since.ended().row.id).stdout
    assert b"echo on''e" in told
