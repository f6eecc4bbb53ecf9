"""Measure how long the event loop is kept by one callback while data is moved and lines are echoed (law L11)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.bench.bulk import Transfer, transfers
from tests.bench.callbacks import CallbackWatch, callback_rows
from tests.bench.echo import OPEN, Conversation
from tests.bench.figures import bytes_text
from tests.bench.ground import Ground
from tests.bench.run import Run
from tests.bench.table import Row


def measure(run: Run) -> list[Row]:
    """Return the longest callback, and p99.9, of each load; the soak watches its own."""
    size = run.scale.bulk_bytes
    payload = run.payload(size)
    watch = CallbackWatch(run.folder / "callbacks.json")
    rows: list[Row] = []
    loads: dict[str, Callable[[Ground], object]] = {}
    for way, transfer in transfers(payload).items():
        loads[f"{bytes_text(size)} {way}"] = partial(_moved, transfer)
    count = run.scale.echo_rounds * run.scale.echo_lines
    for kind in OPEN:
        loads[f"{count} echoes by {kind}"] = partial(_echoed, kind, count)
    with run.ground(callbacks=watch.file, writes=4 * size) as ground:
        ground.bastion.run("true")
        for what, load in loads.items():
            run.say(f"loop: {what}")
            rows += callback_rows("loop", what, watch.during(ground, partial(load, ground)))
    return rows


def _moved(transfer: Transfer, ground: Ground) -> None:
    transfer(ground.bastion)


def _echoed(kind: str, count: int, ground: Ground) -> None:
    with Conversation(ground.bastion, kind) as conversation:
        for _ in range(count):
            conversation.say(b"line\n")
