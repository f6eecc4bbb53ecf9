"""Look through a file as it goes by: how much of it may pass, what was found, and what could not be read.

However the bytes are split, the same is found. Nothing is changed: what must not pass stops the file where it begins.

In      a file's bytes from one place on, in order, in any pieces
Out     Scanned: how many of them are decided and may pass, what was found in them, what stops the file
Holds   BLOCK bytes that are not judged yet, and what a Redactor holds: UNDECIDED_BYTES at most
Errors  DetectorFault
Source  docs/masking.md
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from policies.masking.action import ActionKind
from policies.masking.readable import hiding_format, is_random
from policies.masking.redactor import HOLD_BACK, Hit, Redactor

BLOCK = 32 * 1024
UNDECIDED_BYTES = BLOCK + HOLD_BACK
RANDOM = "looks encrypted or compressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """`decided` bytes, from the beginning, may pass; `stop` is what must not, from its offset on."""

    decided: int
    hits: tuple[Hit, ...] = ()
    stop: Hit | None = None


class Scanner:
    """One stretch of a file; `unread` names what hides content in it, empty if nothing does."""

    def __init__(
        self, opened: Callable[[], Redactor], *, lead_bytes: int = 0, whole: bool = True, stops: bool = True
    ) -> None:
        """`opened` gives a Redactor; `whole` says that the stretch begins where the file does.

        Unless it `stops`, all that is found may pass.

        Its first `lead_bytes` are there for what they tell of the rest: what ends within them counts for nothing.
        """
        self.unread = ""
        self._opened = opened
        self._redactor = opened()
        self._base = 0  # where in the stretch the redactor began
        self._at = 0  # where the block begins
        self._block = b""
        self._whole = whole
        self._lead_bytes = lead_bytes
        self._stops = stops
        self._stop: Hit | None = None

    def copy(self) -> Scanner:
        """Return another that goes on from here, to see what would be found."""
        other = copy.copy(self)
        other._redactor = self._redactor.copy()
        return other

    def feed(self, data: bytes) -> Scanned:
        """Take more."""
        found: list[Hit] = []
        self._block += data
        begin = 0
        while len(self._block) - begin >= BLOCK and self._stop is None:
            end = begin + BLOCK
            random = is_random(self._block[begin:end])
            while len(self._block) - end >= BLOCK and is_random(self._block[end : end + BLOCK]) is random:
                end += BLOCK  # what is alike goes on together: it costs less
            found += self._judge(self._block[begin:end], random=random)
            begin = end
        self._block = self._block[begin:]
        return self._scanned(found)

    def finish(self) -> Scanned:
        """End the stretch: all of it is decided."""
        found: list[Hit] = []
        if self._stop is None:
            if self._block:
                found += self._judge(self._block, random=is_random(self._block))
            found += self._ended()
        self._block = b""
        return self._scanned(found)

    def _judge(self, block: bytes, *, random: bool) -> Iterable[Hit]:
        if self._whole and not self._at:
            self.unread = hiding_format(block)
        at, self._at = self._at, self._at + len(block)
        if not random:
            found = self._hits(self._redactor.feed(block).hits)
            if self._stop is None and (under_way := self._redactor.under_way) is not None:
                self._see(replace(under_way, offset=under_way.offset + self._base))
            return found
        self.unread = self.unread or RANDOM
        found = self._ended()
        self._base = at + len(block)
        return found

    def _ended(self) -> list[Hit]:
        found = self._hits(self._redactor.finish().hits)
        self._redactor, self._base = self._opened(), self._at
        return found

    def _hits(self, hits: Iterable[Hit]) -> list[Hit]:
        """Return hits by their place in the stretch, and note the first that must not pass."""
        placed = [replace(hit, offset=hit.offset + self._base) for hit in hits]
        found = [hit for hit in placed if hit.offset + hit.length > self._lead_bytes]
        for hit in found:
            self._see(hit)
        return found

    def _see(self, hit: Hit) -> None:
        if not self._stops or hit.action == ActionKind.DETECT or hit.offset + hit.length <= self._lead_bytes:
            return
        if self._stop is None or hit.offset < self._stop.offset:
            self._stop = hit

    def _scanned(self, found: list[Hit]) -> Scanned:
        if self._stop is not None:
            stop = self._stop
            passed = tuple(hit for hit in found if hit.offset < stop.offset)
            return Scanned(decided=stop.offset, hits=passed, stop=stop)
        return Scanned(decided=self._at - self._redactor.held_bytes, hits=tuple(found))
