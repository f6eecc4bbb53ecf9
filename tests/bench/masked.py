"""Measure how fast much text goes down while it is masked: the secrets of each line looked for, the answer recorded.

The text is that of the redact line: ordinary logs, always the same. The policy is library:masking.
"""

from __future__ import annotations

from pathlib import Path

from tests.bench.bulk import transfers
from tests.bench.figures import bytes_text, median, ratio
from tests.bench.redact import ordinary_logs
from tests.bench.run import Run, alternate
from tests.bench.table import Row, at_least

PAYLOAD_BYTES = 64 << 20
PIECE_BYTES = 8 << 20


def measure(run: Run) -> list[Row]:
    """Return the speed with masking on, in parts of the jump host's."""
    size = min(PAYLOAD_BYTES, run.scale.bulk_bytes)
    payload = _logs(run.folder / f"logs-{size}", size)
    with run.ground(writes=size * (run.scale.bulk_pairs + 1), policies=("library:masking",)) as ground:
        run.say(f"masked: {bytes_text(size)} of logs down, {run.scale.bulk_pairs} pairs")
        found = alternate(ground.sides, run.scale.bulk_pairs, transfers(payload)["down"])
    ours, theirs = median(found["bastion"]), median(found["jump"])
    return [
        Row(
            line="masked",
            what=f"speed of {bytes_text(size)} of logs down with masking on, in parts of the jump's",
            measured=1 / ratio(found["bastion"], found["jump"]),
            unit="x",
            target=at_least(0.5),
            note=f"{size / ours / 1e6:.0f} / {size / theirs / 1e6:.0f} MB/s, {run.scale.bulk_pairs} pairs",
            runs=dict(found),
        )
    ]


def _logs(path: Path, size: int) -> Path:
    """Return a file of so many bytes of logs: a piece of them again and again."""
    piece = ordinary_logs(min(PIECE_BYTES, size))
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(piece[: size - file.tell()])
    return path
