"""Measure how long it takes to connect and run `true`."""

from __future__ import annotations

from tests.bench.figures import median, quantile, ratio, seconds_text
from tests.bench.ground import TARGET
from tests.bench.run import Run, alternate, seconds
from tests.bench.table import Row, at_most


def measure(run: Run) -> list[Row]:
    """Return the time by the bastion in parts of the time by the jump host."""
    pairs = run.scale.connect_pairs
    with run.ground() as ground:
        run.say(f"connect: {pairs} pairs")
        found = alternate(ground.sides, pairs, lambda side: seconds(side.ssh(TARGET, "true")))
    ours, theirs = found["bastion"], found["jump"]
    return [
        Row(
            line="connect",
            what="connect and run true, p50, in parts of the jump's",
            measured=ratio(ours, theirs),
            unit="x",
            target=at_most(0.7),
            note=f"{seconds_text(median(ours))} / {seconds_text(median(theirs))}, {pairs} pairs",
            runs=dict(found),
        ),
        Row(
            line="connect",
            what="the same, p90",
            measured=quantile(ours, 0.9) / quantile(theirs, 0.9),
            unit="x",
            note=f"{seconds_text(quantile(ours, 0.9))} / {seconds_text(quantile(theirs, 0.9))}",
        ),
    ]
