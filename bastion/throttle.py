"""Slow down who asks more often than jobs do, without remembering every source there ever was.

In      a source (an address) and the time
Out     whether this one may pass
Holds   SOURCES token buckets; the one not heard of for the longest is forgotten first
"""

from __future__ import annotations

from collections import OrderedDict

SOURCES = 4096


class Allowance:
    """A bucket of tokens: `burst` at once, then `per_s` each second."""

    def __init__(self, *, burst: float, per_s: float, now: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._level = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token, if there is one."""
        self.give(max(0.0, now - self._at) * self._per_s)
        self._at = max(now, self._at)
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True

    def give(self, tokens: float) -> None:
        """Put tokens in, up to the burst."""
        self._level = min(self._burst, self._level + tokens)


class Throttle:
    """An Allowance for each source: `burst` at once, then `per_s` each second."""

    def __init__(self, *, burst: float, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._sources: OrderedDict[str, Allowance] = OrderedDict()

    def admit(self, source: str, now: float) -> bool:
        """Take one token of this source, if it has one."""
        allowance = self._sources.pop(source, None) or Allowance(
            burst=self._burst, per_s=self._per_s, now=now
        )
        self._sources[source] = allowance
        if len(self._sources) > SOURCES:
            self._sources.popitem(last=False)
        return allowance.take(now)
