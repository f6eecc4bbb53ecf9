"""Start sessions at a steady rate, however long each takes, and count failures and how late each ended.

The load is open: a session starts when it is due, not when another has ended, and its time counts from when it was due.
So a bastion that stalls makes the figures of all that were due meanwhile worse, as it does for those who wait.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from dataclasses import dataclass, field

from tests.bench.callbacks import CallbackWatch, callback_rows
from tests.bench.figures import Histogram, quantile, seconds_text
from tests.bench.ground import TARGET, Ground, Side
from tests.bench.run import Run
from tests.bench.table import Row, at_most

SESSION_S = 60.0
MOST_AT_ONCE = 400
FAULTS_SHOWN = 20
CLOSE_S = 10.0


@dataclass(slots=True, kw_only=True)
class Soak:
    """Sessions at a rate, and what became of them."""

    side: Side
    per_s: float
    duration_s: float
    times_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    histogram: Histogram = field(default_factory=Histogram)
    most_at_once: int = 0
    _open: int = 0

    async def run(self) -> None:
        """Start every session when it is due, and wait for the last."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(round(self.per_s * self.duration_s)):
                due = began + number / self.per_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(self._session(number, due))

    async def _session(self, number: int, due: float) -> None:
        if self._open >= MOST_AT_ONCE:
            self.faults.append(f"{number}: not started, {self._open} are still open")
            return
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            fault = await self._fault(number)
        finally:
            self._open -= 1
        took_s = time.monotonic() - due
        self.times_s.append(took_s)
        self.histogram.add(took_s)
        if fault is not None:
            self.faults.append(f"{number}: {fault}")

    async def _fault(self, number: int) -> str | None:
        """Run one session; return what was wrong with it."""
        pipe = asyncio.subprocess.PIPE
        ssh = await asyncio.create_subprocess_exec(
            *self.side.ssh(TARGET, f"echo soak-{number}; exit {number % 3}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
        )
        try:
            async with asyncio.timeout(SESSION_S):
                printed, said = await ssh.communicate()
        except TimeoutError:
            ssh.kill()
            await ssh.wait()
            return f"did not end within {SESSION_S:.0f} s"
        if (printed, said, ssh.returncode) != (b"soak-%d\n" % number, b"", number % 3):
            return f"status {ssh.returncode}, printed {printed[-80:]!r}, said {said[-200:]!r}"
        return None


def measure(run: Run) -> list[Row]:
    """Return failures, the times from when a session was due, and the loop's longest callback."""
    scale = run.scale
    watch = CallbackWatch(run.folder / "callbacks.json")
    with run.ground(callbacks=watch.file) as ground:
        ground.bastion.run("true")
        run.say(f"soak: {scale.soak_per_s:g} sessions a second for {scale.soak_s:.0f} s")
        soak = Soak(side=ground.bastion, per_s=scale.soak_per_s, duration_s=scale.soak_s)
        callbacks = watch.during(ground, lambda: asyncio.run(soak.run()))
        left = _left_open(ground)
    for fault in soak.faults[:FAULTS_SHOWN]:
        run.say(f"soak: {fault}")
    p50, p99 = quantile(soak.times_s, 0.5), quantile(soak.times_s, 0.99)
    return [
        Row(
            line="soak",
            what=f"failures, {scale.soak_per_s:g} sessions a second for {scale.soak_s:.0f} s",
            measured=len(soak.faults) + left,
            unit="",
            target=at_most(0),
            note=f"of {round(scale.soak_per_s * scale.soak_s)}, {soak.most_at_once} at once; {left} left open",
            runs={"faults": soak.faults[:FAULTS_SHOWN], "left_open": left},
        ),
        Row(
            line="soak",
            what="time from when it was due, p50",
            measured=p50 * 1e3,
            unit="ms",
            note=f"p99 {seconds_text(p99)}, longest {seconds_text(max(soak.times_s))}",
            runs={"histogram": soak.histogram.as_json(), "seconds": [round(it, 4) for it in soak.times_s]},
        ),
        *callback_rows("soak", "soak", callbacks),
    ]


def _left_open(ground: Ground) -> int:
    """Return how many sessions are still not sealed a while after the last has ended."""
    reader = sqlite3.connect(f"file:{ground.database}?mode=ro", uri=True)
    try:
        deadline = time.monotonic() + CLOSE_S
        while True:
            (left,) = reader.execute("SELECT count(*) FROM sessions WHERE seal IS NULL").fetchone()
            if not left or time.monotonic() > deadline:
                return int(left)
            time.sleep(0.1)
    finally:
        reader.close()
