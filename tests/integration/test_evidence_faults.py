"""A recorder that cannot record ends the sessions that need it, says so, and serves again when it can (L2, T43)."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import World

SAYS = b"bastion: session ended: the session recorder is not available"
STEADY = "i=0; while echo tick $i; do i=$((i+1)); sleep 0.05; done"
DISK_BYTES = 4 << 20
AS_ROOT = [] if os.getuid() == 0 else ["sudo", "-n"]


class Steady:
    """A job whose command says something twenty times a second."""

    def __init__(self, world: World, key: str = "key") -> None:
        config = "ssh_config" if key == "key" else f"ssh_config.{key}"
        self.out = world.job / f"steady.{os.urandom(4).hex()}"
        with self.out.open("wb") as out:
            self.program = world.start(
                "ssh", "-F", config, "web-1", STEADY, stdin=subprocess.DEVNULL, stdout=out
            )
        world.until(lambda: self.out.stat().st_size)

    def ends(self) -> tuple[int, bytes]:
        """Wait until the command ends, and return its status and what was said on stderr."""
        assert self.program.stderr is not None
        said = self.program.stderr.read()
        return self.program.wait(timeout=20), said

    def received(self) -> bytes:
        return self.out.read_bytes()

    def stops(self) -> None:
        self.program.kill()
        self.program.communicate()


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose recordings lie on a file system of four megabytes."""
    world = World(tmp_path_factory.mktemp("world"))
    world.ready()
    world.stage.stop_bastion()
    data = world.folder / "var"
    kept = {file.name: file.read_bytes() for file in data.iterdir()}
    options = f"size={DISK_BYTES},mode=0700,uid={os.getuid()}"
    mount = [*AS_ROOT, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(data)]
    done = subprocess.run(mount, capture_output=True, text=True)
    assert done.returncode == 0, f"this story needs to mount a small tmpfs: {done.stderr}"
    try:
        for name, content in kept.items():
            (data / name).write_bytes(content)
        world.stage.start_bastion()
        yield world
    finally:
        world.stage.strike()
        subprocess.run([*AS_ROOT, "umount", str(data)], check=True)


def recorded(world: World, row: dict[str, Any]) -> bytes:
    return b"".join(event["text"].encode() for event in world.events(row["id"]) if event["kind"] == "output")


def all_is_well(world: World, ended: list[Steady]) -> None:
    """What was broken is sealed as interrupted, holds all that was received, and new sessions work."""
    world.until(lambda: not world.sessions("--state", "active"))
    rows = world.sessions("--state", "interrupted", "--limit", str(len(ended)))
    kept = [recorded(world, row) for row in rows]
    for job in ended:
        whole = max(kept, key=lambda out: out.startswith(job.received()))
        assert whole.startswith(job.received()), "a byte was released that is not recorded"
        kept.remove(whole)
    assert {row["sealed"] for row in rows} == {True}
    after = world.ssh("web-1", "echo after; exit 4")
    assert (after.returncode, after.stdout) == (4, b"after\n")
    report = world.bastion("verify", "--all", "--json")
    assert (report.returncode, json.loads(report.stdout)["problems"]) == (0, [])


def alive(world: World) -> bool:
    return world.stage._bastion is not None and world.stage._bastion.poll() is None


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Somebody else's program keeps the whole database for itself."""
    other = sqlite3.connect(database, isolation_level=None, timeout=30)
    try:
        other.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        other.close()


def refused_meanwhile(world: World) -> None:
    """Nothing that must be recorded is served, each with a reason, and the bastion stays up."""
    with ThreadPoolExecutor() as pool:  # each waits for the lock for a while: together
        opening = pool.submit(world.ssh, "web-1", "echo", "never")
        certifying = pool.submit(world.certify, "newcomer", "deploy", run_id="77")
        reading = pool.submit(world.bastion, "sessions")
    opened, certified, read = opening.result(), certifying.result(), reading.result()
    assert (opened.returncode, opened.stdout) == (255, b"")
    assert b"bastion: the session recorder is not available" in opened.stderr
    assert (certified.returncode, certified.stdout) == (1, b"")
    assert b"no certificate: the session recorder is not available" in certified.stderr
    assert (read.returncode, read.stdout, len(read.stderr.splitlines())) == (2, b"", 1)
    assert alive(world)


def test_l2_t43_a_locked_database_ends_sessions_with_a_reason_and_no_others_before_or_after(
    small_disk: World,
) -> None:
    world = small_disk
    assert world.ssh("web-1", "echo", "before").stdout == b"before\n"
    jobs = [Steady(world), Steady(world)]
    with locked(world.database):
        for job in jobs:
            status, said = job.ends()
            assert (status, SAYS in said) == (255, True), said
        refused_meanwhile(world)
    all_is_well(world, jobs)
    states = {row["state"] for row in world.sessions() if recorded(world, row) == b"before\n"}
    assert states == {"closed"}


def test_l2_t43_a_short_lock_is_waited_for(small_disk: World) -> None:
    world = small_disk
    job = Steady(world)
    with locked(world.database):
        before = job.out.stat().st_size
    world.until(lambda: job.out.stat().st_size > before + 20)
    job.stops()
    world.until(lambda: not world.sessions("--state", "active"))
    (last,) = world.sessions("--limit", "1")
    assert (last["state"], last["sealed"]) == ("closed", True)


def test_l2_t43_a_full_disk_ends_sessions_with_a_reason_until_there_is_room(small_disk: World) -> None:
    world = small_disk
    quiet = world.start("ssh", "-F", "ssh_config", "web-1", "cat")
    job = Steady(world)
    ballast = world.folder / "var" / "ballast"
    fill(ballast)
    status, said = job.ends()
    assert (status, SAYS in said) == (255, True), said
    big = world.ssh("web-1", "head -c 3000000 /dev/urandom")
    assert big.returncode == 255
    assert b"the session recorder is not available" in big.stderr
    assert alive(world)
    ballast.unlink()
    assert quiet.stdin is not None
    assert quiet.stdout is not None
    quiet.stdin.write(b"still here\n")
    quiet.stdin.close()
    assert quiet.stdout.read() == b"still here\n"  # a session that had nothing to record never noticed
    assert quiet.wait(timeout=20) == 0
    all_is_well(world, [job])


def fill(ballast: Path) -> None:
    """Write until nothing more fits."""
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_l2_a_recorder_that_cannot_write_at_all_does_not_start(small_disk: World) -> None:
    world = small_disk
    world.stage.stop_bastion()
    data = world.folder / "var"
    copy = (data / "recordings.sqlite").read_bytes()
    subprocess.run([*AS_ROOT, "mount", "-o", "remount,ro", str(data)], check=True)
    for words in (["serve"], ["sessions"], ["keys", "seal", "--rotate"]):
        done = world.bastion(*words)
        lines = [line for line in done.stderr.decode().splitlines() if line.startswith("bastion: ")]
        assert (done.returncode, len(lines)) == (2, 1), done.stderr
        assert (
            "Read-only file system" in lines[0]
            or "readonly database" in lines[0]
            or "unable to open" in lines[0]
        )
        assert b"Traceback" not in done.stderr
    verified = world.bastion("verify", "--all")
    assert (verified.returncode, b"everything holds" in verified.stdout) == (0, True)
    assert (data / "recordings.sqlite").read_bytes() == copy
    subprocess.run([*AS_ROOT, "mount", "-o", "remount,rw", str(data)], check=True)
    world.stage.start_bastion()
    assert world.ssh("web-1", "echo", "after").stdout == b"after\n"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(b"no database at all\n" * 999), "not a recording database"),
        (lambda path: alter(path, "PRAGMA user_version = 2"), "recording format 2"),
        (
            lambda path: alter(
                path, "CREATE TRIGGER t BEFORE INSERT ON chunks BEGIN SELECT RAISE(IGNORE); END"
            ),
            "altered",
        ),
    ],
)
def test_a_database_that_is_none_of_ours_is_not_served_and_not_touched(
    tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    from tests.integration.test_evidence_reading import alone

    folder = tmp_path / "new"
    assert alone("init", str(folder)).returncode == 0
    path = folder / "var" / "recordings.sqlite"
    damage(path)
    before = path.read_bytes()
    done = alone("serve", "--config", str(folder / "bastion.toml"))
    error = done.stderr.decode()
    assert (done.returncode, "Traceback" in error) == (2, False), error
    assert f"{path}: " in error
    assert says in error
    assert path.read_bytes() == before


def alter(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(sql)
    connection.close()
