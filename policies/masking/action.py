"""Say what becomes of what a detector finds: gone, gone but for an edge, a keyed digest, or counted only.

In      the bytes that were found
Out     what stands in their place; for `detect` the bytes themselves
Source  docs/masking.md
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from policies.masking.detector import Detector

DIGEST_CHARACTERS = 12
MAX_EDGE = 4

_WIDE = re.compile(rb"[^\0]\0[^\0]")


class ActionKind(StrEnum):
    """The four ways."""

    REDACT = "redact"
    PARTIAL = "partial"
    HASH = "hash"
    DETECT = "detect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One way; `first` and `last` say how many characters `partial` keeps at either end."""

    kind: ActionKind = ActionKind.REDACT
    first: int = 0
    last: int = MAX_EDGE

    def replacement(self, detector: Detector, value: bytes, key: bytes) -> bytes:
        """Return what stands for the value."""
        label = detector.name
        if self.kind is ActionKind.DETECT:
            return value
        if self.kind is ActionKind.HASH:
            label += ":" + hmac.new(key, value, sha256).hexdigest()[:DIGEST_CHARACTERS]
        mark = f"[{label}]".encode()
        # A short value would be told by its edges: of eight characters at least half stay hidden.
        if self.kind is ActionKind.PARTIAL and len(value) >= 2 * (self.first + self.last):
            mark = value[: self.first] + mark + (value[-self.last :] if self.last else b"")
        if _WIDE.match(value):  # two bytes a character: keep it so, or what follows cannot be read
            mark = b"\0".join(mark[at : at + 1] for at in range(len(mark)))
        return mark


REDACT = Action()
PASSES = Action(kind=ActionKind.DETECT)
