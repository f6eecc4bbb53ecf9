"""Say when a worker that died is replaced, and when the service had better end.

In      deaths, each at a time in seconds
Out     how many seconds to wait before the next attempt; None when it has happened too often
"""

from __future__ import annotations

WITHIN_S = 60.0
DEATHS = 5


class Patience:
    """With the workers that one after the other take one place."""

    def __init__(self) -> None:
        self._deaths: list[float] = []

    def died(self, now: float) -> float | None:
        """Take note of a death; the first is made good at once, each further one within WITHIN_S later."""
        self._deaths = [at for at in self._deaths if now - at < WITHIN_S] + [now]
        if len(self._deaths) >= DEATHS:
            return None
        return 0.0 if len(self._deaths) == 1 else float(2 ** (len(self._deaths) - 2))
