"""A risky statement waits inside its live session until somebody else has answered (T36, T37)."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.gate_world import adopt
from tests.integration.hold_world import POLICY, bot, ends, entries, holding_world, holds, person, waiting
from tests.integration.jump_evidence import Since
from tests.integration.planted_values import made_up

SECRET = made_up("AKIA", "Q3EGRZ7KPLMN2TXW")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with holding_world(tmp_path_factory.mktemp("holds")) as made:
        yield made


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that is there if a held statement has run."""
    return tmp_path / "mark"


def test_a_held_command_runs_once_approved_by_a_second_person_in_the_same_process(
    world: World, mark: Path
) -> None:
    since = Since(world)
    held = bot(world, "-o", "SetEnv=BASTION_REASON=hotfix-4211", "web-1", f"touch {mark}; echo done")
    (seen,) = waiting(world)
    assert not mark.exists()
    assert held.poll() is None
    assert seen["statement"] == f"touch {mark}; echo done"
    assert (seen["identity"], seen["owner"], seen["target"]) == (
        "orders-deployer",
        "dana@acme.example",
        "web-1",
    )
    assert (seen["rule"], seen["reason"], seen["stated"]) == (
        ["touch-is-four-eyes"],
        "somebody looks first",
        "hotfix-4211",
    )
    assert seen["claims"]["actor"] == "sam"
    assert f"runs touch {mark}" in seen["facts"]
    assert (seen["held_for"], seen["before"]) == ([f"touch {mark}"], [])
    done = person(world, "alex", "approve", seen["id"], "--reason", "'looked at it'")
    assert (done.returncode, done.stdout.decode()) == (
        0,
        f"{seen['id']} approved by alex@acme.example: looked at it\n",
    )
    status, out, told = ends(held)
    assert (status, out, mark.exists()) == (0, b"done\n", True)
    assert told.startswith(f"bastion: held {seen['id']} by touch-is-four-eyes: waits until ")
    assert "for one person of dba to approve it (session " in told
    assert told.count("\n") == 1
    recorded = since.ended()
    states = [detail["state"] for detail in recorded.details(Kind.HOLD)]
    assert states == ["waiting", "approved"]
    assert recorded.details(Kind.HOLD)[0]["stated"] == "hotfix-4211"
    assert recorded.request.detail["env"]["BASTION_REASON"] == "hotfix-4211"
    (statement,) = recorded.details(Kind.STATEMENT)
    assert statement["verdict"] == "approve"
    steps = entries(world, seen["id"])
    assert [entry["kind"] for entry in steps] == ["hold.asked", "hold.answered", "hold.ended"]
    assert steps[1]["detail"]["by"] == "alex over SSH from 127.0.0.1"
    assert str(mark) not in str(steps), "only the recording has the statement"


def test_a_denied_command_never_runs_and_the_bot_is_told_why(world: World, mark: Path) -> None:
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    done = person(world, "kim", "deny", seen["id"], "--reason", "'not on a Friday'")
    assert done.returncode == 0
    status, _out, told = ends(held)
    assert (status, mark.exists()) == (126, False)
    assert f"{seen['id']} denied by kim@acme.example: not on a Friday (session " in told


def test_t36_neither_owner_nor_actor_nor_one_person_twice_nor_too_late(world: World, mark: Path) -> None:
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    refusals = {
        "dana": "dana@acme.example owns orders-deployer, and nobody approves what they own",
        "sam": "sam@acme.example triggered this run, and nobody approves what they triggered",
    }
    for name, why in refusals.items():
        done = person(world, name, "approve", seen["id"])
        assert (done.returncode, done.stderr.decode()) == (1, f"bastion: {why}\r\n")
    assert held.poll() is None
    assert person(world, "alex", "approve", seen["id"]).returncode == 0
    assert ends(held)[0] == 0
    late = person(world, "kim", "approve", seen["id"])
    assert late.stderr.decode() == f"bastion: {seen['id']} waits no more: approved by alex@acme.example\r\n"
    refused = [entry["detail"] for entry in entries(world, seen["id"]) if entry["kind"].endswith("refused")]
    assert [detail["reason"] for detail in refused][:2] == list(refusals.values())


def test_t36_two_persons_are_two_persons_and_what_nobody_decides_expires(world: World) -> None:
    held = bot(world, "web-1", "printf x")
    status, out, told = ends(held)
    assert (status, out) == (124, b"")
    assert "for 2 persons of dba to approve it" in told
    assert "expired: nobody has decided in time (session " in told


def test_t36_an_approval_for_the_session_is_for_this_very_statement(world: World, mark: Path) -> None:
    control = mark.with_name("mux")
    first = bot(world, "-M", "-S", str(control), "web-1", f"touch {mark}; cat", stdin=subprocess.PIPE)
    (seen,) = waiting(world)
    assert person(world, "alex", "approve", seen["id"], "--for-session").returncode == 0
    world.until(mark.exists)
    mark.unlink()
    again = bot(world, "-S", str(control), "web-1", f"touch {mark}; cat", stdin=subprocess.DEVNULL)
    assert ends(again) == (0, b"", "")
    assert mark.exists()
    other = bot(world, "-S", str(control), "web-1", f"touch {mark}.other")
    (more,) = waiting(world)
    assert person(world, "alex", "deny", more["id"], "--reason", "no").returncode == 0
    assert ends(other)[0] == 126
    assert first.stdin is not None
    assert ends(first)[0] == 0


def test_a_held_line_of_a_script_keeps_its_order_and_what_is_behind_it_waits(
    world: World, mark: Path
) -> None:
    held = bot(world, "web-1", "bash -s")
    assert held.stdin is not None
    assert held.stdout is not None
    held.stdin.write(b"echo before\n")
    held.stdin.flush()
    assert held.stdout.readline() == b"before\n"
    held.stdin.write(f"touch {mark}\necho behind\n".encode())
    held.stdin.close()
    held.stdin = None
    (seen,) = waiting(world)
    assert seen["statement"] == f"touch {mark}\n"
    assert seen["before"] == ["$ bash -s", "$ echo before", "| before"]
    assert not mark.exists()
    assert person(world, "alex", "approve", seen["id"]).returncode == 0
    status, out, _told = ends(held)
    assert (status, out, mark.exists()) == (0, b"behind\n", True)


def test_a_denied_line_of_a_script_ends_it(world: World, mark: Path) -> None:
    held = bot(world, "web-1", "bash -s")
    assert held.stdin is not None
    held.stdin.write(f"touch {mark}\necho behind\n".encode())
    held.stdin.flush()
    (seen,) = waiting(world)
    assert person(world, "alex", "deny", seen["id"], "--reason", "no").returncode == 0
    status, out, told = ends(held)
    assert (status, out, mark.exists()) == (126, b"", False)
    assert "denied by alex@acme.example: no" in told


def test_t37_a_bot_that_goes_away_withdraws_its_hold(world: World, mark: Path) -> None:
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    held.send_signal(signal.SIGINT)
    held.communicate(timeout=20)
    world.until(lambda: holds(world) == [])
    done = person(world, "alex", "approve", seen["id"])
    assert done.returncode == 1
    assert "withdrawn: the bot is gone" in done.stderr.decode()
    assert not mark.exists()


def test_t36_a_hold_waits_no_longer_than_what_is_left_of_its_session(world: World, mark: Path) -> None:
    config = world.stage.config.read_text()
    world.rewrite_config(lambda text: text.replace('session = "1h"', 'session = "1m"'))
    try:
        assert world.reload()["kind"] == "configuration.reloaded"
        held = bot(world, "web-1", f"touch {mark}")
        (seen,) = waiting(world)
        assert seen["rule"] == ["touch-is-four-eyes"], "which waits for five minutes"
        asked, expires = map(datetime.fromisoformat, (seen["asked_at"], seen["expires_at"]))
        assert timedelta(seconds=40) < expires - asked <= timedelta(seconds=60)
        assert person(world, "alex", "deny", seen["id"], "--reason", "no").returncode == 0
        ends(held)
    finally:
        world.stage.config.write_text(config)
        assert world.reload()["kind"] == "configuration.reloaded"


def test_t37_a_reload_that_denies_it_cancels_it_and_one_that_allows_it_releases_nothing(
    world: World, mark: Path
) -> None:
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    allowing = '[[rule]]\nid = "all"\nverdict = "allow"\nwhen = { groups = ["ci"] }\n'
    denying = f'{allowing}[[rule]]\nid = "no-touch"\nverdict = "deny"\nmatch = [{{ program = "touch" }}]\n'
    try:
        adopt(world, allowing)
        assert [hold["id"] for hold in holds(world)] == [seen["id"]]
        assert held.poll() is None
        adopt(world, denying)
        status, _out, told = ends(held)
        assert (status, mark.exists()) == (126, False)
        assert "cancelled: the policy has changed and denies it by no-touch" in told
        assert holds(world) == []
    finally:
        adopt(world, POLICY)


def test_a_held_line_at_a_guarded_prompt_waits_and_the_prompt_returns_if_it_is_denied(
    world: World, mark: Path
) -> None:
    held = bot(world, "-tt", "web-1")
    assert held.stdin is not None
    held.stdin.write(f"touch {mark}\r".encode())
    held.stdin.flush()
    (seen,) = waiting(world)
    assert seen["statement"] == f"touch {mark}\n"
    assert person(world, "alex", "deny", seen["id"], "--reason", "no").returncode == 0
    world.until(lambda: holds(world) == [])
    held.stdin.write(f"touch {mark}.two\r".encode())
    held.stdin.flush()
    (again,) = waiting(world)
    assert not mark.with_name("mark.two").exists()
    assert person(world, "alex", "approve", again["id"]).returncode == 0
    world.until(mark.with_name("mark.two").exists)
    held.stdin.write(f"touch {mark}.three\r".encode())
    held.stdin.flush()
    waiting(world)
    held.stdin.write(b"\x03")
    held.stdin.flush()
    world.until(lambda: holds(world) == [])
    held.stdin.write(b"\x04")
    held.stdin.flush()
    _status, out, told = ends(held)
    assert b"denied by alex@acme.example: no" in out
    assert b"withdrawn: the bot is gone" in out
    assert told.count("bastion: held H-") == 3
    assert not mark.exists()
    assert not mark.with_name("mark.three").exists()


def test_l10_approvers_are_shown_no_secret_and_the_target_gets_what_was_sent(
    world: World, tmp_path: Path
) -> None:
    since = Since(world)
    adopt(world, f'{POLICY}[[mask]]\nid = "no-secrets"\nkinds = ["secrets"]\n')
    try:
        held = bot(world, "-o", f"SetEnv=BASTION_REASON={SECRET}", "web-1", "bash -s")
        assert held.stdin is not None
        held.stdin.write(f"echo {SECRET}\ncd {tmp_path} && touch {SECRET}\n".encode())
        held.stdin.close()
        held.stdin = None
        (seen,) = waiting(world)
        assert seen["statement"] == f"cd {tmp_path} && touch [aws-access-key]\n"
        assert "runs touch [aws-access-key]" in seen["facts"]
        assert seen["held_for"] == ["touch [aws-access-key]"]
        assert seen["before"][:2] == ["$ bash -s", "$ echo [aws-access-key]"]
        assert SECRET not in str(seen)
        listed = person(world, "alex", "approvals").stdout.decode()
        assert SECRET not in listed
        assert "[aws-access-key] stand for what is not shown" in listed
        assert person(world, "alex", "approve", seen["id"]).returncode == 0
        assert ends(held)[0] == 0
        assert (tmp_path / SECRET).exists()
        assert SECRET.encode() not in b"".join(event.data for event in since.ended().events)
    finally:
        adopt(world, POLICY)


def test_t37_a_bastion_that_stops_cancels_what_waits_and_says_so(tmp_path: Path) -> None:
    with holding_world(tmp_path / "world") as world:
        held = bot(world, "web-1", f"touch {tmp_path}/mark")
        (seen,) = waiting(world)
        world.stage.stop_bastion()
        status, _out, told = ends(held)
        assert (status, (tmp_path / "mark").exists()) == (126, False)
        assert f"{seen['id']} cancelled: the bastion is shutting down" in told
        world.stage.start_bastion()
        assert holds(world) == []
        assert entries(world, seen["id"])[-1]["detail"]["state"] == "cancelled"
        assert world.bastion("verify", "--all").returncode == 0
