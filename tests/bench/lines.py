"""List the lines of the bench, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.bench import bulk, connect, echo
from tests.bench.run import Run
from tests.bench.table import Row

LINES: Mapping[str, Callable[[Run], list[Row]]] = {
    "connect": connect.measure,
    "bulk": bulk.measure,
    "echo": echo.measure,
}
