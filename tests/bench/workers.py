"""Measure what a second process of the bastion adds to transfers that run side by side.

Clients, target and bastion share the machine: on few cores the clients take what the bastion gains (see cores.py).
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.bench.bulk import GB
from tests.bench.faults import BenchFault
from tests.bench.figures import bytes_text, median
from tests.bench.ground import TARGET, Side
from tests.bench.run import PATIENCE_S, SETTLE_S, Run
from tests.bench.table import Row

TRANSFERS = 4
COUNTS = (1, 2)


def measure(run: Run) -> list[Row]:
    """Return the speed of some transfers at once with two processes, in parts of that with one."""
    size, pairs = run.scale.bulk_bytes // TRANSFERS, run.scale.workers_pairs
    payload = run.payload(size)
    speeds: dict[str, list[float]] = {"1": [], "2": [], "jump": []}
    cpu: dict[str, list[float]] = {"1": [], "2": []}
    writes = 2 * TRANSFERS * size * (pairs + 1)
    with (
        run.ground(workers=1, writes=2 * writes) as one,
        run.ground(workers=2) as two,
    ):
        grounds = {"1": one, "2": two}
        run.say(f"workers: {TRANSFERS} times {bytes_text(size)} down at once, {pairs} rounds")
        for number in range(pairs + 1):
            for name, ground in grounds.items():
                before_s = ground.process.cpu_s()
                speed = transfers(ground.bastion, payload, size)
                time.sleep(SETTLE_S)
                if number:
                    speeds[name].append(speed)
                    cpu[name].append((ground.process.cpu_s() - before_s) / (TRANSFERS * size) * GB)
            if number:
                speeds["jump"].append(transfers(one.jump, payload, size))
    return _rows(speeds, cpu, size, pairs)


def _rows(speeds: dict[str, list[float]], cpu: dict[str, list[float]], size: int, pairs: int) -> list[Row]:
    one, two, jump = (median(speeds[name]) / 1e6 for name in ("1", "2", "jump"))
    return [
        Row(
            line="workers",
            what=f"speed of {TRANSFERS} x {bytes_text(size)} down at once, 2 workers in parts of 1",
            measured=two / one,
            unit="x",
            note=f"{two:.0f} / {one:.0f} MB/s, {pairs} rounds; the jump {jump:.0f} MB/s",
            runs=speeds,
        ),
        *(
            Row(
                line="workers",
                what=f"bastion's CPU, {name} {'worker' if name == '1' else 'workers'}",
                measured=median(cpu[name]),
                unit="s/GB",
            )
            for name in cpu
        ),
    ]


def transfers(side: Side, payload: Path, size: int) -> float:
    """Return the bytes a second of all transfers together; raise BenchFault."""
    began = time.perf_counter()
    clients = [
        subprocess.Popen(
            side.ssh(TARGET, f"cat {payload}"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        for _ in range(TRANSFERS)
    ]
    statuses = [client.wait(timeout=PATIENCE_S) for client in clients]
    if any(statuses):
        raise BenchFault(f"{side.name}: transfers at once ended with status {statuses}")
    return TRANSFERS * size / (time.perf_counter() - began)
