"""Keep a bot in a loop from flooding a channel: what is left out is counted, and the count is told.

Holds, of which there are never many at once, may come more often than denials and alerts. The end of a hold is always
told if its beginning was.

In      what a channel is about to be told, and the time
Out     whether it is, and how many of the same identity and kind were left out before it
Holds   two throttles of SOURCES; the ids of holds that were told, at most TOLD; counts of COUNTED identities
"""

from __future__ import annotations

from collections import OrderedDict

from bastion.notices.notice import Notice
from bastion.throttle import Allowance, Throttle

HOLD_BURST, HOLDS_PER_S = 60.0, 0.5
OTHER_BURST, OTHERS_PER_S = 5.0, 1 / 60
ALL_BURST, ALL_PER_S = 120.0, 1.0
OWED_S = 60.0
TOLD = 4096
COUNTED = 1024
OTHERS = "other identities"


class Restraint:
    """How much one channel is told."""

    def __init__(self) -> None:
        self._holds = Throttle(burst=HOLD_BURST, per_s=HOLDS_PER_S)
        self._others = Throttle(burst=OTHER_BURST, per_s=OTHERS_PER_S)
        self._all: Allowance | None = None
        self._told: OrderedDict[str, None] = OrderedDict()
        self._left_out: dict[str, int] = {}
        self._owed_at = 0.0

    def admit(self, notice: Notice, now: float) -> int | None:
        """Return how many were left out before a notice that may be told, None if it may not."""
        if notice.kind == "left-out":
            self._count(notice.identity, notice.left_out, now)
            return None
        if notice.kind == "hold.ended":
            return notice.left_out if self._ended(notice, now) else None
        throttle = self._holds if notice.kind == "hold.asked" else self._others
        if not (throttle.admit(notice.identity, now) and self._take(now)):
            self._count(notice.identity, 1 + notice.left_out, now)
            return None
        if notice.kind == "hold.asked" and notice.hold:
            self._told[str(notice.hold["id"])] = None
            if len(self._told) > TOLD:
                self._told.popitem(last=False)
        return notice.left_out + self._left_out.pop(notice.identity, 0)

    def owed(self, now: float, *, at_once: bool = False) -> tuple[str, int] | None:
        """Return an identity of which something was left out, and how much, once it is time to tell that."""
        if not self._left_out or (now < self._owed_at and not at_once):
            return None
        self._owed_at = now + OWED_S
        identity = next(iter(self._left_out))
        return identity, self._left_out.pop(identity)

    def lost(self, notice: Notice, now: float) -> None:
        """Count one that could be told, and then had to give way, and what it would have told to be left out."""
        self._count(notice.identity, notice.left_out + (notice.kind != "left-out"), now)

    def _ended(self, notice: Notice, now: float) -> bool:
        name = str(notice.hold["id"]) if notice.hold else ""
        if name in self._told:
            del self._told[name]
            return True
        return self._holds.admit(notice.identity, now) and self._take(
            now
        )  # asked before a restart, or left out

    def _count(self, identity: str, count: int, now: float) -> None:
        if not self._left_out:
            self._owed_at = now + OWED_S
        known = identity in self._left_out or len(self._left_out) < COUNTED
        name = identity if known else OTHERS
        self._left_out[name] = self._left_out.get(name, 0) + count

    def _take(self, now: float) -> bool:
        if self._all is None:
            self._all = Allowance(burst=ALL_BURST, per_s=ALL_PER_S, now=now)
        return self._all.take(now)
