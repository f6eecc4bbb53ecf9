"""Slow down a source that asks more often than jobs do, without remembering every source there ever was.

In      a source (an address) and the time
Out     whether this one may pass
Holds   SOURCES token buckets; the one not heard of for the longest is forgotten first
"""

from __future__ import annotations

from collections import OrderedDict

SOURCES = 4096


class Throttle:
    """A token bucket for each source: `burst` at once, then `per_s` each second."""

    def __init__(self, *, burst: float, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, source: str, now: float) -> bool:
        """Take one token of this source, if it has one."""
        level, at = self._buckets.pop(source, (self._burst, now))
        level = min(self._burst, level + max(0.0, now - at) * self._per_s)
        admitted = level >= 1.0
        self._buckets[source] = (level - 1.0 if admitted else level, now)
        if len(self._buckets) > SOURCES:
            self._buckets.popitem(last=False)
        return admitted
