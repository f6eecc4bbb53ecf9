"""Measure how fast much data goes each way, recorded whole, and what CPU time that costs the bastion.

The speed is that of the whole command, connecting included, since that is what somebody waits for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import bytes_text, median, ratio
from tests.bench.ground import TARGET, Ground, Side
from tests.bench.run import SETTLE_S, Run, alternate, seconds
from tests.bench.table import Row, Target, at_least

GB = 1e9
Transfer = Callable[[Side], float]


def transfers(payload: Path) -> dict[str, Transfer]:
    """Return what moves the file each way by exec, by the name of the way."""
    size = str(payload.stat().st_size).encode()
    return {
        "down": lambda side: seconds(side.ssh(TARGET, f"cat {payload}")),
        "up": lambda side: seconds(side.ssh(TARGET, "wc -c"), stdin=payload, expect=size),
    }


def copies(payload: Path, folder: Path) -> dict[str, Transfer]:
    """Return what moves the file each way by scp, which records its digest only."""
    local, remote = folder / "copy-local", folder / "copy-remote"
    return {
        "scp down": lambda side: seconds(side.scp(f"{TARGET}:{payload}", str(local))),
        "scp up": lambda side: seconds(side.scp(str(payload), f"{TARGET}:{remote}")),
    }


def measure(run: Run) -> list[Row]:
    """Return, for each way, the bastion's speed in parts of the jump host's, and the bastion's CPU time."""
    scale = run.scale
    payload = run.payload(scale.bulk_bytes)
    rows: list[Row] = []
    for way, transfer in transfers(payload).items():
        with run.ground(writes=2 * scale.bulk_bytes * (scale.bulk_pairs + 1)) as ground:
            run.say(f"bulk: {bytes_text(scale.bulk_bytes)} {way}, {scale.bulk_pairs} pairs")
            rows += _rows(ground, way, transfer, scale.bulk_bytes, scale.bulk_pairs, at_least(0.8))
    with run.ground(writes=4 * scale.bulk_bytes) as ground:
        for way, transfer in copies(payload, ground.folder).items():
            run.say(f"bulk: {way}, {scale.scp_pairs} pairs")
            rows += _rows(ground, way, transfer, scale.bulk_bytes, scale.scp_pairs, None)
    return rows


def _rows(
    ground: Ground, way: str, transfer: Transfer, size: int, pairs: int, target: Target | None
) -> list[Row]:
    cpu: list[float] = []

    def counted(side: Side) -> float:
        before_s = ground.process.cpu_s()
        took_s = transfer(side)
        if side is ground.bastion:
            time.sleep(SETTLE_S)
            cpu.append((ground.process.cpu_s() - before_s) / size * GB)
        return took_s

    found = alternate(ground.sides, pairs, counted)
    ours, theirs = median(found["bastion"]), median(found["jump"])
    return [
        Row(
            line="bulk",
            what=f"speed of {bytes_text(size)} {way}, in parts of the jump's",
            measured=1 / ratio(found["bastion"], found["jump"]),
            unit="x",
            target=target,
            note=f"{size / ours / 1e6:.0f} / {size / theirs / 1e6:.0f} MB/s, {pairs} pairs",
            runs=dict(found),
        ),
        Row(
            line="bulk",
            what=f"bastion's CPU, {way}",
            measured=median(cpu[1:]),
            unit="s/GB",
            runs={"cpu_s_per_gb": cpu[1:]},
        ),
    ]
