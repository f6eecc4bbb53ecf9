"""A responder locks, and what is locked ends within a second and starts no more (T37, T48, L6, L7)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.hold_world import bot, ends, entries, holds, person, waiting
from tests.integration.jump_evidence import Since
from tests.integration.lock_world import KIM, live, lock, locking_world, standing, unlock
from tests.integration.test_evidence_service import closed, ended_within_a_second, said

DEPLOYER = "identity orders-deployer"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with locking_world(tmp_path_factory.mktemp("locks")) as made:
        yield made


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """A world where nothing is locked afterwards."""
    yield shared
    for one in json.loads(shared.bastion("locks", "--json").stdout):
        assert shared.bastion("unlock", one["id"]).returncode == 0


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that is there if a held statement has run."""
    return tmp_path / "mark"


def set_entry(world: World, name: str) -> dict[str, object]:
    """Return the entry of the audit chain by which a lock was set."""
    (entry,) = [e for e in world.audit() if e["kind"] == "lock.set" and e["detail"]["lock"] == name]
    return entry


def test_t48_t8_l6_a_locked_identity_ends_within_a_second_and_starts_nothing(world: World) -> None:
    programs = [live(world) for _ in range(2)]
    sessions = [row["id"] for row in world.sessions("--state", "active")]
    name = lock(world, "identity", "orders-deployer", "--for", "2h")
    told = f"{DEPLOYER} is locked by {KIM} ({name})"
    for program in programs:
        assert f"bastion: session ended: {told}\r\n" in said(program)
        assert program.returncode == 255
    entry = set_entry(world, name)
    for session in sessions:
        world.until(lambda session=session: closed(world, session))
        assert ended_within_a_second(world, session, entry)
        shown = closed(world, session)
        assert shown is not None
        assert shown["end_reason"] == f"session ended: {told}"
    detail = entry["detail"]
    assert isinstance(detail, dict)
    assert (detail["person"], detail["by"], detail["reason"]) == (
        KIM,
        "kim over SSH from 127.0.0.1",
        "token in a log",
    )
    assert detail["until"] == pytest.approx(detail["at"] + 7200)
    for words in (("web-1", "true"), ("-s", "bastion", "sftp:web-1"), ("bastion", "approvals")):
        done = world.ssh(*words)
        assert (done.returncode, done.stdout) == (255, b"")
        assert told in done.stderr.decode()
        assert "token in a log" not in done.stderr.decode(), "why is for responders"
    refused = world.certify("key", "deploy")
    assert refused.returncode == 1
    assert refused.stderr.decode() == f"bastion: no certificate: {told}\n"
    assert world.audit()[-1]["detail"]["code"] == "locked"
    assert standing(world) == [name]
    unlock(world, name.lower())
    assert standing(world) == []
    assert world.ssh("web-1", "echo", "again").stdout == b"again\n"
    again = person(world, "kim", "unlock", name)
    assert again.stderr.decode() == (
        f"bastion: {name} is over: lifted by {KIM}; `locks` lists those in force\r\n"
    )
    assert again.returncode == 1


def test_t37_a_lock_that_lands_cancels_what_waits_for_everybody(world: World, mark: Path) -> None:
    since = Since(world)
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    name = lock(world, "target", "WEB-1")
    why = f"cancelled: target web-1 is locked by {KIM} ({name})"
    status, out, told = ends(held)
    assert (out, mark.exists()) == (b"", False)
    assert status in (126, 255)
    assert f"session ended: target web-1 is locked by {KIM} ({name})" in told
    late = person(world, "alex", "approve", seen["id"])
    assert late.stderr.decode() == f"bastion: {seen['id']} waits no more: {why}\r\n"
    assert holds(world) == []
    recorded = since.ended()
    assert [detail["state"] for detail in recorded.details(Kind.HOLD)] == ["waiting", "cancelled"]
    assert recorded.details(Kind.HOLD)[-1]["reason"] == why
    (ended,) = [e["detail"] for e in entries(world, seen["id"]) if e["kind"] == "hold.ended"]
    assert ended["state"] == "cancelled"
    refused = world.ssh("web-1", "true")
    assert f"target web-1 is locked by {KIM}" in refused.stderr.decode()
    unlock(world, name)


def test_l7_when_the_owner_is_locked_so_is_all_that_they_own(world: World, mark: Path) -> None:
    assert world.responder("locks").stdout == b"nothing is locked\n"
    program, held = live(world), bot(world, "web-1", f"touch {mark}")
    waiting(world)
    name = lock(world, "person", "dana@acme.example")
    told = f"person dana@acme.example is locked by {KIM} ({name})"
    assert f"session ended: {told}" in said(program)
    assert ends(held)[0] in (126, 255)
    assert holds(world) == []
    assert told in world.certify("key", "deploy").stderr.decode()
    for words in (("sessions",), ("locks",)):  # on-call is dana's as well
        assert told in world.responder(*words).stderr.decode()
    unlock(world, name)
    assert world.responder("locks").stdout == b"nothing is locked\n"


def test_l7_the_answers_of_a_locked_person_have_no_effect(world: World, mark: Path) -> None:
    held = bot(world, "web-1", f"touch {mark}")
    (seen,) = waiting(world)
    follower = world.start("ssh", "-F", "ssh_config.alex", "bastion", "approvals", "--follow")
    assert follower.stdout is not None
    assert follower.stdout.readline().startswith(seen["id"].encode())
    name = lock(world, "person", "alex@acme.example")
    told = f"person alex@acme.example is locked by {KIM} ({name})"
    assert f"bastion: ended: {told}" in said(follower)
    assert follower.returncode == 126
    over_ssh = person(world, "alex", "approve", seen["id"])
    local = world.bastion("approve", seen["id"])
    for done in (over_ssh, local):
        assert told in done.stderr.decode()
        assert done.returncode != 0
    assert (held.poll(), mark.exists()) == (None, False)
    unlock(world, name)
    assert person(world, "alex", "approve", seen["id"]).returncode == 0
    assert ends(held)[0] == 0


def test_t48_a_locked_run_leaves_the_other_runs_of_its_identity_alone(world: World) -> None:
    assert world.certify("other", "deploy", run_id="9999").returncode == 0
    mine, other = live(world), world.start("ssh", "-F", "ssh_config", "-i", "other", "web-1", "true")
    other.communicate(timeout=20)
    name = lock(world, "run", "orders-deployer/8412")
    assert f"session ended: run orders-deployer/8412 is locked by {KIM} ({name})" in said(mine)
    assert world.ssh("web-1", "true").returncode == 255
    assert world.certify("key", "deploy").returncode == 1
    assert world.ssh_as("other", "web-1", "echo", "on").stdout == b"on\n"
    unlock(world, name)


def test_t48_a_locked_session_is_that_one_alone(world: World) -> None:
    since = Since(world)
    first = live(world)
    session = since.live().row.id
    second = live(world)
    name = lock(world, "session", session)
    assert f"session ended: session {session} is locked by {KIM} ({name})" in said(first)
    out, _err = second.communicate(b"on\n", timeout=20)
    assert (second.returncode, out) == (0, b"on\n")
    gone = person(world, "kim", "lock", "session", session, "--reason", "x")
    assert gone.returncode == 1
    assert "there is no live session" in gone.stderr.decode()
    unlock(world, name)


def test_t48_a_connection_that_stands_opens_nothing_once_it_is_locked(world: World, tmp_path: Path) -> None:
    control = tmp_path / "mux"
    master = bot(world, "-M", "-S", str(control), "bastion", "approvals", stdin=subprocess.DEVNULL)
    master.communicate(timeout=20)
    program = world.start("ssh", "-F", "ssh_config", "-M", "-S", str(control), "-N", "bastion")
    world.until(control.exists)
    name = lock(world, "identity", "orders-deployer")
    done = world.ssh("-S", str(control), "bastion", "approvals")
    assert done.returncode == 126
    assert f"{DEPLOYER} is locked by {KIM} ({name})" in done.stderr.decode()
    program.kill()
    program.communicate(timeout=20)
    unlock(world, name)


def test_t44_a_bot_locks_nothing_and_who_reads_evidence_may_read_the_locks(world: World) -> None:
    for words in (("lock", "target", "web-1", "--reason", "x"), ("unlock", "L-AAAA"), ("locks",)):
        done = world.ssh("bastion", *words)
        assert (done.returncode, done.stdout) == (126, b"")
        assert "may not lock or unlock: that takes a group among dba" in done.stderr.decode()
    assert world.responder("locks").stdout == b"nothing is locked\n"
    assert world.responder("lock", "target", "web-1", "--reason", "x").returncode == 126
    own = person(world, "kim", "lock", "identity", "kim", "--reason", "x")
    assert own.returncode == 1
    assert "identity kim is you" in own.stderr.decode()


def test_t48_l2_locks_are_there_again_after_a_restart_also_those_set_while_nothing_ran(
    tmp_path: Path,
) -> None:
    with locking_world(tmp_path / "world") as world:
        name = lock(world, "identity", "orders-deployer")
        world.stage.stop_bastion()
        done = world.bastion("lock", "target", "web-1", "--reason", "before it starts again")
        assert done.returncode == 0
        assert "the locks are read and written without it" in done.stderr.decode()
        world.stage.start_bastion()
        assert f"{DEPLOYER} is locked by {KIM} ({name})" in world.ssh("web-1", "true").stderr.decode()
        unlock(world, name)
        assert "target web-1 is locked by alex@acme.example" in world.ssh("web-1", "true").stderr.decode()
        (left,) = standing(world)
        assert world.bastion("unlock", left).returncode == 0
        assert world.bastion("locks").stdout == b"nothing is locked\n"
        assert world.ssh("web-1", "echo", "again").stdout == b"again\n"
        assert world.bastion("verify", "--all").returncode == 0
        world.stage.stop_bastion()
        world.rewrite_config(lambda text: text.replace('socket = "./run/desk"\n', ""))
        world.stage.start_bastion()
        silent = world.bastion("locks")
        assert silent.returncode == 2
        assert "it has no socket: set bastion.socket, or use ssh BASTION locks" in silent.stderr.decode()
