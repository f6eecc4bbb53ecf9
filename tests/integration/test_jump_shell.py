"""A shell with and without a terminal, where the policy grants one: sizes, keys, modes, and the straight way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.jump_evidence import Direct, Since
from tests.integration.jump_terminal import Terminal

POLICY = """\
[[rule]]
id = "shells-too"
verdict = "allow"
when = { groups = ["ci"], targets = ["web-1"], access = ["exec", "shell", "sftp"] }
"""


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose policy grants shells."""
    world = World(tmp_path_factory.mktemp("shells"))
    world.ready()
    world.rewrite_policy(POLICY)
    assert world.reload()["kind"] == "configuration.reloaded"
    yield world
    world.strike()


def ssh(*words: str) -> tuple[str, ...]:
    return ("ssh", "-F", "ssh_config", *words)


def test_a_script_piped_into_a_shell_runs_to_its_end(shells: World) -> None:
    since = Since(shells)
    script = b"echo $0; cd /; pwd; echo err >&2; exit 7\n"
    done = shells.ssh("web-1", stdin=script)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (7, b"/")
    assert done.stderr.endswith(b"err\n")
    recorded = since.ended()
    assert (recorded.request.detail["type"], recorded.request.detail["pty"]) == ("shell", False)
    assert recorded.input == script


def test_window_changes_reach_the_far_terminal(shells: World) -> None:
    since = Since(shells)
    with Terminal(shells, *ssh("-tt", "web-1"), rows=30, cols=101) as terminal:
        terminal.type("echo size $(stty size) term $TERM; tty\n")
        terminal.until("size 30 101 term vt220")
        terminal.until("/dev/pts/")
        for rows, cols in ((40, 120), (25, 66)):
            terminal.resize(rows, cols)
            terminal.type(f"until stty size | grep '^{rows} {cols}$'; do sleep 0.02; done\n")
            terminal.until(f"{rows} {cols}\r\n")
        terminal.type("exit 3\n")
        assert terminal.status() == 3
    recorded = since.ended()
    resizes = [(detail["cols"], detail["rows"]) for detail in recorded.details(Kind.RESIZE)]
    assert resizes == [(120, 40), (66, 25)]
    detail = recorded.request.detail
    assert (detail["type"], detail["pty"], detail["term"]) == ("shell", True, "vt220")
    assert (detail["cols"], detail["rows"]) == (101, 30)
    assert b"exit 3" in recorded.input


def test_keys_act_as_on_any_terminal(shells: World) -> None:
    """Ctrl-C interrupts, Ctrl-U erases, Ctrl-D ends: the modes of the terminal have crossed."""
    with Terminal(shells, *ssh("-tt", "web-1")) as terminal:
        terminal.type("PS1='re''ady> '\n")
        terminal.until("ready> ")
        terminal.type("sh -c 'echo asle\"\"ep; exec sleep 600'\n")
        terminal.until("asleep")
        terminal.type("\x03")
        terminal.until("^C")
        terminal.until("ready> ")
        terminal.type("echo wrong\x15echo ri''ght\n")
        assert b"\nwrong" not in terminal.until("right")
        terminal.until("ready> ")
        terminal.type("\x04")
        assert terminal.status() == 0


def test_a_command_with_a_terminal_gets_one(shells: World) -> None:
    since = Since(shells)
    direct = Direct(shells)
    with Terminal(shells, *ssh("-tt", "web-1", "tty; stty size; exit 5"), rows=33, cols=99) as terminal:
        assert terminal.status() == 5
        jumped = terminal.shown
    straight = ("ssh", *direct.options, "-tt", direct.where, "tty; stty size; exit 5")
    with Terminal(shells, *straight, rows=33, cols=99) as terminal:
        assert terminal.status() == 5
        plain = terminal.shown
    assert jumped.splitlines()[1] == plain.splitlines()[1] == b"33 99"
    assert jumped.startswith(b"/dev/pts/")
    recorded = since.ended()
    assert (recorded.request.detail["type"], recorded.request.detail["pty"]) == ("exec", True)


def test_without_a_request_for_one_there_is_no_terminal(shells: World) -> None:
    done = shells.ssh("web-1", "tty")
    assert (done.returncode, done.stdout) == (1, b"not a tty\n")


def test_a_shell_straight_at_the_bastion_takes_the_same_way(shells: World) -> None:
    since = Since(shells)
    done = shells.ssh("-s", "bastion", f"shell:{shells.login}@web-1", stdin=b"echo here; exit 8\n")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (8, b"here")
    recorded = since.ended()
    assert (recorded.row.target, recorded.row.login, recorded.row.access) == ("web-1", shells.login, "shell")
    assert (recorded.row.exit_status, recorded.input) == (8, b"echo here; exit 8\n")
    assert (recorded.request.data, recorded.request.detail["type"]) == (b"shell", "subsystem")


def test_a_shell_straight_at_the_bastion_without_a_login_takes_the_only_one(shells: World) -> None:
    since = Since(shells)
    done = shells.ssh("-s", "bastion", "shell:web-1", stdin=b"id -un\n")
    assert done.stdout.splitlines()[-1] == shells.login.encode()
    assert since.ended().row.login == shells.login


def test_a_shell_straight_at_the_bastion_may_have_a_terminal(shells: World) -> None:
    with Terminal(shells, *ssh("-tt", "-s", "bastion", "shell:web-1"), rows=31, cols=77) as terminal:
        terminal.type("stty size; exit 2\n")
        terminal.until("31 77")
        assert terminal.status() == 2


def test_l5_without_a_rule_for_shells_the_straight_way_is_denied_as_well(world: World) -> None:
    since = Since(world)
    done = world.ssh("-s", "bastion", f"shell:{world.login}@web-1", stdin=b"echo never\n")
    assert (done.returncode, done.stdout) == (126, b"")
    assert b"shell denied on web-1" in done.stderr
    recorded = since.ended()
    assert recorded.details(Kind.VERDICT)[0]["verdict"] == "deny"
    assert recorded.input == b""


@pytest.mark.parametrize("name", ["shell:nobody@web-1", "shell:web-9", "console:web-1", "shell:", "bash"])
def test_t23_other_subsystems_and_names_are_refused_with_a_reason(world: World, name: str) -> None:
    done = world.ssh("-s", "bastion", name, stdin=b"echo never\n")
    assert (done.returncode, done.stdout) == (126, b"")
    assert done.stderr.startswith(b"bastion: ")
