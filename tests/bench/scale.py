"""Say how much each line of the bench does: as the targets ask for, or a little, to see that it works."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Sizes and repetitions; pairs are alternating runs, one by each side."""

    connect_pairs: int
    bulk_bytes: int
    bulk_pairs: int
    workers_pairs: int
    scp_pairs: int
    stall_bytes: int
    stall_s: float
    echo_lines: int
    echo_rounds: int
    cost_sessions: int
    idle_sessions: int
    held_sessions: int
    held_connects: int
    soak_s: float
    soak_per_s: float
    gate_rounds: int
    gate_lines: int
    gate_scripts: int
    redact_bytes: int


FULL = Scale(
    connect_pairs=41,
    bulk_bytes=256 * MIB,
    bulk_pairs=7,
    workers_pairs=5,
    scp_pairs=3,
    stall_bytes=1024 * MIB,
    stall_s=60.0,
    echo_lines=100,
    echo_rounds=7,
    cost_sessions=100,
    idle_sessions=100,
    held_sessions=500,
    held_connects=41,
    soak_s=600.0,
    soak_per_s=10.0,
    gate_rounds=500,
    gate_lines=10_000,
    gate_scripts=5,
    redact_bytes=16 * MIB,
)

QUICK = Scale(
    connect_pairs=3,
    bulk_bytes=16 * MIB,
    bulk_pairs=2,
    workers_pairs=1,
    scp_pairs=1,
    stall_bytes=64 * MIB,
    stall_s=3.0,
    echo_lines=20,
    echo_rounds=2,
    cost_sessions=10,
    idle_sessions=10,
    held_sessions=20,
    held_connects=5,
    soak_s=5.0,
    soak_per_s=4.0,
    gate_rounds=20,
    gate_lines=400,
    gate_scripts=1,
    redact_bytes=2 * MIB,
)
