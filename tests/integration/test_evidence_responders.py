"""Responders read evidence over SSH: the same commands, nothing else, and each read has a name on it (T44, T46, L9)."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Any

import pytest

from tests.integration.conftest import World

RUN = "90310"


@pytest.fixture(scope="module")
def told(world: World) -> dict[str, Any]:
    """One session of a run of its own."""
    world.certify("reader", "deploy", run_id=RUN)
    done = world.ssh_as(
        "reader", "-J", "bastion", f"{world.login}@web-1", r"printf 'seen\033]0;title\007\033[?1049hdrawn\n'"
    )
    assert done.returncode == 0
    (row,) = world.until(lambda: world.sessions("--claim", f"run_id={RUN}", "--state", "closed"))
    found: dict[str, Any] = row
    return found


@pytest.fixture(autouse=True)
def certified(world: World, certificates_that_last: None) -> None:
    """The responder's certificate, also for the tests that run ssh themselves."""
    if not (world.job / "responder-cert.pub").exists():
        assert world.responder("--", "--help").returncode == 0


def reads(world: World, after: int) -> list[dict[str, Any]]:
    return [
        entry["detail"]
        for entry in world.audit()
        if entry["seq"] > after and entry["kind"] == "evidence.read"
    ]


@pytest.mark.parametrize(
    "words",
    [
        "sessions --json --claim run_id=90310",
        "show {id}",
        "replay {id}",
        "export {id}",
        "export {id} --format json",
    ],
)
def test_a_command_says_over_ssh_what_it_says_on_the_bastion(
    world: World, told: dict[str, Any], words: str
) -> None:
    line = words.format(id=told["id"])
    here, there = world.bastion(*line.split()), world.responder(line)
    assert (there.returncode, there.stdout) == (here.returncode, here.stdout) == (0, here.stdout)
    assert there.stderr == b""


def test_a_responder_can_have_everything_verified(world: World, told: dict[str, Any]) -> None:
    done = world.responder("verify", "--all", "--json")
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True), done.stdout
    assert world.responder("verify", told["id"]).returncode == 0
    head = f"{10**9}:{'0' * 64}"
    assert world.responder("verify", "--all", "--head", head).returncode == 1
    assert world.responder("verify", "01ARZ3NDEKTSV4RRFFQ69G5FAV").returncode == 2


def test_l9_a_read_over_ssh_bears_the_identity_that_its_certificate_proved(
    world: World, told: dict[str, Any]
) -> None:
    after = world.audit()[-1]["seq"]
    for words in (
        "sessions --owner nobody",
        f"show {told['id']}",
        f"replay {told['id']}",
        f"export {told['id']}",
    ):
        assert world.responder(words).returncode == 0
    told_of = [read for read in reads(world, after) if "over SSH" in read["by"]]
    assert [read["command"] for read in told_of] == ["sessions", "show", "replay", "export"]
    assert {read["by"] for read in told_of} == {"on-call over SSH from 127.0.0.1"}


def test_t44_who_is_no_responder_reads_nothing_not_even_how_much_there_is(
    world: World, told: dict[str, Any]
) -> None:
    after = world.audit()[-1]["seq"]
    answers = set()
    for words in (
        "sessions",
        "sessions --json --limit 1",
        f"show {told['id']}",
        "show 01NOSUCHSESSION",
        f"replay {told['id']}",
        f"export {told['id']} --format json",
        "verify --all",
        f"verify {told['id']}",
        "--help",
        "no-such-command",
    ):
        done = world.ssh_as("reader", "bastion", "--", words)
        assert (done.returncode, done.stdout) == (126, b""), words
        answers.add(done.stderr)
    (answer,) = answers
    assert answer == (
        b"bastion: orders-deployer may not read evidence: that takes a group among responders\r\n"
    )
    assert reads(world, after) == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("sessions --config /etc/passwd", "--config cannot be given over SSH"),
        ("verify --all --config /etc/passwd", "--config cannot be given over SSH"),
        ("verify --all --database /etc/passwd", "--database and --keys cannot be given over SSH"),
        ("verify --all --keys /etc/passwd", "--database and --keys cannot be given over SSH"),
        ("export {id} --output /tmp/stolen", "--output cannot be given over SSH"),
        ("show ../../../../etc/passwd", "there is no session ../../../../etc/passwd"),
        ("export ../keys/seal.jwk --format text", "there is no session ../keys/seal.jwk"),
        ("sessions --since never", "expected 90m"),
        ("replay {id} --speed nan", "speed"),
    ],
)
def test_t46_what_names_a_file_of_the_bastion_is_refused(
    world: World, told: dict[str, Any], words: str, text: str
) -> None:
    done = world.responder(words.format(id=told["id"]))
    error = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b"")
    assert text in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "words",
    [
        "serve",
        "init /tmp/stolen",
        "keys seal",
        "keys seal --rotate",
        "check",
        "demo",
        "--door root sessions",
        "--terminal sessions",
        "bash",
        "/bin/sh -c id",
        "certificate",
        "scp -t /tmp",
        "sessions; id",
        "'sessions",
    ],
)
def test_no_other_command_is_served(world: World, words: str) -> None:
    done = world.responder("--", words)
    assert done.returncode in (2, 126), done
    assert done.stdout == b""
    assert b"uid=" not in done.stderr
    assert b"Traceback" not in done.stderr


def test_help_is_given_and_nothing_behind_it(world: World) -> None:
    done = world.responder("--", "--help --door root serve")
    assert (done.returncode, b"Usage:" in done.stdout) == (0, True)
    assert b"--output" in world.responder("export --help").stdout


@pytest.mark.parametrize(
    "word",
    [
        "$(id)",
        "`id`",
        ";id",
        "|id",
        ">stolen",
        "$HOME",
        "~",
        "*",
        "\\",
        "a b",
        "a\nb",
        "-",
        "'",
        '"',
        "\x1b]0;x\x07",
        "é",
    ],
)
def test_a_word_reaches_the_command_as_it_is_and_no_shell_sees_it(world: World, word: str) -> None:
    done = world.responder(f"show -- {shlex.quote(word)}")
    error = done.stderr.decode()
    assert done.returncode == 2
    assert error.startswith("bastion: there is no session ")
    assert "uid=" not in error
    assert "\x1b" not in error
    quoted = {"a\nb": "a\\nb", "\x1b]0;x\x07": "\\x1b]0;x\\x07"}.get(word, word)
    assert f"no session {quoted};" in error


def test_a_command_that_is_no_text_or_too_long_is_refused(world: World) -> None:
    for words in (b"show \xff\xfe", b"show " + b"x" * 9000, b"show 'open"):
        done = subprocess.run(
            [b"ssh", b"-F", b"ssh_config.responder", b"bastion", words],
            cwd=world.job,
            capture_output=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (126, b"")
        assert done.stderr.startswith(b"bastion: the command ")


def test_a_shell_or_a_subsystem_of_the_bastion_itself_is_refused_with_what_there_is(world: World) -> None:
    for words in (("bastion",), ("-tt", "bastion"), ("-s", "bastion", "sftp")):
        done = world.ssh_as("responder", *words)
        assert done.returncode == 126
        assert b"no shell" in done.stderr + done.stdout


def test_a_replay_on_a_far_terminal_draws_there_and_puts_it_back(world: World, told: dict[str, Any]) -> None:
    done = world.responder("replay", told["id"], tty=True)
    assert done.returncode == 0
    assert b"seen" in done.stdout
    assert b"title" not in done.stdout.replace(b"]0;title", b"", 1)  # but for the command's own text
    assert b"\x1b]" not in done.stdout
    assert b"\x1b[?1049l" in done.stdout.partition(b"drawn")[2]
    assert b"\n" not in done.stdout.replace(b"\r\n", b"")  # the terminal is raw


def test_a_far_replay_obeys_keys_and_ends_when_its_client_goes(world: World, told: dict[str, Any]) -> None:
    replay = world.start(
        "ssh", "-F", "ssh_config.responder", "-tt", "bastion", "replay", told["id"], "--speed", "0.0001"
    )
    assert replay.stdin is not None
    replay.stdin.write(b"q")
    replay.stdin.flush()
    assert replay.wait(timeout=20) == 0
    waits = world.start(
        "ssh", "-F", "ssh_config.responder", "-tt", "bastion", "replay", told["id"], "--speed", "0.0001"
    )
    pattern = f"replay {told['id']} --speed 0.0001"
    world.until(lambda: running(pattern))
    waits.kill()
    waits.wait()
    world.until(lambda: not running(pattern))


def running(pattern: str) -> bool:
    found = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return any(pattern in line and "--door" in line for line in found.splitlines())


def test_a_responder_who_has_seen_enough_is_left_in_peace(world: World, told: dict[str, Any]) -> None:
    line = f"ssh -F ssh_config.responder bastion export {told['id']} --format json | head -c 10"
    done = subprocess.run(["bash", "-c", line], cwd=world.job, capture_output=True, timeout=60)
    assert (done.returncode, len(done.stdout), done.stderr) == (0, 10, b"")
