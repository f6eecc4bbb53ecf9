"""Say how much of an answer may pass: a figure for a session, or for all sessions of an identity within an hour.

In      [[limit]] tables
Out     Limit: what is counted, at most how much, and what becomes of what exceeds it
Source  docs/masking.md, "Limits"
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from policies.model import Approvers, Severity, VerdictKind, When


class Measure(StrEnum):
    """What is counted of the answers that a target gives."""

    BYTES = "bytes"
    LINES = "lines"
    HITS = "hits"


class Per(StrEnum):
    """Over what it is counted."""

    SESSION = "session"
    HOUR = "hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One [[limit]] table. `detectors` are those whose hits count; `place` is the file and key it was read from.

    A limit that asks for approval and has no approvers denies.
    """

    id: str
    measure: Measure
    at_most: int
    per: Per
    verdict: VerdictKind
    when: When = field(default_factory=When)
    detectors: frozenset[str] = frozenset()
    reason: str = ""
    severity: Severity | None = None
    approvers: Approvers | None = None
    place: tuple[str, str] = field(default=("", ""), compare=False)

    @property
    def asks(self) -> bool:
        """Say whether people are asked."""
        return self.verdict is VerdictKind.APPROVE and self.approvers is not None

    def counted(self, figure: int) -> str:
        """Return a figure in words: `1,048,577 bytes in this session, at most 1,048,576`."""
        where = "in this session" if self.per is Per.SESSION else "of this identity within an hour"
        what = self.measure.value if figure != 1 else self.measure.value.removesuffix("s")
        return f"{figure:,} {what} {where}, at most {self.at_most:,}"
