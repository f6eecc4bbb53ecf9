"""Measure what a second process of the bastion adds where the machine has room for it.

On few cores the clients take what the bastion gains (the line `workers`). So each process that serves is held to a part
of a core, as if it ran on a slow one: what clients and target need is then there, with one process and with two.

Source  Linux, cgroup-v2, "cpu.max"; cgroup-v1, sched-bwc ("cpu.cfs_quota_us")
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.faults import BenchFault
from tests.bench.figures import bytes_text, median
from tests.bench.ground import Ground
from tests.bench.run import Run
from tests.bench.table import Row, at_least
from tests.bench.workers import TRANSFERS, transfers

PART = 0.4  # of a core
PERIOD_US = 10_000
CGROUPS = Path("/sys/fs/cgroup")
COUNTS = (1, 2)


def measure(run: Run) -> list[Row]:
    """Return the speed of some transfers at once with two processes held so, in parts of that with one."""
    size, rounds = run.scale.bulk_bytes // (2 * TRANSFERS), 2 * run.scale.workers_pairs
    payload = run.payload(size)
    speeds: dict[str, list[float]] = {}
    for count in COUNTS:
        run.say(f"cores: {TRANSFERS} times {bytes_text(size)} down at once, {rounds} rounds, {count} of 2")
        with (
            run.ground(workers=count, writes=2 * TRANSFERS * size * (rounds + 1)) as ground,
            held(ground, count),
        ):
            found = [transfers(ground.bastion, payload, size) for _ in range(rounds + 1)]
            speeds[str(count)] = found[1:]
    one, two = (median(speeds[str(count)]) / 1e6 for count in COUNTS)
    return [
        Row(
            line="cores",
            what=f"speed of {TRANSFERS} transfers at once, 2 workers in parts of 1, each held to {PART} of a core",
            measured=two / one,
            unit="x",
            target=at_least(1.7),
            note=f"{two:.0f} / {one:.0f} MB/s, {rounds} rounds of {bytes_text(size)} each",
            runs=speeds,
        ),
    ]


@contextmanager
def held(ground: Ground, count: int) -> Iterator[None]:
    """Hold each process that serves to PART of a core; raise BenchFault where that cannot be had."""
    first, *others = ground.process.tree()
    serving = others if count > 1 else [first]  # the first of several only hands connections over
    if len(serving) != count:
        raise BenchFault(f"{len(serving)} processes serve, not {count}")
    with ExitStack() as groups:
        try:
            for pid in serving:
                groups.enter_context(_group(pid))
        except OSError as error:
            raise BenchFault(
                f"cannot hold a process to a part of a core: {error.filename}: {error.strerror}: "
                "it takes root, and the cpu controller of cgroups"
            ) from None
        yield


@contextmanager
def _group(pid: int) -> Iterator[None]:
    """Keep a process in a control group that may use PART of a core; raise OSError."""
    second_version = (CGROUPS / "cgroup.controllers").exists()
    root = CGROUPS if second_version else CGROUPS / "cpu"
    group = root / f"bastion-bench-{os.getpid()}-{pid}"
    quota_us = int(PERIOD_US * PART)
    if second_version:
        (root / "cgroup.subtree_control").write_text("+cpu")
    group.mkdir()
    try:
        if second_version:
            (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for held_pid in (group / "cgroup.procs").read_text().split():
            (root / "cgroup.procs").write_text(held_pid)
        group.rmdir()
