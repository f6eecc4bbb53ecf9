"""Take away what the recorder writes to: room, the lock, the right to write, the power.

In      a Scene; as root, a small file system under the recordings
Out     a Finding for each fault
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sqlite3
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from recorder.store import BUSY_MS
from tests.campaign.case import AS_ROOT, Case, Finding, as_root, restarted
from tests.campaign.scene import PATIENCE_S, Scene

NO_RECORDER = "bastion: session ended: the session recorder is not available"
REFUSED = "the session recorder is not available"
STEADY = ("answer", "echo", "feed", "terminal", "shell")
DISK = "192m"
EXT4_IOC_SHUTDOWN = 0x8004587D  # linux/fs/ext4/ext4.h; the number is that of XFS_IOC_GOINGDOWN
NO_LOG_FLUSH = 2


def disk_full(scene: Scene) -> Finding:
    """What has to be recorded ends with a reason, nothing new is served; with room again all is sealed and served."""
    data = scene.world.database.parent
    with _mounted(scene, "tmpfs", "tmpfs", f"size={DISK},mode=0700,uid={os.getuid()}"):
        case = Case(scene, "disk-full")
        quiet = case.start("quiet")
        busy = case.start(*STEADY)
        ballast = data / "ballast"
        with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        case.ended(busy, NO_RECORDER)
        case.refused(REFUSED)
        ballast.unlink()
        case.untouched(quiet)
        case.served()
        return case.finish()


def database_locked(scene: Scene) -> Finding:
    """As a full disk, once it is locked for longer than 2 s."""
    case = Case(scene, "database-locked")
    quiet = case.start("quiet")
    busy = case.start(*STEADY)
    with _locked(scene.world.database):
        case.ended(busy, NO_RECORDER)
        with ThreadPoolExecutor() as pool:  # each waits for the lock a while: together
            pool.submit(case.refused, REFUSED)
            certified = pool.submit(scene.world.certify, "newcomer", "deploy", run_id="77")
            read = pool.submit(scene.world.bastion, "sessions", timeout=PATIENCE_S)
        case.expect(REFUSED in certified.result().stderr.decode(), f"certified: {certified.result()}")
        told = (read.result().returncode, read.result().stdout, len(read.result().stderr.splitlines()))
        case.expect(
            told == (2, b"", 1), f"a reader was told {read.result()}"
        )  # what is read is recorded first
    case.untouched(quiet)
    case.served()
    return case.finish()


def database_locked_briefly(scene: Scene) -> Finding:
    """Nobody notices: a lock of less than 2 s is waited for."""
    case = Case(scene, "database-locked-briefly")
    works = case.start("quiet", *STEADY)
    with _locked(scene.world.database):
        time.sleep(BUSY_MS / 1000 / 4)
    case.untouched(works)
    return case.finish()


def read_only(scene: Scene) -> Finding:
    """As a full disk; the bastion is restarted once the file system is mended, and what was synced is all there."""
    data = scene.world.database.parent
    with _on_ext4(scene):
        case = Case(scene, "read-only")
        quiet = case.start("quiet")
        busy = case.start(*STEADY)
        device = Path(as_root("findmnt", "-n", "-o", "SOURCE", str(data))).name
        as_root("sh", "-c", f"echo tested > /sys/fs/ext4/{device}/trigger_fs_error")
        case.ended(busy, NO_RECORDER)
        case.refused(REFUSED)
        scene.world.stage.signal(signal.SIGTERM)  # and once more: nothing is waited for
        scene.world.stage.stop_bastion()
        case.ended(quiet, None)
        _remount(scene)
        scene.world.stage.start_bastion()
        case.served()
        return case.finish()


def power_cut(scene: Scene) -> Finding:
    """Nothing that was not synced survives; what was released is on record all the same."""
    with _on_ext4(scene):
        case = Case(scene, "power-cut", config="ssh_config.quiet")
        works = case.start("quiet", *STEADY, "get", "put")
        _cut_power(scene.world.database.parent)
        for work in works:
            work.cut = work.program.poll() is None
        scene.world.stage.stop_bastion(signal.SIGKILL)
        case.ended(works, None)
        _remount(scene)
        scene.world.stage.start_bastion()
        case.served()
        return case.finish()


@contextlib.contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Somebody else's program keeps the whole database for itself."""
    other = sqlite3.connect(database, isolation_level=None, timeout=30)
    try:
        other.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        other.close()


@contextlib.contextmanager
def _mounted(scene: Scene, kind: str, source: str, options: str) -> Iterator[None]:
    """Have the recordings on a file system of their own."""
    data = scene.world.database.parent

    def mount() -> None:
        as_root("mount", "-t", kind, "-o", options, source, str(data))
        as_root("chown", str(os.getuid()), str(data))

    with restarted(scene, before=mount, after=lambda: as_root("umount", str(data))):
        yield


@contextlib.contextmanager
def _on_ext4(scene: Scene) -> Iterator[None]:
    """Have the recordings on a real file system of their own, in a file."""
    image = scene.folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(256 << 20)
    as_root("mkfs.ext4", "-q", "-F", str(image))
    try:
        with _mounted(scene, "ext4", str(image), "loop,errors=remount-ro"):
            yield
    finally:
        image.unlink()


def _remount(scene: Scene) -> None:
    """Mend the file system as an operator would: unmount, check, mount."""
    data, image = scene.world.database.parent, scene.folder / "disk.img"
    as_root("umount", str(data))
    as_root("sh", "-c", f"e2fsck -p {image} || test $? = 1")  # 1: it was mended
    as_root("mount", "-t", "ext4", "-o", "loop,errors=remount-ro", str(image), str(data))


def _cut_power(data: Path) -> None:
    """Drop everything that this file system has not on disk yet, and all that follows."""
    script = (
        "import fcntl, os, sys;"
        f"fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), {EXT4_IOC_SHUTDOWN}, {struct.pack('I', NO_LOG_FLUSH)!r})"
    )
    if AS_ROOT:
        as_root("python3", "-c", script, str(data))
        return
    folder = os.open(data, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    finally:
        os.close(folder)
