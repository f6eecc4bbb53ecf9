"""Tell the time: wall clock in microseconds since 1970 that never runs back while the process lives.

A wall clock that is set back would bring expired certificates and tokens to life again, and would date evidence
before what it follows. So time goes on from the latest reading by the monotonic clock, and the step is reported.

Out     now_us (int, microseconds since 1970), now (float, seconds since 1970), for any thread
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

STEP_US = 2_000_000  # a smaller step back is drift that nobody needs to hear of


class Clock:
    """The one clock."""

    def __init__(
        self,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._reading = threading.Lock()
        self._latest_us = wall_ns() // 1000
        self._latest_at_ns = monotonic_ns()
        self.stepped_back_us = 0

    def not_before(self, us: int) -> None:
        """Let time go on from `us` if it is earlier than that now (the last evidence is dated so)."""
        now_us = self.now_us()
        with self._reading:
            if us > now_us:
                self._note_step(us - now_us)
                self._latest_us = us

    def now_us(self) -> int:
        """Return the time in microseconds since 1970; never less than before."""
        with self._reading:
            return self._read_us()

    def _read_us(self) -> int:
        monotonic_ns = self._monotonic_ns()
        floor_us = self._latest_us + (monotonic_ns - self._latest_at_ns) // 1000
        wall_us = self._wall_ns() // 1000
        if wall_us < floor_us - STEP_US:
            self._note_step(floor_us - wall_us)
        if wall_us >= self._latest_us and wall_us >= floor_us - STEP_US:
            # Within drift the wall leads, as long as it does not run back.
            self._latest_us = wall_us
        else:
            self._latest_us = max(self._latest_us, floor_us)
        self._latest_at_ns = monotonic_ns
        return self._latest_us

    def _note_step(self, back_us: int) -> None:
        """Remember how far the wall clock lies behind; it wavers by microseconds, which is no further step."""
        if back_us > self.stepped_back_us + STEP_US:
            self.stepped_back_us = back_us

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self.now_us() / 1_000_000
