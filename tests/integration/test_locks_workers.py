"""A lock is in force in every worker, whichever was told of it (T37, T48, L6)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.integration.hold_world import bot, ends, holds, person, waiting
from tests.integration.lock_world import KIM, live, lock, locking_world, standing, unlock
from tests.integration.test_evidence_service import closed, ended_within_a_second, said
from tests.integration.test_workers import active, served_by, workers


def test_t48_t37_l6_a_lock_ends_sessions_and_holds_in_every_worker_within_a_second(tmp_path: Path) -> None:
    with locking_world(tmp_path / "world", workers=2) as world:
        programs = [live(world) for _ in range(4)]
        sessions = active(world)
        assert len({served_by(world)[session] for session in sessions}) == 2
        bots = [bot(world, "web-1", f"touch {tmp_path}/mark{number}") for number in range(2)]
        seen = waiting(world, len(bots))
        name = lock(world, "identity", "orders-deployer")
        told = f"identity orders-deployer is locked by {KIM} ({name})"
        for program in programs:
            assert f"session ended: {told}" in said(program)
        for one in bots:
            assert ends(one)[0] in (126, 255)
        (entry,) = [entry for entry in world.audit() if entry["kind"] == "lock.set"]
        for session in sessions:
            world.until(lambda session=session: closed(world, session))
            assert ended_within_a_second(world, session, entry)
        for hold in seen:
            late = person(world, "alex", "approve", hold["id"])
            assert f"waits no more: cancelled: {told}" in late.stderr.decode()
        assert holds(world) == []
        assert not list(tmp_path.glob("mark*"))
        for _ in range(2):  # through either worker
            assert told in world.ssh("web-1", "true").stderr.decode()
            assert told in world.certify("key", "deploy").stderr.decode()
            assert standing(world) == [name]
        victim = workers(world.stage.process)[0]
        os.kill(victim, signal.SIGKILL)
        world.until(lambda: len(set(workers(world.stage.process)) - {victim}) == 2)
        for _ in range(4):  # also through the one that has begun since
            assert told in world.ssh("web-1", "true").stderr.decode()
        unlock(world, name)
        assert [world.ssh("web-1", "echo", "on").stdout for _ in range(4)] == [b"on\n"] * 4
        assert world.bastion("verify", "--all").returncode == 0


def test_l6_a_worker_that_hangs_cannot_keep_what_was_locked(tmp_path: Path) -> None:
    with locking_world(tmp_path / "world", workers=2) as world:
        programs = [live(world) for _ in range(2)]
        hung = workers(world.stage.process)[0]
        os.kill(hung, signal.SIGSTOP)
        done = world.bastion("lock", "target", "web-1", "--reason", "now")
        assert done.returncode == 0, done.stderr
        assert b"1 live session ended" in done.stdout
        lost = world.until(lambda: next((e for e in world.audit() if e["kind"] == "worker.lost"), None))
        assert (lost["detail"]["process"], lost["detail"]["reason"]) == (
            hung,
            "it did not enforce a lock within 1 s",
        )
        for program in programs:
            said(program)
        assert {program.returncode for program in programs} == {255}
        world.until(lambda: not active(world))
