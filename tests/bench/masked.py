"""Measure how fast much text goes down while it is masked: the secrets of each line looked for, the answer recorded.

The text is that of the redact line: ordinary logs, always the same. The policy is library:masking. How long the event
loop is kept by one callback meanwhile is measured in a run of its own, and again with the inputs that are known to
cost masking most.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.bench.bulk import transfers
from tests.bench.callbacks import CallbackWatch, callback_rows
from tests.bench.figures import bytes_text, median, ratio
from tests.bench.redact import HOSTILE, ordinary_logs
from tests.bench.run import Run, alternate
from tests.bench.table import Row, at_least

PAYLOAD_BYTES = 64 << 20
PIECE_BYTES = 8 << 20
HOSTILE_BYTES = 128 << 10  # of each kind
POLICIES = ("library:masking",)


def measure(run: Run) -> list[Row]:
    """Return the speed with masking on, in parts of the jump host's, and the longest callbacks."""
    size = min(PAYLOAD_BYTES, run.scale.bulk_bytes)
    payload = _logs(run.folder / f"logs-{size}", size)
    with run.ground(writes=size * (run.scale.bulk_pairs + 1), policies=POLICIES) as ground:
        run.say(f"masked: {bytes_text(size)} of logs down, {run.scale.bulk_pairs} pairs")
        found = alternate(ground.sides, run.scale.bulk_pairs, transfers(payload)["down"])
    ours, theirs = median(found["bastion"]), median(found["jump"])
    speed = Row(
        line="masked",
        what=f"speed of {bytes_text(size)} of logs down with masking on, in parts of the jump's",
        measured=1 / ratio(found["bastion"], found["jump"]),
        unit="x",
        target=at_least(0.5),
        note=f"{size / ours / 1e6:.0f} / {size / theirs / 1e6:.0f} MB/s, {run.scale.bulk_pairs} pairs",
        runs=dict(found),
    )
    return [speed, *_callbacks(run, {"logs masked": payload, "hostile input": _hostile(run.folder)})]


def _callbacks(run: Run, payloads: dict[str, Path]) -> list[Row]:
    """Return the longest callbacks of the loop while each of these goes down (law L11)."""
    watch = CallbackWatch(run.folder / "masked-callbacks.json")
    writes = 2 * sum(path.stat().st_size for path in payloads.values())
    rows: list[Row] = []
    with run.ground(callbacks=watch.file, writes=writes, policies=POLICIES) as ground:
        ground.bastion.run("true")
        for what, payload in payloads.items():
            phase = f"{bytes_text(payload.stat().st_size)} of {what}"
            run.say(f"masked: callbacks, {phase}")
            rows += callback_rows(
                "masked", phase, watch.during(ground, partial(transfers(payload)["down"], ground.bastion))
            )
    return rows


def _logs(path: Path, size: int) -> Path:
    """Return a file of so many bytes of logs: a piece of them again and again."""
    piece = ordinary_logs(min(PIECE_BYTES, size))
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(piece[: size - file.tell()])
    return path


def _hostile(folder: Path) -> Path:
    """Return a file of what is known to cost masking most, each kind in a line or in lines of its own."""
    path = folder / "hostile"
    path.write_bytes(b"\n".join(unit * (HOSTILE_BYTES // len(unit)) for unit in HOSTILE.values()))
    return path
