"""Read how long the callbacks of a bastion's event loop took, from a bastion that launcher.py watches (law L11)."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.faults import BenchFault
from tests.bench.figures import Histogram, seconds_text
from tests.bench.ground import Ground
from tests.bench.table import Row, at_most

ANSWER_S = 30.0
LONGEST_MS = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """What the loop did in one phase; `slow` is the slowest by name: count, longest wall and CPU seconds."""

    histogram: Histogram
    slow: list[dict[str, Any]]


class CallbackWatch:
    """A file in which a watched bastion writes what its loop did since it was last asked."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def during(self, ground: Ground, work: Callable[[], object]) -> Callbacks:
        """Return what the loop did while the work was done; raise BenchFault."""
        self._ask(ground)
        work()
        return self._ask(ground)

    def _ask(self, ground: Ground) -> Callbacks:
        self.file.unlink(missing_ok=True)
        ground.signal(signal.SIGUSR2)
        deadline = time.monotonic() + ANSWER_S
        while not self.file.exists():
            if time.monotonic() > deadline:
                raise BenchFault("the watched bastion does not say what its loop did")
            time.sleep(0.02)
        found = json.loads(self.file.read_text())
        return Callbacks(histogram=Histogram.from_json(found["histogram"]), slow=found["slow"])


def callback_rows(line: str, phase: str, callbacks: Callbacks) -> list[Row]:
    """Return the longest callback of a phase, which has a target, and the 99.9th percentile."""
    histogram = callbacks.histogram
    worst = callbacks.slow[0] if callbacks.slow else None
    note = "" if worst is None else f"{_ends(worst['name'])} (CPU {seconds_text(worst['cpu_s'])})"
    return [
        Row(
            line=line,
            what=f"longest loop callback, {phase}",
            measured=histogram.longest_s * 1e3,
            unit="ms",
            target=at_most(LONGEST_MS),
            note=note,
            runs={"histogram": histogram.as_json(), "slow": callbacks.slow},
        ),
        Row(
            line=line,
            what=f"loop callbacks, {phase}, p99.9",
            measured=histogram.quantile(0.999) * 1e3,
            unit="ms",
            note=f"of {histogram.total}",
        ),
    ]


def _ends(chain: str) -> str:
    """Return a chain of coroutines by its two ends; the JSON has it whole."""
    names = chain.split(" > ")
    return chain if len(names) < 3 else f"{names[0]} > … > {names[-1]}"
