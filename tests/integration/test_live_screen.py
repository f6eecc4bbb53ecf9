"""People answer on a live screen, at a real terminal, over ssh -t and on the bastion's machine (T36, L9)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import World
from tests.integration.hold_world import bot, ends, entries, holding_world, holds, person, waiting
from tests.integration.live_screen import Looking, approvals


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with holding_world(tmp_path_factory.mktemp("screen")) as made:
        assert holds(made) == []
        assert holds(made, "kim") == holds(made, "dana") == []
        yield made


@pytest.fixture
def mark(world: World, tmp_path: Path) -> Iterator[Path]:
    """A file that is there if a held statement has run; what a failed test leaves waiting is no other's."""
    yield tmp_path / "mark"
    for left in holds(world, "kim"):
        person(world, "kim", "deny", left["id"], "--reason", "over")


def test_a_held_statement_is_approved_on_a_live_screen(world: World, mark: Path) -> None:
    with approvals(world, "alex") as screen:
        screen.sees("nothing waits for an approval", "alex@acme.example", "q  leave")
        held = bot(world, "-o", "SetEnv=BASTION_REASON=hotfix-4211", "web-1", "bash -s")
        assert held.stdin is not None
        assert held.stdout is not None
        held.stdin.write(b"echo before\n")
        held.stdin.flush()
        assert held.stdout.readline() == b"before\n"
        held.stdin.write(f"touch {mark}; echo done\n".encode())
        held.stdin.close()
        held.stdin = None
        seen = screen.sees(
            "1 waits for an approval",
            f"held for   touch {mark}"[:60],
            "what       | touch ",
            f"where      {world.login}@web-1, session ",
            "who        orders-deployer, owned by dana@acme.example",
            "run_url https://github.com/acme/orders/actions/runs/8412",
            "actor sam",
            "rule       touch-is-four-eyes: somebody looks first",
            "bot says   hotfix-4211",
            "you        may approve and deny",
            "before     $ bash -s",
            "| before",
        )
        name = next(word for word in seen.split() if word.startswith("H-"))
        assert screen.grid.bells == 1
        assert not mark.exists()
        screen.type("a")
        screen.sees(f"approve once {name}", "Enter gives this answer, Esc does not")
        screen.type("looked at it\r")
        screen.sees(f"{name} approved by alex@acme.example: looked at it")
        assert (*ends(held)[:2], mark.exists()) == (0, b"done\n", True)
        screen.type("q")
        assert screen.status() == 0
    looked = [entry["detail"] for entry in world.audit() if entry["kind"] == "hold.looked"]
    on_screen = [one for one in looked if one["command"] == "approvals, on a live screen"]
    assert [one.get("hold") for one in on_screen] == [None, name], (
        "L9: who opened it, and what they looked at"
    )


def test_the_other_keys_deny_and_approve_for_the_session_at_any_size(world: World, mark: Path) -> None:
    control = mark.with_name("mux")
    first = bot(world, "-M", "-S", str(control), "web-1", f"touch {mark}; cat", stdin=subprocess.PIPE)
    with approvals(world, "kim", rows=40, cols=120) as screen:
        screen.sees("may approve and deny", "s  for session", f"touch {mark}")
        screen.type("d")
        screen.sees(" deny H-")
        screen.type("\r")
        screen.sees("say why: the bot is told")
        screen.type("\x1b")
        screen.sees("not answered")
        screen.resize(12, 40)
        screen.sees("▼ ", "rows below")
        screen.resize(24, 80)
        screen.sees("may approve and deny")
        screen.type("s")
        screen.sees("approve until its session ends H-")
        screen.type("\r")
        world.until(mark.exists)
        mark.unlink()
        again = bot(world, "-S", str(control), "web-1", f"touch {mark}; cat", stdin=subprocess.DEVNULL)
        assert ends(again) == (0, b"", "")
        other = bot(world, "-S", str(control), "web-1", f"touch {mark}.other")
        (more,) = waiting(world)
        screen.sees(f"  {more['id']} ", "approved by kim@acme.example for the rest of the session")
        screen.type("j")
        screen.sees("may approve and deny", f"▸ {more['id']} ")
        screen.type("d")
        screen.sees(" deny H-")
        screen.type("not on a Friday\r")
        assert "denied by kim@acme.example: not on a Friday" in ends(other)[2]
        screen.type("\x03")
        assert screen.status() == 0
    assert ends(first)[0] == 0


def test_t36_who_is_slower_is_told_and_their_answer_has_no_effect(world: World, mark: Path) -> None:
    with approvals(world, "kim") as slow, approvals(world, "alex") as fast:
        for screen in (slow, fast):
            screen.sees("nothing waits for an approval")
        held = bot(world, "web-1", f"touch {mark}")
        for screen in (slow, fast):
            screen.sees("may approve and deny")
        slow.type("d")
        slow.sees(" deny H-")
        slow.type("wait")
        fast.type("a")
        fast.sees("approve once H-")
        fast.type("\r")
        assert ends(held)[0] == 0
        slow.sees("approved by alex@acme.example: your answer was not given", never=(" deny H-",))
        slow.type("a")
        slow.sees("waits no more: approved by alex@acme.example")
        slow.type("q")
        assert slow.status() == 0


def test_t36_of_two_answers_in_one_moment_one_wins_and_the_other_screen_says_so(
    world: World, mark: Path
) -> None:
    with approvals(world, "kim") as kim, approvals(world, "alex") as alex:
        held = bot(world, "web-1", f"touch {mark}")
        for screen, key in ((kim, "d"), (alex, "a")):
            screen.sees("may approve and deny")
            screen.type(key)
            screen.sees("Enter gives this answer")
            screen.type("mine")
            screen.sees(": mine")
        kim.type("\r")
        alex.type("\r")
        shown = kim.sees("▸ H-")
        name = shown[shown.index("▸ ") + 2 :].split()[0]
        world.until(lambda: entries(world, name)[-1]["kind"] != "hold.answered")
        status, _out, told = ends(held)
        winner = "alex" if status == 0 else "kim"
        assert mark.exists() == (winner == "alex")
        assert f"by {winner}@acme.example" in str(entries(world, name)[-1]) or "refused" in str(
            entries(world, name)
        )
        for screen in (kim, alex):
            screen.sees(f"by {winner}@acme.example: mine")
        assert told.startswith(f"bastion: held {name} by ")


def test_t36_who_may_not_approve_is_told_before_they_try(world: World, mark: Path) -> None:
    held = bot(world, "web-1", f"touch {mark}")
    with approvals(world, "dana") as screen:
        screen.sees(
            "cannot approve: dana@acme.example owns orders-deployer, and", "nobody approves what they own"
        )
        screen.type("a")
        screen.sees("you cannot approve H-")
        screen.type("d")
        screen.sees(" deny H-")
        screen.type("mine, and no\r")
        assert ends(held)[0] == 126
    assert not mark.exists()


def test_t36_nothing_of_a_statement_acts_on_the_terminal_and_nothing_of_a_long_one_is_passed_over(
    world: World, mark: Path
) -> None:
    evil = "touch '/nowhere/\x1b]0;title\x07\u202e\u200b'"
    statement = f"{evil}; echo {'x' * 3000}; touch {mark}"
    held = bot(world, "-o", "SetEnv=BASTION_REASON=\x1b[2Jplease", "web-1", statement)
    with approvals(world, "alex") as screen:
        seen = screen.sees(
            "rows below (PgDn)", "of the statement", "what       | touch '/nowhere/\\x1b]0;title\\x07"
        )
        assert "\\u202e\\u200b" in seen
        screen.type("a")
        screen.sees("rows of the statement were not on the screen yet", "▲ ", "rows above (PgUp)")
        while "bot says   \\x1b[2Jplease" not in "\n".join(screen.look()):
            screen.type("\x1b[6~")
        screen.type("a")
        screen.sees("approve once H-")
        screen.type("\x1b")
        screen.sees("not answered")
        screen.type("d")
        screen.sees(" deny H-")
        screen.type("no\r")
        assert ends(held)[0] == 126
    assert not mark.exists()


def test_t36_a_terminal_that_dies_mid_answer_has_no_effect_and_is_on_record(world: World, mark: Path) -> None:
    held = bot(world, "web-1", f"touch {mark}")
    with approvals(world, "alex") as screen:
        screen.sees("may approve and deny")
        screen.type("a")
        screen.sees("approve once H-")
        screen.type("looked at")
        screen.process.send_signal(signal.SIGKILL)
    (seen,) = waiting(world)
    refused = world.until(
        lambda: [entry for entry in entries(world, seen["id"]) if entry["kind"] == "hold.answer-refused"]
    )
    assert refused[0]["detail"]["reason"] == "the terminal went away before the answer was given"
    assert refused[0]["detail"]["answer"] == "approve"
    assert held.poll() is None
    assert not mark.exists()
    assert person(world, "kim", "deny", seen["id"], "--reason", "no").returncode == 0
    ends(held)


def test_a_bot_gets_no_screen_and_a_person_a_bounded_number(world: World) -> None:
    with Looking(world, "ssh", "-F", "ssh_config", "-t", "bastion", "approvals") as screen:
        screen.sees("is no declared person's own")
        assert screen.status() == 126
    opened = [approvals(world, "alex") for _ in range(3)]
    for screen in opened:
        screen.sees("waits for an approval")
    with approvals(world, "alex") as more:
        more.sees("too many live screens are open")
        assert more.status() == 126
    for screen in opened:
        screen.type("q")
        assert screen.status() == 0
        screen.close()
    with approvals(world, "alex") as again:
        again.sees("waits for an approval")


def test_the_same_screen_is_on_the_machine_and_with_workers(tmp_path: Path) -> None:
    with holding_world(tmp_path / "world", workers=2) as world:
        world.stage.stop_bastion()
        world.rewrite_config(lambda text: text.replace("[bastion]\n", '[bastion]\nsocket = "./run/desk"\n'))
        world.stage.start_bastion()
        assert holds(world) == []
        mark = tmp_path / "mark"
        config = str(world.stage.config)
        local = Looking(world, sys.executable, "-P", "-m", "bastion", "approvals", "--config", config)
        with local, approvals(world, "alex") as far:
            local.sees("nothing waits for an approval", "alex@acme.example")
            far.sees("nothing waits for an approval")
            held = bot(world, "web-1", f"touch {mark}")
            far.sees("may approve and deny")
            local.sees("may approve and deny")
            local.type("a")
            local.sees("approve once H-")
            local.type("\r")
            assert ends(held)[0] == 0
            far.sees("approved by alex@acme.example")
            local.type("q")
            assert local.status() == 0
            steps = [
                entry["detail"].get("by", "") for entry in world.audit() if entry["kind"] == "hold.answered"
            ]
            assert steps[-1].endswith(f"(uid {os.getuid()}) on the bastion itself")
            world.stage.stop_bastion()
            assert far.status() == 255
