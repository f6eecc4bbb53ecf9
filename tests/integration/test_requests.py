"""A bot asks ahead, and what people approve lets one later statement of its run go (T36, T37)."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.events import Kind
from tests.integration.conftest import Finished, World
from tests.integration.gate_world import adopt
from tests.integration.hold_world import (
    POLICY,
    bot,
    ends,
    entries,
    holding_world,
    holds,
    person,
    waiting,
)
from tests.integration.jump_evidence import Since

RUN = "orders-deployer/8412"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with holding_world(tmp_path_factory.mktemp("requests")) as made:
        yield made


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that is there if a held statement has run."""
    return tmp_path / "mark"


def request(statement: str, *options: str) -> tuple[str, ...]:
    return ("bastion", "request", "--target", "web-1", *options, "--", statement)


def polled(world: World, name: str) -> tuple[int, dict[str, Any]]:
    done = world.ssh("bastion", "request", "--json", "--poll", name)
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def grant(world: World, statement: str, *options: str) -> str:
    """Have alex approve a request, and return its id."""
    asked = world.ssh(*request(statement, "--no-wait", "--json", *options))
    assert asked.returncode == 0, asked.stderr
    name: str = json.loads(asked.stdout)["id"]
    done = person(world, "alex", "approve", name, "--reason", "'looked at it'")
    assert done.returncode == 0, done.stderr
    return name


def held_after_all(world: World, process: subprocess.Popen[bytes]) -> None:
    """Check that a statement waits, and deny it."""
    (seen,) = waiting(world)
    assert not seen["ahead"]
    assert person(world, "alex", "deny", seen["id"], "--reason", "no").returncode == 0
    assert ends(process)[0] == 126


def test_t36_what_is_approved_ahead_runs_once_without_waiting(world: World, mark: Path) -> None:
    options = ("--login", world.login, "--reason", "hotfix-4211")
    asking = bot(world, *request(f"touch {mark}; echo 'done  well'", *options))
    (seen,) = waiting(world)
    assert (seen["ahead"], seen["session"], seen["run"]) == (True, "", RUN)
    assert (seen["statement"], seen["stated"]) == (f"touch {mark}; echo 'done  well'", "hotfix-4211")
    shown = person(world, "alex", "approvals").stdout.decode()
    assert f"{world.login}@web-1, asked ahead: once, in a later session of run {RUN}, until " in shown
    assert person(world, "dana", "approve", seen["id"]).returncode == 1, "she owns it"
    assert person(world, "alex", "approve", seen["id"]).returncode == 0
    status, out, told = ends(asking)
    assert status == 0
    assert out.decode().startswith(f"{seen['id']} approved by alex@acme.example; good once, until ")
    assert f"asked ahead as {seen['id']} by touch-is-four-eyes: waits until " in told
    assert not mark.exists()

    since = Since(world)
    done = world.ssh("web-1", f"touch {mark}; echo 'done  well'")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"done  well\n", b"")
    assert mark.exists()
    recorded = since.ended()
    (event,) = recorded.details(Kind.HOLD)
    assert (event["state"], event["grant"]) == ("approved", seen["id"])
    assert event["reason"] == f"approved by alex@acme.example (asked ahead as {seen['id']})"
    steps = entries(world, seen["id"])
    kinds = ["hold.asked", "hold.answer-refused", "hold.answered", "hold.ended", "grant.spent"]
    assert [entry["kind"] for entry in steps] == kinds
    assert steps[0]["detail"]["statement"] == f"touch {mark}; echo 'done  well'"
    assert (steps[0]["detail"]["run"], steps[0]["detail"]["stated"]) == (RUN, "hotfix-4211")
    assert steps[-1]["detail"]["how"] == f"used in session {recorded.row.id}"
    used = entries(world, event["hold"])
    assert [entry["kind"] for entry in used] == ["hold.asked", "hold.ended"]
    assert used[-1]["detail"]["grant"] == seen["id"]
    held_after_all(world, bot(world, "web-1", f"touch {mark}; echo 'done  well'"))
    table = world.bastion("approvals", "--history").stdout.decode()
    assert f"approved by alex@acme.example; used in session {recorded.row.id}" in table
    assert f"ahead, by run {RUN}" in table


def test_a_line_of_a_script_uses_a_grant_as_a_command_does(world: World, mark: Path) -> None:
    name = grant(world, f"touch {mark}")
    script = f"echo before\ntouch {mark}\necho behind\n"
    done = world.ssh("web-1", "bash -s", stdin=script.encode())
    assert (done.returncode, done.stdout, mark.exists()) == (0, b"before\nbehind\n", True)
    status, told = polled(world, name)
    assert (status, told["state"]) == (0, "approved")
    assert told["spent"].startswith("used in session ")


@pytest.mark.parametrize("change", ["{} ", "{}; true", "{}.other"])
def test_t36_a_grant_is_for_these_very_bytes(world: World, mark: Path, change: str) -> None:
    name = grant(world, f"touch {mark}")
    held_after_all(world, bot(world, "web-1", change.format(f"touch {mark}")))
    assert world.ssh("web-1", f"touch {mark}").returncode == 0
    assert polled(world, name)[1]["spent"].startswith("used")


def test_t36_another_run_of_the_same_identity_gains_nothing(world: World, mark: Path) -> None:
    assert world.certify("other", "deploy", run_id="9999").returncode == 0
    name = grant(world, f"touch {mark}", "--for", "5m")
    poll = world.ssh_as("other", "bastion", "request", "--poll", name)
    assert (poll.returncode, poll.stdout) == (1, b"")
    assert f"there is no request {name} of run orders-deployer/9999" in poll.stderr.decode()
    held_after_all(world, world.start("ssh", "-F", "ssh_config.other", "web-1", f"touch {mark}"))
    assert world.ssh("web-1", f"touch {mark}").returncode == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (request("echo x"), 0, "no approval is needed: it may run as it is, by echo-and-shells"),
        (request("reboot"), 126, "it would be denied: "),
        (request("touch /x", "--login", "nobody"), 1, "login 'nobody' is not open to orders-deployer"),
        (("bastion", "request", "--target", "web-9", "--", "true"), 1, "no target 'web-9'"),
        (("bastion", "request", "--target", "web-1"), 2, "--target and, behind --, the statement are needed"),
        (("bastion", "request", "--", "true"), 2, "--target and, behind --, the statement are needed"),
        (request("touch /x", "--for", "ever"), 2, "--for: got"),
        (("bastion", "request", "--poll", "H-ZZZZ"), 1, f"there is no request H-ZZZZ of run {RUN}"),
        (("bastion", "request", "--help"), 0, "exit status 0 approved, 75"),
        (("bastion", "sessions"), 126, "may not read evidence"),
    ],
)
def test_it_is_judged_as_it_would_be_and_what_is_typed_wrong_is_a_line(
    world: World, words: tuple[str, ...], status: int, said: str
) -> None:
    done = world.ssh(*words)
    text = " ".join((done.stdout + done.stderr).decode().split())
    assert (done.returncode, said in text) == (status, True), text
    assert "Traceback" not in text
    assert holds(world) == []


def test_a_bot_that_tries_out_the_policy_is_seen_doing_it(world: World) -> None:
    before = len(world.audit())
    for statement, status in (("echo x; reboot 'a\x1bb'", 126), ("echo x", 0)):
        asked = request(statement, "--login", world.login)
        assert world.ssh(*asked).returncode == status
    denied, allowed = [
        entry["detail"] for entry in world.audit()[before:] if entry["kind"] == "request.judged"
    ]
    assert denied["statement"] == "echo x; reboot 'a\\x1bb'"
    assert (denied["identity"], denied["run"], denied["verdict"]) == ("orders-deployer", RUN, "deny")
    assert (denied["target"], denied["login"]) == ("web-1", world.login)
    assert (allowed["statement"], allowed["verdict"]) == ("echo x", "allow")
    assert allowed["rules"] == ["echo-and-shells"]
    assert allowed["policy"] == denied["policy"] != ""


def test_t36_t37_a_request_ends_like_any_hold(world: World, mark: Path) -> None:
    asking = bot(world, *request(f"touch {mark}"))
    (seen,) = waiting(world)
    assert person(world, "kim", "deny", seen["id"], "--reason", "'not today'").returncode == 0
    status, out, told = ends(asking)
    assert (status, out) == (126, b"")
    assert f"{seen['id']} denied by kim@acme.example: not today" in told

    status, _out, told = ends(bot(world, *request("printf x")))
    assert status == 124
    assert "expired: nobody has decided in time" in told

    leaving = bot(world, *request(f"touch {mark}"))
    (seen,) = waiting(world)
    leaving.send_signal(signal.SIGINT)
    leaving.communicate(timeout=20)
    world.until(lambda: holds(world) == [])
    late = person(world, "alex", "approve", seen["id"])
    assert "waits no more: withdrawn: the bot is gone" in late.stderr.decode()


def test_without_waiting_there_is_an_id_to_poll(world: World, mark: Path) -> None:
    done = world.ssh(*request(f"touch {mark}", "--no-wait"))
    (seen,) = waiting(world)
    assert done.stdout.decode() == f"{seen['id']} waits: request --poll {seen['id']}\n"
    status, told = polled(world, seen["id"])
    assert (status, told["state"], told["run"]) == (75, "waiting", RUN)
    assert person(world, "alex", "approve", seen["id"]).returncode == 0
    status, told = polled(world, seen["id"])
    assert (status, told["state"], told["spent"]) == (0, "approved", "")
    assert world.ssh("web-1", f"touch {mark}").returncode == 0
    denied = json.loads(world.ssh(*request(f"touch {mark}", "--no-wait", "--json")).stdout)["id"]
    assert person(world, "alex", "deny", denied, "--reason", "no").returncode == 0
    assert polled(world, denied)[0] == 126


def test_t37_a_reload_or_a_lock_takes_a_grant_away(world: World, mark: Path) -> None:
    statement = f"touch {mark}"
    name = grant(world, statement)
    waiting_one = bot(world, *request(f"{statement}.other"))
    waiting(world)
    denying = f'{POLICY}\n[[rule]]\nid = "no-reboot"\nverdict = "deny"\nmatch = [{{ program = "reboot" }}]\n'
    try:
        adopt(world, denying)
        status, _out, told = ends(waiting_one)
        assert status == 126
        assert "cancelled: the policy has changed: ask again" in told
        status, said = polled(world, name)
        assert (status, said["spent"]) == (126, "revoked: the policy has changed: ask again")
        held_after_all(world, bot(world, "web-1", statement))
    finally:
        adopt(world, POLICY)
    held_after_all(world, bot(world, "web-1", statement))
    name = grant(world, statement)
    locked = world.responder("lock", "run", RUN, "--reason", "x")
    assert locked.returncode == 0, locked.stderr
    lock = locked.stdout.split()[0].decode()
    assert world.responder("unlock", lock).returncode == 0
    assert f"revoked: run {RUN} is locked by on-call ({lock})" in polled(world, name)[1]["spent"]
    held_after_all(world, bot(world, "web-1", statement))


def test_t36_two_sessions_in_two_workers_use_one_grant_once(tmp_path: Path) -> None:
    with holding_world(tmp_path / "world", workers=2) as world:
        for number in range(3):
            mark = tmp_path / f"mark{number}"
            name = grant(world, f"touch {mark}; echo ran")
            both = [bot(world, "web-1", f"touch {mark}; echo ran") for _ in range(2)]
            world.until(
                lambda name=name: polled(world, name)[1]["spent"]
            )  # till then both wait, as others see it
            (seen,) = waiting(world)
            assert not seen["ahead"]
            assert person(world, "kim", "deny", seen["id"], "--reason", "no").returncode == 0
            assert sorted(ends(one)[:2] for one in both) == [(0, b"ran\n"), (126, b"")]
            for _ in range(2):  # whichever worker is asked
                assert polled(world, name)[1]["spent"].startswith("used in session ")
            assert [e["kind"] for e in entries(world, name)].count("grant.spent") == 1
        assert world.bastion("verify", "--all").returncode == 0


def test_t37_a_bastion_that_stops_forgets_its_grants_and_says_so_on_the_record(tmp_path: Path) -> None:
    with holding_world(tmp_path / "world") as world:
        name = grant(world, f"touch {tmp_path}/mark")
        world.stage.stop_bastion()
        world.stage.start_bastion()
        assert entries(world, name)[-1]["detail"]["how"] == "revoked: the bastion has stopped"
        done: Finished = world.ssh("bastion", "request", "--poll", name)
        assert done.returncode == 1
        held_after_all(world, bot(world, "web-1", f"touch {tmp_path}/mark"))
