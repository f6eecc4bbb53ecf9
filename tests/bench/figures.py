"""Turn what was measured into the figures of a table: medians, quantiles, ratios, a histogram of times.

In      times in seconds, or any numbers of one unit
Out     floats; a Histogram that can be written as JSON and read back
Errors  ValueError for a quantile of nothing
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

STEPS_PER_DOUBLING = 4


def quantile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least `share` of all values do not exceed (the nearest rank)."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is no quantile of nothing")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Iterable[float]) -> float:
    """Return the middle value, or the mean of the two in the middle."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is no median of nothing")
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return our median in parts of theirs."""
    return median(ours) / median(theirs)


@dataclass(slots=True, kw_only=True)
class Histogram:
    """Counts of times by steps that double every four: 1 us is the first bound, each next 19 % above.

    A quantile of it is the upper bound of a step, so it is never too low and at most 19 % too high.
    """

    counts: dict[int, int] = field(default_factory=dict)
    longest_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one time."""
        step = step_of(seconds)
        self.counts[step] = self.counts.get(step, 0) + 1
        self.longest_s = max(self.longest_s, seconds)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def quantile(self, share: float) -> float:
        """Return the upper bound of the step in which the quantile lies, and never more than the longest."""
        rank, seen = math.ceil(share * self.total), 0
        for step in sorted(self.counts):
            seen += self.counts[step]
            if seen >= rank:
                return min(bound_s(step), self.longest_s)
        raise ValueError("there is no quantile of nothing")

    def as_json(self) -> dict[str, object]:
        """Return what `from_json` reads: the upper bound of each step that was met, and how often."""
        return {
            "counts": {str(step): self.counts[step] for step in sorted(self.counts)},
            "longest_s": self.longest_s,
        }

    @classmethod
    def from_json(cls, written: Mapping[str, object]) -> Histogram:
        """Return what `as_json` gave."""
        counts, longest_s = written["counts"], written["longest_s"]
        assert isinstance(counts, dict)
        assert isinstance(longest_s, float | int)
        return cls(
            counts={int(step): int(count) for step, count in counts.items()}, longest_s=float(longest_s)
        )

    def lines(self, width: int = 40) -> list[str]:
        """Return a bar for each doubling: its upper bound, how many, and a bar as long as its share."""
        doublings: dict[int, int] = {}
        for step, count in self.counts.items():
            doubling = -(-step // STEPS_PER_DOUBLING)
            doublings[doubling] = doublings.get(doubling, 0) + count
        most = max(doublings.values(), default=0)
        return [
            f"  to {seconds_text(bound_s(doubling * STEPS_PER_DOUBLING)):>8} {doublings[doubling]:>9}  "
            + "#" * max(1, round(width * doublings[doubling] / most))
            for doubling in sorted(doublings)
        ]


def step_of(seconds: float) -> int:
    """Return the step that a time falls in: all up to 1 us are in step 0."""
    if seconds <= 1e-6:
        return 0
    return math.ceil(math.log2(seconds * 1e6) * STEPS_PER_DOUBLING - 1e-9)


def bound_s(step: int) -> float:
    """Return the longest time that falls in a step."""
    return float(1e-6 * 2 ** (step / STEPS_PER_DOUBLING))


def seconds_text(seconds: float) -> str:
    """Return a time with three figures and the unit that suits it."""
    for unit, size_s in (("s", 1.0), ("ms", 1e-3)):
        if abs(seconds) >= size_s:
            return f"{seconds / size_s:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def bytes_text(size: int) -> str:
    """Return a whole number of MiB or GiB."""
    return f"{size >> 30} GiB" if size % (1 << 30) == 0 else f"{size / (1 << 20):g} MiB"
