"""People see what waits and answer it at every door, and nobody else does (T36, T44)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import World
from tests.integration.hold_world import bot, ends, entries, holding_world, holds, person, waiting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with holding_world(tmp_path_factory.mktemp("approvals")) as made:
        yield made


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that is there if a held statement has run."""
    return tmp_path / "mark"


def test_t44_a_bot_sees_and_answers_nothing(world: World, mark: Path) -> None:
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    for words in (("approvals",), ("approvals", "--follow"), ("approve", seen["id"]), ("deny", seen["id"])):
        done = world.ssh("bastion", *words)
        assert (done.returncode, done.stdout) == (126, b"")
        assert b"identity orders-deployer is no declared person's own" in done.stderr
    reader = world.responder("approvals", "--json")
    assert seen["id"].encode() in reader.stdout, "who may read all evidence may read this"
    assert world.responder("approve", seen["id"]).returncode == 1
    assert held.poll() is None
    assert person(world, "alex", "deny", seen["id"], "--reason", "no").returncode == 0
    ends(held)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("approve",), 2, "which one? `approvals` lists those that wait"),
        (("approve", "H-ZZZZ"), 1, "there is no hold H-ZZZZ that alex@acme.example may see"),
        (("approve", "H-ZZZZ", "--for-ever"), 2, "unrecognized arguments: --for-ever"),
        (("deny", "H-ZZZZ"), 2, "--reason says why, and the bot is told"),
        (("approvals", "--jsn"), 2, "unrecognized arguments: --jsn"),
    ],
)
def test_what_is_typed_wrong_is_a_line_and_no_effect(
    world: World, words: tuple[str, ...], status: int, said: str
) -> None:
    done = person(world, "alex", *words)
    assert (done.returncode, done.stdout) == (status, b"")
    assert said in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_following_tells_each_step_as_it_comes(world: World, mark: Path) -> None:
    config = world.job / "ssh_config.alex"
    assert holds(world) == []
    follower = world.start("ssh", "-F", config.name, "bastion", "approvals", "--follow")
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    assert follower.stdout is not None
    asked = follower.stdout.readline().decode()
    assert asked == f"{seen['id']}  asked by orders-deployer for {world.login}@web-1: touch {mark}\n"
    assert person(world, "kim", "approve", seen["id"]).returncode == 0
    ends(held)
    assert [follower.stdout.readline().decode() for _ in range(2)] == [
        f"{seen['id']}  approved by kim@acme.example\n",
        f"{seen['id']}  ended: approved by kim@acme.example\n",
    ]
    follower.kill()
    follower.communicate(timeout=20)


def test_t36_what_is_shown_acts_on_no_terminal(world: World) -> None:
    statement = "touch '/nowhere/\x1b]0;title\x07\u202e\u200b\u2028'"
    held = bot(world, "web-1", statement)
    waiting(world)
    shown = person(world, "alex", "approvals").stdout.decode()
    assert "touch '/nowhere/\\x1b]0;title\\x07\\u202e\\u200b\\u2028'" in shown.replace("\\a", "\\x07")
    assert shown.replace("\n", "").isprintable()
    as_json = person(world, "alex", "approvals", "--json").stdout.decode()
    assert as_json.replace("\n", "").isprintable()
    assert as_json.isascii()
    held.kill()
    ends(held)
    world.until(lambda: holds(world) == [])


def test_l9_the_history_says_what_became_of_each_and_that_it_was_read(world: World, mark: Path) -> None:
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    assert person(world, "sam", "approve", seen["id"]).returncode == 1
    assert person(world, "kim", "deny", seen["id"], "--reason", "no").returncode == 0
    ends(held)
    words = ("approvals", "--history", "--json", "--person", "kim@acme.example", "--since", "1h")
    done = world.responder(*words)
    assert (done.returncode, done.stderr) == (0, b"")
    (newest, *_others) = json.loads(done.stdout)
    assert (newest["id"], newest["session"], newest["state"]) == (seen["id"], seen["session"], "denied")
    assert newest["reason"] == "by kim@acme.example: no"
    assert [(one["person"], one["answer"], one["counted"]) for one in newest["answers"]] == [
        (None, "approve", False),
        ("kim@acme.example", "deny", True),
    ]
    read = world.audit()[-1]
    assert (read["kind"], read["detail"]["command"]) == ("evidence.read", "approvals --history")
    assert json.loads(world.responder(*words, "--identity", "nobody").stdout) == []
    table = world.bastion("approvals", "--history").stdout.decode()
    assert f"{seen['id']}  " in table
    assert "denied by kim@acme.example: no" in table
    for name in ("alex", "key"):
        refused = world.ssh_as(name, "bastion", *words)
        assert (refused.returncode, refused.stdout) == (126, b""), "this is for who may read evidence"
    sly = world.responder("approvals", "--identity", "--history", "--socket", "/tmp/x")
    assert (sly.returncode, sly.stdout) == (2, b"")


def test_t36_the_socket_of_the_machine_takes_its_users_for_the_persons_they_are(tmp_path: Path) -> None:
    with holding_world(tmp_path / "world") as world:
        world.stage.stop_bastion()
        world.rewrite_config(lambda text: text.replace("[bastion]\n", '[bastion]\nsocket = "./run/desk"\n'))
        world.stage.start_bastion()
        held = bot(world, "web-1", f"touch {tmp_path}/mark")
        (seen,) = waiting(world)
        listed = world.bastion("approvals", "--json")
        assert seen["id"].encode() in listed.stdout
        done = world.bastion("approve", seen["id"].lower(), "--reason", "at the console")
        assert (done.returncode, done.stderr) == (0, b""), "this user is alex"
        assert ends(held)[0] == 0
        by = entries(world, seen["id"])[1]["detail"]["by"]
        assert by.endswith(f"(uid {os.getuid()}) on the bastion itself")
        world.rewrite_config(lambda text: text.replace(f"uid = {os.getuid()}\n", "uid = 4242\n"))
        world.reload()
        done = world.bastion("approvals")
        assert (done.returncode, done.stdout) == (126, b"")
        assert f"uid {os.getuid()} is no declared person's own" in done.stderr.decode()
        world.stage.stop_bastion()
        assert not (world.folder / "run" / "desk").exists()
        gone = world.bastion("approvals")
        assert gone.returncode == 2
        assert "the bastion does not answer" in gone.stderr.decode()


def test_holds_are_seen_and_answered_through_any_worker(tmp_path: Path) -> None:
    with holding_world(tmp_path / "world", workers=2) as world:
        files = [tmp_path / f"mark{number}" for number in range(6)]
        bots = [bot(world, "web-1", f"touch {file}") for file in files]
        seen = waiting(world, len(bots))
        follower = world.start("ssh", "-F", "ssh_config.alex", "bastion", "approvals", "--follow")
        assert follower.stdout is not None
        assert {follower.stdout.readline().split()[0].decode() for _ in seen} == {hold["id"] for hold in seen}
        for hold in seen:
            done = person(world, "kim", "approve", hold["id"])
            assert done.returncode == 0, done.stderr
        assert [ends(one)[0] for one in bots] == [0] * len(bots)
        assert all(file.exists() for file in files)
        told = [follower.stdout.readline() for _ in range(2 * len(seen))]
        assert all(b"approved by kim@acme.example" in line for line in told)
        follower.kill()
        follower.communicate(timeout=20)
        held = bot(world, "web-1", f"touch {tmp_path}/more")
        waiting(world)
        held.kill()
        held.communicate(timeout=20)
        world.until(lambda: holds(world) == [])
        assert world.bastion("verify", "--all").returncode == 0
