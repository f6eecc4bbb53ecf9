"""Look through what an scp stream has of one file, and hold of it what is not decided.

In      the file's bytes, in order
Out     what may go on
Holds   policies.masking.scanner.UNDECIDED_BYTES; with `spool` the whole file, SPOOL_BYTES_MAX, in memory alone
Errors  DetectorFault
Source  docs/masking.md
"""

from __future__ import annotations

from typing import Any

from bastion.transfer.look import Inspection, Seen

SPOOL_BYTES_MAX = 16 * 1024 * 1024


class Content:
    """The content of one file; what goes up is not held, and not stopped."""

    def __init__(self, inspection: Inspection, seen: Seen, *, holds: bool) -> None:
        self.seen = seen
        self._plan = inspection.plan
        self._scanner = inspection.plan.scanner(stops=holds)
        self._holds = holds
        self._held = bytearray()
        self._passed = 0

    def passed(self, piece: bytes, *, last: bool) -> bytes:
        """Take a piece, the `last` of the file or not; return what may go on now."""
        scanned = self._scanner.feed(piece)
        self.seen.found(scanned.hits)
        if last:
            scanned = self._scanner.finish()
            self.seen.found(scanned.hits)
        self.seen.unread = self._scanner.unread
        if not self._holds:
            return piece
        self._held += piece
        if self.seen.unread and self._plan.refuses_unread:
            self.seen.refuse(f"it cannot be read ({self.seen.unread}), and the policy refuses what cannot")
            return b""
        if scanned.stop is not None:
            self.seen.stop(scanned.stop, scanned.decided)
        if self._plan.spool and (self.seen.stopped or not last):
            return b""
        passed = bytes(self._held[: scanned.decided - self._passed])
        del self._held[: len(passed)]
        self._passed += len(passed)
        return passed

    def ended(self) -> dict[str, Any]:
        """Return what the `close` event says of it."""
        return self.seen.detail()
