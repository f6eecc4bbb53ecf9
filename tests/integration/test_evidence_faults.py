"""A recorder that cannot record does not start, and says why in one line (L2; for faults under way: the campaign)."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import World

DISK_BYTES = 4 << 20
AS_ROOT = [] if os.getuid() == 0 else ["sudo", "-n"]


@pytest.fixture
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
        world.strike()
        subprocess.run([*AS_ROOT, "umount", str(data)], check=True)


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
