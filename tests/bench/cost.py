"""Measure what a session costs the bastion: CPU time for one that comes and goes, memory for one that stays."""

from __future__ import annotations

import time

from tests.bench.figures import median, seconds_text
from tests.bench.ground import TARGET, Ground
from tests.bench.held import Held
from tests.bench.run import Run, alternate, seconds
from tests.bench.table import Row, at_most

WARM = 3
QUIET_S = 2.0


def measure(run: Run) -> list[Row]:
    """Return CPU per session, memory per idle session, and how new ones connect while many are held."""
    with run.ground() as ground:
        rows = [_cpu(run, ground)]
    with run.ground() as ground:
        rows.append(_memory(run, ground))
    with run.ground() as ground:
        rows.append(_connect_beside(run, ground))
    return rows


def _cpu(run: Run, ground: Ground) -> Row:
    count = run.scale.cost_sessions
    run.say(f"cost: CPU of {count} sessions")
    for _ in range(WARM):
        ground.bastion.run("true")
    time.sleep(QUIET_S)
    before_s = ground.process.cpu_s()
    for _ in range(count):
        ground.bastion.run("true")
    time.sleep(QUIET_S)
    return Row(
        line="cost",
        what="CPU per session (connect, true, seal)",
        measured=(ground.process.cpu_s() - before_s) / count * 1e3,
        unit="ms",
        target=at_most(40),
        note=f"{count} sessions, one after another",
    )


def _memory(run: Run, ground: Ground) -> Row:
    count = run.scale.idle_sessions
    run.say(f"cost: memory of {count} idle sessions")
    with Held(ground.bastion) as held:
        held.grow(1)
        time.sleep(QUIET_S)
        one = ground.process.pss_bytes()
        held.grow(1 + count)
        time.sleep(QUIET_S)
        held.check()
        each = (ground.process.pss_bytes() - one) / count
    return Row(
        line="cost",
        what="memory per idle session with a terminal (PSS)",
        measured=each / 1e3,
        unit="kB",
        target=at_most(300),
        note=f"growth from 1 to {count + 1} sessions, fresh process of {one / 1e6:.0f} MB",
    )


def _connect_beside(run: Run, ground: Ground) -> Row:
    """Connect without, with and again without held sessions; the jump host beside it shows what the machine does."""
    count, pairs = run.scale.held_sessions, run.scale.held_connects

    def connect() -> dict[str, list[float]]:
        return alternate(ground.sides, pairs, lambda side: seconds(side.ssh(TARGET, "true")))

    run.say(f"cost: connect, {pairs} pairs, before")
    before = connect()
    with Held(ground.bastion) as held:
        run.say(f"cost: opening {count} sessions")
        held.grow(count)
        time.sleep(QUIET_S)
        run.say(f"cost: connect, {pairs} pairs, with {count} sessions held")
        beside = connect()
        held.check()
    time.sleep(QUIET_S)
    run.say(f"cost: connect, {pairs} pairs, after")
    after = connect()
    alone = {name: median(before[name] + after[name]) for name in before}
    crowd = {name: median(beside[name]) for name in beside}
    return Row(
        line="cost",
        what=f"connect with {count} idle sessions held, in parts of connect with none",
        measured=crowd["bastion"] / alone["bastion"],
        unit="x",
        target=at_most(1.1),
        note=f"{seconds_text(crowd['bastion'])} / {seconds_text(alone['bastion'])}; by the jump in the same minutes "
        f"{crowd['jump'] / alone['jump']:.2f}x",
        runs={"before": before, "beside": beside, "after": after},
    )
