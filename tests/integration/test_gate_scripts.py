"""Commands and scripts are judged statement by statement, before anything of them reaches the target."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.gate_world import ALLOW_LISTED, adopt, details, judged_world, statements
from tests.integration.jump_evidence import Since

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "gate" / "scripts.json").read_text())["cases"]
NO_MATCH = """\
[[rule]]
id = "everything"
verdict = "allow"
"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with judged_world(tmp_path_factory.mktemp("judged")) as world:
        yield world


@pytest.mark.parametrize("command", ["echo one", "echo one; echo two", "cd / && pwd", "echo a | sort"])
def test_a_command_that_is_allowed_runs_as_it_is(judged: World, command: str) -> None:
    since = Since(judged)
    done = judged.ssh("web-1", command)
    told = subprocess.run(["bash", "-c", command], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, told.stdout, b"")
    recorded = since.ended()
    assert statements(recorded) == [(command.encode(), "allow")]
    (detail,) = details(recorded)
    assert detail["rules"] == ["named-commands"]
    assert len(detail["policy"]) == 64
    assert detail["facts"]["commands"][0]["argv"][0] == command.split()[0]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo a; rm -rf /srv", "by no-touching-secrets: secrets stay where they are"),
        ("ls;rm x", "by no-touching-secrets"),
        ("echo $(cat /etc/shadow)", "by no-touching-secrets"),
        ("echo `rm x`", "by no-touching-secrets"),
        ("ls", "denied: no rule allows"),
        ("echo ok; ls", "denied: no rule allows"),
        ("echo 'unended", "denied: no rule allows"),
        ("$x", "denied: no rule allows"),
        ("reboot", "by holds-are-for-people: a person looks first"),
        ("/tmp/echo hi", "denied: no rule allows"),
        ("echo a\nls", "denied: no rule allows"),
        ("cat < /etc/shadow", "by no-touching-secrets"),
    ],
)
def test_t35_a_command_is_denied_as_a_whole_before_anything_runs(
    judged: World, command: str, said: str
) -> None:
    since = Since(judged)
    done = judged.ssh("web-1", command)
    assert (done.returncode, done.stdout) == (126, b"")
    recorded = since.ended()
    told = done.stderr.decode()
    assert told.startswith("bastion: denied")
    assert said in told
    assert told.rstrip().endswith(f"(session {recorded.row.id})")
    assert told.count("\n") == 1
    assert statements(recorded)[0][0] == command.encode()
    assert statements(recorded)[0][1] in ("deny", "approve")
    assert recorded.input == b""


def test_what_needs_an_approval_that_nobody_can_give_is_denied_and_says_so(judged: World) -> None:
    assert b"nobody can approve it" in judged.ssh("web-1", "reboot").stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_t24_a_script_stops_at_its_denied_statement(judged: World, case: dict[str, object]) -> None:
    """Vectors of DESIGN's gate: what ran before it ran to its end, and nothing behind it reached the target."""
    since = Since(judged)
    script = str(case["script"]).encode("latin-1")
    done = judged.ssh("web-1", str(case.get("command", "bash -s")), stdin=script)
    assert done.stdout.decode("latin-1") == case["stdout"], done.stderr
    assert done.returncode == case["status"]
    recorded = since.ended()
    assert recorded.input.decode("latin-1") == case["reached"]
    if case["status"] == 126:
        assert str(case["said"]) in done.stderr.decode()
        assert statements(recorded)[-1][1] == "deny"


def test_t24_a_script_that_comes_slowly_is_judged_line_by_line(judged: World) -> None:
    job = judged.start("ssh", "-F", "ssh_config", "web-1", "bash", "-s")
    assert job.stdin
    assert job.stdout
    for word in (b"one", b"two"):
        job.stdin.write(b"echo " + word)
        job.stdin.flush()
        job.stdin.write(b"\n")
        job.stdin.flush()
        assert job.stdout.readline() == word + b"\n"
    job.stdin.write(b"if true; then\n")
    job.stdin.write(b"  echo three\nfi\n")
    job.stdin.flush()
    assert job.stdout.readline() == b"three\n"
    job.stdin.write(b"ls\n")
    job.stdin.flush()
    assert job.wait(timeout=20) == 126
    job.communicate()


def test_t33_a_line_without_an_end_is_refused_at_once(judged: World) -> None:
    """It never ends, as far as the bastion knows: what is sent goes nowhere, and nobody waits for it."""
    since = Since(judged)
    command = "yes a | tr -d '\\n' | ssh -F ssh_config web-1 bash -s"
    done = judged.run("bash", "-c", command, timeout=30)
    assert done.returncode == 126
    assert b"longer than 65536 bytes" in done.stderr
    recorded = since.ended()
    assert recorded.input == b""
    assert sum(len(event.data) for event in recorded.events) < 200_000


def test_a_warning_is_told_and_the_statement_runs(judged: World) -> None:
    since = Since(judged)
    done = judged.ssh("web-1", "bash -s", stdin=b"sleep 0.01\necho done\n")
    assert (done.returncode, done.stdout) == (0, b"done\n")
    by = "named-commands, sleeping-is-odd: pipelines should not wait"
    told = f"bastion: warned by {by} (session {since.ended().row.id})"
    assert told in done.stderr.decode()
    assert "alert session=" in judged.stage.journal.read_text()


def test_t37_a_policy_that_is_reloaded_judges_the_next_statement(own_world: World) -> None:
    adopt(own_world, ALLOW_LISTED)
    job = own_world.start("ssh", "-F", "ssh_config", "web-1", "bash", "-s")
    assert job.stdin
    assert job.stdout
    job.stdin.write(b"echo before\n")
    job.stdin.flush()
    assert job.stdout.readline() == b"before\n"
    adopt(own_world, ALLOW_LISTED.replace('"echo", ', ""))
    out, err = job.communicate(b"echo after\n", timeout=20)
    assert (job.returncode, out) == (126, b"")
    assert b"no rule allows" in err


def test_t37_a_channel_that_began_unjudged_ends_when_a_reload_brings_rules(own_world: World) -> None:
    adopt(own_world, NO_MATCH)
    job = own_world.start("ssh", "-F", "ssh_config", "web-1", "bash", "-s")
    assert job.stdin
    assert job.stdout
    job.stdin.write(b"ls /etc/hostname\n")
    job.stdin.flush()
    assert job.stdout.readline() == b"/etc/hostname\n"
    adopt(own_world, ALLOW_LISTED)
    out, err = job.communicate(b"echo after\n", timeout=20)
    assert (job.returncode, out) == (255, b"")
    assert b"the policy now judges" in err


def test_a_policy_without_match_filters_nothing(own_world: World) -> None:
    adopt(own_world, NO_MATCH)
    since = Since(own_world)
    done = own_world.ssh("web-1", "bash -s", stdin=b"ls 'it\n' 2>/dev/null; echo $((6*7))\n")
    assert (done.returncode, done.stdout) == (0, b"42\n")
    assert statements(since.ended()) == []


@pytest.fixture(name="eats")
def _eats(tmp_path: Path) -> Path:
    """A program that nobody knows: it takes the beginning of what a shell was to read next."""
    program = tmp_path / "eats"
    program.write_text("#!/bin/sh\nhead -c 9 >/dev/null\n")
    program.chmod(0o755)
    return program


def test_l3_t33_what_follows_a_program_that_may_read_the_script_is_data(own_world: World, eats: Path) -> None:
    """Else the shell would go on in the middle of a statement that was allowed, and run `ls`, which was not."""
    adopt(
        own_world,
        ALLOW_LISTED + f'[[rule]]\nid = "own"\nverdict = "allow"\nmatch = [{{ argv = ["{eats}"] }}]\n',
    )
    script = f"{eats}\necho 'it\nls /etc/hostname #'\n".encode()
    since = Since(own_world)
    done = own_world.ssh("web-1", "bash -s", stdin=script)
    assert (done.returncode, done.stdout) == (126, b"")
    assert b"is not known to leave the input that follows alone" in done.stderr
    assert since.ended().input == f"{eats}\n".encode()


def test_a_script_goes_on_behind_a_program_that_leaves_its_input_alone(own_world: World, eats: Path) -> None:
    adopt(
        own_world,
        ALLOW_LISTED + f'[[rule]]\nid = "own"\nverdict = "allow"\nmatch = [{{ argv = ["{eats}"] }}]\n',
    )
    done = own_world.ssh("web-1", "bash -s", stdin=f"{eats} </dev/null\necho after\n{eats}\n\n".encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"after\n", b"")
    granted = f'{{ argv = ["{eats}"], flags = "may_read_stdin" }}'
    adopt(own_world, ALLOW_LISTED + f'[[rule]]\nid = "own"\nverdict = "allow"\nmatch = [{granted}]\n')
    done = own_world.ssh("web-1", "bash -s", stdin=f"{eats}\n#1234567\necho after\n".encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"after\n", b"")


@pytest.mark.parametrize(
    ("shell", "allowed"), [("sh", True), ("dash", True), ("zsh", False), ("fish", False)]
)
def test_l4_a_shell_that_is_not_known_to_parse_alike_gets_nothing_but_unparsed(
    own_world: World, shell: str, allowed: bool
) -> None:
    own_world.rewrite_config(lambda text: text.replace('shell = "bash"', f'shell = "{shell}"'))
    adopt(own_world, ALLOW_LISTED)
    since = Since(own_world)
    assert own_world.ssh("web-1", "echo one").returncode == (0 if allowed else 126)
    (detail,) = details(since.ended())
    assert ("unparsed" in detail["facts"]["flags"]) is not allowed
    assert own_world.ssh("web-1", "echo $'\\x72m'").returncode == 126


def test_what_was_judged_is_in_the_transcript_and_the_cast(judged: World) -> None:
    since = Since(judged)
    judged.ssh("web-1", "bash -s", stdin=b"echo one\nls /srv\n")
    recorded = since.ended()
    told = judged.bastion("replay", recorded.row.id).stdout.decode()
    assert told.index("echo one") < told.index("deny: ls /srv") < told.index("bastion: denied: no rule")
    cast = judged.bastion("export", recorded.row.id, "--format", "asciicast-v2").stdout.decode()
    markers = [json.loads(line)[2] for line in cast.splitlines()[1:] if json.loads(line)[1] == "m"]
    assert markers == ["bash -s", "echo one", "deny: ls /srv"]
    assert [event.kind for event in recorded.events].count(Kind.STATEMENT) == 3
