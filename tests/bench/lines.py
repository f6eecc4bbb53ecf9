"""List the lines of the bench, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.bench import bulk, connect, cores, cost, echo, gate, loop, masked, redact, soak, stalled, workers
from tests.bench.run import Run
from tests.bench.table import Row

LINES: Mapping[str, Callable[[Run], list[Row]]] = {
    "connect": connect.measure,
    "bulk": bulk.measure,
    "stalled": stalled.measure,
    "echo": echo.measure,
    "workers": workers.measure,
    "cores": cores.measure,
    "gate": gate.measure,
    "redact": redact.measure,
    "masked": masked.measure,
    "cost": cost.measure,
    "loop": loop.measure,
    "soak": soak.measure,
}
