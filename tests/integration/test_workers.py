"""Several processes serve one store: connections are shared out, and what holds for one process holds for all."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import World
from tests.integration.test_evidence_service import (
    DENY,
    break_key,
    closed,
    ended_within_a_second,
    live,
    said,
    without,
)

QUICK = 24
BULK_BYTES = 2 << 20
BULK = f"head -c {BULK_BYTES} /dev/urandom | base64 -w 0"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with two workers, of which none is harmed."""
    world = World(tmp_path_factory.mktemp("workers"), workers=2)
    world.ready()
    yield world
    world.strike()


@pytest.fixture
def two(shared: World) -> Iterator[World]:
    """That world, its configuration put back afterwards."""
    config, policy = shared.stage.config.read_text(), (shared.folder / "policy.toml").read_text()
    yield shared
    if (shared.stage.config.read_text(), (shared.folder / "policy.toml").read_text()) != (config, policy):
        shared.stage.config.write_text(config)
        shared.rewrite_policy(policy)
        assert shared.reload()["kind"] == "configuration.reloaded"


@pytest.fixture
def own_two(tmp_path: Path) -> Iterator[World]:
    """A world with two workers for one story, to kill or stop."""
    world = World(tmp_path / "world", workers=2)
    world.folder.mkdir()
    world.ready()
    yield world
    world.strike()


def workers(supervisor: int) -> list[int]:
    """Return the processes of the workers."""
    return [int(pid) for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()]


def lives(pid: int) -> bool:
    """Say whether a process still runs (one that nobody has waited for yet has no command line)."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def served_by(world: World) -> dict[str, int]:
    """Return which worker opened each session, by the journal."""
    found = re.findall(r"bastion\.house\[(\d+)\]: session=(\w+) .* opened", world.stage.journal.read_text())
    return {session: int(worker) for worker, session in found}


def active(world: World) -> list[str]:
    return sorted(row["id"] for row in world.sessions("--state", "active"))


def shared_out(world: World) -> Counter[int]:
    """Return how many live sessions each worker has."""
    by = served_by(world)
    return Counter(by[session] for session in active(world))


def verified(world: World) -> None:
    done = world.bastion("verify", "--all")
    assert (done.returncode, b"everything holds" in done.stdout) == (0, True), done.stdout


def end(programs: list[subprocess.Popen[bytes]]) -> list[int]:
    """Let sessions of `cat` end; return how they did."""
    for program in programs:
        program.communicate(timeout=20)
    return [program.returncode for program in programs]


def heads(world: World, kind: str) -> list[str]:
    """Return which process put entries of one kind on the chain, by the journal."""
    return re.findall(rf"bastion\.audit(\S*): audit head=\S+ kind={kind}\b", world.stage.journal.read_text())


# Sharing out.


def test_l8_connections_are_shared_evenly_and_all_their_sessions_are_on_one_chain(two: World) -> None:
    programs = [live(two) for _ in range(4)]
    assert shared_out(two) == {1: 2, 2: 2}
    assert end(programs) == [0] * 4
    assert two.responder("sessions").stdout.count(b"web-1") >= 4
    two.until(lambda: not active(two))
    verified(two)
    seqs = [int(seq) for seq in re.findall(r"audit head=(\d+):", two.stage.journal.read_text())]
    assert seqs == sorted(seqs)
    assert heads(two, "service.started") == [""]


def test_t16_one_token_serves_one_key_whichever_worker_is_asked(two: World) -> None:
    before = len(two.audit())
    for number in range(4):
        token = two.stage.issuer.issuer.token("deploy", jti=f"parallel-{number}").encode()
        for key in ("one", "two"):
            if not (two.job / key).exists():
                two.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, check=True)
        asking = [
            two.start("ssh", "-F", "ssh_config", "-i", key, "login@bastion", "certificate")
            for key in ("one", "two")
        ]
        with ThreadPoolExecutor() as pool:
            answers = [pool.submit(program.communicate, token, timeout=20) for program in asking]
            said = [answer.result() for answer in answers]
        assert sorted(program.returncode for program in asking) == [0, 1]
        assert any(b"already used with another key" in error for _out, error in said)
    entries = [entry for entry in two.audit()[before:] if entry["kind"].startswith("certificate.")]
    kinds = Counter((entry["kind"], entry["detail"].get("code")) for entry in entries)
    assert kinds == {("certificate.issued", None): 4, ("certificate.refused", "token-reused"): 4}
    assert {*heads(two, "certificate.issued"), *heads(two, "certificate.refused")} == {"[1]", "[2]"}


def test_t19_the_bound_of_a_source_counts_the_connections_of_all_workers(two: World) -> None:
    two.rewrite_config(lambda text: f"{text}\n[limits]\nconnections_per_source = 4\n")
    assert two.reload()["kind"] == "configuration.reloaded"
    programs = [live(two) for _ in range(4)]
    late = two.ssh("web-1", "true")
    assert (late.returncode, b"127.0.0.1 has 4 connections open already" in late.stderr) == (255, True), (
        late.stderr
    )
    assert end(programs) == [0] * 4
    two.until(lambda: two.ssh("web-1", "true").returncode == 0)


def test_l1_l2_many_writers_at_once_do_not_fail(two: World) -> None:
    bulk = [two.start("ssh", "-F", "ssh_config", "web-1", BULK, stdin=subprocess.DEVNULL) for _ in range(4)]
    with ThreadPoolExecutor(10) as pool:
        copies = [pool.submit(program.communicate, timeout=60) for program in bulk]
        quick = list(pool.map(lambda number: two.ssh("web-1", f"echo {number}"), range(QUICK)))
        sizes = {len(copy.result()[0]) for copy in copies}
    assert sizes == {(BULK_BYTES + 2) // 3 * 4}
    assert [done.stdout for done in quick] == [b"%d\n" % number for number in range(QUICK)]
    two.until(lambda: not active(two))
    verified(two)
    assert "failed" not in two.stage.journal.read_text()


# Changing.


def test_t48_l6_what_is_removed_ends_in_every_worker_within_a_second(two: World) -> None:
    programs = [live(two) for _ in range(4)]
    sessions = active(two)
    two.rewrite_config(without("identity", "orders-deployer"))
    entry = two.reload()
    assert (entry["kind"], entry["detail"]["sessions_ended"]) == ("configuration.reloaded", sessions)
    for program in programs:
        assert "bastion: session ended: identity orders-deployer was removed" in said(program)
    for session in sessions:
        two.until(lambda session=session: closed(two, session))
        assert ended_within_a_second(two, session, entry)
    assert {two.ssh("web-1", "true").returncode for _ in range(2)} == {255}


def test_a_faulty_configuration_changes_nothing_in_any_worker(two: World) -> None:
    programs = [live(two) for _ in range(2)]
    before = len(two.audit())
    two.rewrite_config(break_key)
    assert two.reload()["kind"] == "configuration.rejected"
    assert end(programs) == [0, 0]
    assert [two.ssh("web-1", "echo", "as before").stdout for _ in range(2)] == [b"as before\n"] * 2
    told = [entry["kind"] for entry in two.audit()[before:] if entry["kind"].startswith("configuration.")]
    assert told == ["configuration.rejected"]


def test_l5_a_new_policy_judges_in_every_worker(two: World) -> None:
    two.rewrite_policy((two.folder / "policy.toml").read_text() + DENY)
    assert two.reload()["kind"] == "configuration.reloaded"
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: two.ssh("web-1", "true"), range(4)))
    assert {each.returncode for each in done} == {126}


# Dying.


def test_l1_l2_t43_a_worker_that_is_killed_takes_only_its_own_sessions_with_it(own_two: World) -> None:
    world = own_two
    programs = [live(world) for _ in range(4)]
    by = served_by(world)
    victim = workers(world.stage.process)[0]
    os.kill(victim, signal.SIGKILL)
    lost = world.until(lambda: next((e for e in world.audit() if e["kind"] == "worker.lost"), None))["detail"]
    assert (lost["process"], lost["status"]) == (victim, -9)
    assert lost["sessions"] == sorted(session for session, worker in by.items() if worker == lost["worker"])
    rows = {row["id"]: row for row in world.sessions()}
    assert {(rows[session]["state"], rows[session]["sealed"]) for session in lost["sessions"]} == {
        ("interrupted", True)
    }
    assert active(world) == sorted(set(by) - set(lost["sessions"]))
    statuses = []
    for program in programs:
        out, _error = program.communicate(b"still here\n", timeout=20)
        statuses.append((program.returncode, out))
    assert sorted(statuses) == [(0, b"still here\n")] * 2 + [(255, b"")] * 2

    world.until(lambda: victim not in workers(world.stage.process) and len(workers(world.stage.process)) == 2)
    world.until(lambda: len(heads(world, "session.opened")) >= 4)
    more = [live(world) for _ in range(4)]
    world.until(lambda: len(active(world)) == 4)
    assert end(more) == [0] * 4
    assert world.stage.stop_bastion() == 0
    verified(world)


def test_l6_a_worker_that_hangs_cannot_keep_what_was_removed(own_two: World) -> None:
    world = own_two
    programs = [live(world) for _ in range(2)]
    sessions = active(world)
    hung = workers(world.stage.process)[0]
    os.kill(hung, signal.SIGSTOP)
    world.rewrite_config(without("identity", "orders-deployer"))
    entry = world.reload()
    assert entry["kind"] == "configuration.reloaded"
    lost = world.until(lambda: next((e for e in world.audit() if e["kind"] == "worker.lost"), None))["detail"]
    assert (lost["process"], lost["reason"]) == (hung, "it did not adopt a new configuration within 1 s")
    assert sorted([*lost["sessions"], *entry["detail"]["sessions_ended"]]) == sessions
    world.until(lambda: not active(world))
    for program in programs:
        said(program)
    assert {program.returncode for program in programs} == {255}


def test_l2_when_the_supervisor_is_killed_the_workers_end_their_sessions_and_go(own_two: World) -> None:
    world = own_two
    programs = [live(world) for _ in range(4)]
    pids = workers(world.stage.process)
    assert len(pids) == 2
    os.kill(pids[0], signal.SIGSTOP)  # and one of them cannot even do that
    world.stage.stop_bastion(signal.SIGKILL)
    os.kill(pids[0], signal.SIGCONT)
    world.stage.start_bastion()  # which waits until the last of them has let go
    errors = [said(program) for program in programs]
    assert {program.returncode for program in programs} == {255}
    assert sum("session ended: the bastion has stopped" in error for error in errors) >= 2
    world.until(lambda: not any(lives(pid) for pid in pids))
    rows = world.sessions()
    assert {row["sealed"] for row in rows} == {True}
    assert world.ssh("web-1", "echo", "again").stdout == b"again\n"
    verified(world)


def test_sigterm_drains_all_workers_and_leaves_one_whole_file(own_two: World) -> None:
    world = own_two
    jobs = [
        world.start("ssh", "-F", "ssh_config", "web-1", "echo up; read line; echo got $line; exit 7")
        for _ in range(2)
    ]
    for job in jobs:
        assert job.stdout is not None
        assert job.stdout.readline() == b"up\n"
    for pid in (world.stage.process, *workers(world.stage.process)):
        os.kill(pid, signal.SIGTERM)  # as systemd does
    world.until(lambda: b"draining 2 sessions" in world.stage.journal.read_bytes())
    assert world.ssh("web-1", "true").returncode == 255
    for job in jobs:
        out, _error = job.communicate(b"this\n", timeout=20)
        assert (job.returncode, out) == (7, b"got this\n")
    assert world.stage.stop_bastion() == 0
    names = {file.name for file in world.database.parent.iterdir()}
    assert names == {"outbox.sqlite", "recordings.sqlite", "serve.lock"}
    rows: list[dict[str, Any]] = world.sessions()
    assert {(row["state"], row["exit_status"], row["sealed"]) for row in rows} == {("closed", 7, True)}
    assert (heads(world, "service.stopped"), heads(world, "worker.lost")) == ([""], [])
    verified(world)


def test_the_number_of_workers_is_checked_and_a_change_takes_a_restart(two: World) -> None:
    two.rewrite_config(lambda text: text.replace("workers = 2", "workers = 65"))
    checked = two.bastion("check", "--json")
    assert (checked.returncode, "workers" in json.loads(checked.stdout)["problems"][0]) == (2, True)
    two.rewrite_config(lambda text: text.replace("workers = 65", "workers = 3"))
    problems = two.reload()["detail"]["problems"]
    assert "bastion.workers: a change of this takes a restart" in problems[0]
