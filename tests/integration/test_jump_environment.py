"""Of the environment that a bot offers, the allowed part crosses, and the record names the rest (T26)."""

from __future__ import annotations

import subprocess

from tests.integration.conftest import World
from tests.integration.jump_evidence import Since
from tests.integration.jump_terminal import Terminal

OFFERED = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C",
    "LC_TIME": "en_GB.UTF-8",
    "BASTION_REASON": "rolling out 4c5d1f0",
    "TERM": "vt100",
    "FOO": "bar",
    "LD_PRELOAD": "/tmp/evil.so",
    "PATH": "/tmp",
    "BASH_ENV": "/tmp/evil.sh",
    "SSH_ORIGINAL_COMMAND": "true",
    "XLANG": "C",
    "LANGUAGE": "de",
}
ALLOWED = {"LANG", "LC_ALL", "LC_TIME", "BASTION_REASON", "TERM"}


def set_env(variables: dict[str, str]) -> tuple[str, str]:
    words = " ".join(f'"{name}={value}"' for name, value in variables.items())
    return ("-o", f"SetEnv={words}")


def test_t26_only_allowed_variables_cross_and_the_record_names_the_others(world: World) -> None:
    since = Since(world)
    done = world.ssh(*set_env(OFFERED), "web-1", "env -0")
    assert done.returncode == 0
    seen = dict(it.split("=", 1) for it in done.stdout.decode().split("\0") if it)
    crossing = ALLOWED - {"TERM"}  # sshd takes TERM with a terminal only
    assert {name: seen[name] for name in crossing} == {name: OFFERED[name] for name in crossing}
    for name in OFFERED.keys() - ALLOWED:
        assert seen.get(name) != OFFERED[name]
    detail = since.ended().request.detail
    assert detail["env"] == {name: OFFERED[name] for name in ALLOWED}
    assert set(detail["env_refused"]) == OFFERED.keys() - ALLOWED


def test_t26_term_comes_with_the_terminal(world: World) -> None:
    since = Since(world)
    words = (
        "-tt",
        *set_env({"TERM": "vt100", "LD_PRELOAD": "/tmp/evil.so"}),
        "web-1",
        "echo [$TERM $LD_PRELOAD]",
    )
    with Terminal(world, "ssh", "-F", "ssh_config", *words) as terminal:
        assert terminal.status() == 0
        assert b"[vt100 ]" in terminal.shown
    assert since.ended().request.detail["term"] == "vt100"


def test_a_value_that_is_not_utf8_crosses_as_it_is(world: World) -> None:
    since = Since(world)
    words = (
        b"ssh",
        b"-F",
        b"ssh_config",
        b"-o",
        b"SetEnv=LC_NOTE=caf\xe9",
        b"web-1",
        b'printf %s "$LC_NOTE"',
    )
    done = subprocess.run(words, cwd=world.job, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, b"caf\xe9")
    assert since.ended().request.detail["env"] == {"LC_NOTE": "caf\\xe9"}


def test_t26_a_value_that_is_too_long_is_left_out_and_named(world: World) -> None:
    since = Since(world)
    done = world.ssh(
        *set_env({"LC_LONG": "x" * 5000, "LC_SHORT": "y"}), "web-1", "echo ${#LC_LONG} $LC_SHORT"
    )
    assert done.stdout == b"0 y\n"
    detail = since.ended().request.detail
    assert (detail["env"], detail["env_refused"]) == ({"LC_SHORT": "y"}, ["LC_LONG"])
