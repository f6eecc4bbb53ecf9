"""Run the bastion's command with every callback of its event loop timed.

It wraps the one function by which asyncio runs a callback; the product is not touched. SIGUSR2 writes what was found
since the last one.

    python -m tests.bench.launcher FILE serve --config bastion.toml

Out     FILE, JSON: a histogram of wall times; the slowest callbacks by name, with the CPU time of their thread
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from asyncio import events
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from bastion.cli.main import main
from tests.bench.figures import Histogram

NAMED_S = 0.004
NAMES = 25


class Stopwatch:
    """Times callbacks."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._histogram = Histogram()
        self._slow: dict[str, dict[str, Any]] = {}

    def start(self) -> None:
        """Time each callback from now on."""
        run = events.Handle._run
        wall, thread = time.perf_counter_ns, time.thread_time_ns

        def timed(handle: events.Handle) -> None:
            cpu, began = thread(), wall()
            run(handle)
            took_s = (wall() - began) / 1e9
            self._histogram.add(took_s)
            if took_s > NAMED_S:
                self._note(name_of(handle), took_s, (thread() - cpu) / 1e9)

        events.Handle._run = timed  # type: ignore[assignment]
        signal.signal(signal.SIGUSR2, self._write)

    def _note(self, name: str, wall_s: float, cpu_s: float) -> None:
        known = self._slow.setdefault(name, {"name": name, "count": 0, "wall_s": 0.0, "cpu_s": 0.0})
        known["count"] += 1
        if wall_s > known["wall_s"]:
            known.update(wall_s=wall_s, cpu_s=cpu_s)

    def _write(self, _number: int, _frame: FrameType | None) -> None:
        slow = sorted(self._slow.values(), key=lambda known: -float(known["wall_s"]))[:NAMES]
        found = {"histogram": self._histogram.as_json(), "slow": slow}
        self._histogram, self._slow = Histogram(), {}
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.replace(self._file)


def name_of(handle: Any) -> str:
    """Return what a handle calls, never with what values: a function, or a task's coroutine and what it awaits now."""
    callback = handle._callback
    while isinstance(callback, partial):
        callback = callback.func
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return " > ".join(_awaited(owner.get_coro())) or owner.get_name()
    name = getattr(callback, "__qualname__", type(callback).__qualname__)
    protocol = getattr(owner, "_protocol", None)
    return name if protocol is None else f"{name} ({type(protocol).__name__})"


def _awaited(coroutine: Any) -> list[str]:
    names: list[str] = []
    while coroutine is not None and hasattr(coroutine, "__qualname__"):
        names.append(coroutine.__qualname__)
        coroutine = getattr(coroutine, "cr_await", None)
    return names


if __name__ == "__main__":
    Stopwatch(Path(sys.argv.pop(1))).start()
    main()
