"""Decide what strangers do wrong goes on the record, so that they cannot fill the database with it; without I/O.

What one source does wrong is noted each time at first, then now and then; that it was refused at the door, once a
minute. What is left out is counted, and the count goes with the source's next entry or, when it has stopped, into one
of its own. All sources together have a bound too.

In      a source, what it did, the time
Out     whether that goes on the record, and how many were left out before it
Holds   SOURCES counts and buckets of each kind
"""

from __future__ import annotations

from bastion.throttle import SOURCES, Allowance, Throttle

DOOR = "connection.refused"
DOOR_PER_S = 1 / 60
BURST = 200.0
PER_S = 0.2
BURST_OF_ALL = 2000.0
PER_S_OF_ALL = 1.0
OTHERS = "others"


class Notes:
    """How much of the record each source has had."""

    def __init__(self) -> None:
        self._door = Throttle(burst=1.0, per_s=DOOR_PER_S)
        self._inside = Throttle(burst=BURST, per_s=PER_S)
        self._all: Allowance | None = None
        self._left_out: dict[str, int] = {}

    def admit(self, source: str, what: str, now: float) -> int | None:
        """Return how many notes of this source were left out, if this one goes on the record; None if not."""
        throttle = self._door if what == DOOR else self._inside
        if throttle.admit(source, now) and self._take(now):
            return self._left_out.pop(source, 0)
        known = source in self._left_out or len(self._left_out) < SOURCES
        name = source if known else OTHERS
        self._left_out[name] = self._left_out.get(name, 0) + 1
        return None

    def owed(self, now: float) -> tuple[str, int] | None:
        """Return a source of which notes were left out, and how many, once that can go on the record."""
        for source in self._left_out:
            if self._door.admit(source, now) and self._take(now):
                return source, self._left_out.pop(source)
        return None

    def _take(self, now: float) -> bool:
        if self._all is None:
            self._all = Allowance(burst=BURST_OF_ALL, per_s=PER_S_OF_ALL, now=now)
        return self._all.take(now)
