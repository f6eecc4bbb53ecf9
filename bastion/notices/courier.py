"""Say what carries a notice to its channel, and what came of that.

Out     Courier, which adapters are; Outcome
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bastion.notices.outbox import Delivery

FINAL_STATUS = frozenset({400, 404, 405, 410, 413, 415, 422})  # the same again would fare the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt went; `again` says that another may fare better. `said` holds no secret and no URL."""

    delivered: bool
    said: str
    again: bool = True


class Courier(Protocol):
    """The way to one channel."""

    async def carry(self, delivery: Delivery, at: float) -> Outcome:
        """Try once, within a time of its own; never raise for what the far end does."""

    async def close(self) -> None:
        """Let go of what it has open."""


def outcome_of(status: int) -> Outcome:
    """Return what an HTTP status says."""
    said = f"answered with status {status}"
    return Outcome(delivered=200 <= status < 300, said=said, again=status not in FINAL_STATUS)
