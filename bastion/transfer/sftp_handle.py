"""Follow one SFTP handle from OPEN to CLOSE.

In      pieces of payload, and how reads, writes and CLOSE were answered
Out     the details of `progress` and `close` events
Holds   one Flow for each direction
Source  draft-ietf-secsh-filexfer-02 section 6
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bastion.transfer.flow import Direction, Flow
from bastion.transfer.look import NOT_LOOKED_INTO, Inspection, Seen, Watched
from bastion.transfer.sftp_reads import Reads
from bastion.transfer.sftp_request import READ_FLAG, WRITE_FLAG
from bastion.transfer.tap import TapEvent

NOT_CLOSED = "not-closed"


class Look:
    """What is known of the content of one open file, both ways."""

    def __init__(self, inspection: Inspection, path: str, note: Callable[[TapEvent], None]) -> None:
        self._seen: dict[Direction, Seen] = {
            direction: Seen(direction, path, note) for direction in ("download", "upload")
        }
        self.reads = Reads(inspection, self._seen["download"])
        self.watched = Watched(inspection, self._seen["upload"])
        self.told = False  # the bot has been told that the file is stopped

    @property
    def stopped(self) -> str:
        """Say why nothing more of it is let go of."""
        return self._seen["download"].stopped

    def ended(self, direction: Direction) -> dict[str, Any]:
        """Return what the `close` event says of the content."""
        if direction == "upload":
            self.watched.end()
        else:
            self.reads.finish()
        return self._seen[direction].detail()


class Opened:
    """An open handle: the path it was opened by, and what passed through it."""

    __slots__ = ("_flows", "_owed", "_status", "closing", "eof", "handle", "is_file", "look", "path")

    def __init__(self, path: str, *, is_file: bool, flags: int, handle: bytes = b"") -> None:
        self.path = path
        self.handle = handle
        self.is_file = is_file
        self.eof = False
        self.closing = False
        self.look: Look | None = None
        self._flows: dict[Direction, Flow] = {}
        self._owed = 0  # reads and writes without an answer
        self._status: str | None = None  # what CLOSE came to
        if flags & READ_FLAG:
            self._flow("download")
        if flags & WRITE_FLAG:
            self._flow("upload")

    def asked(self) -> None:
        """Note that a read or write goes to the target."""
        self._owed += 1

    def passed(self, direction: Direction, piece: memoryview, offset: int) -> dict[str, Any]:
        """Count payload; return the detail of its `progress` event."""
        if direction == "upload" and self.look is not None:
            self.look.watched.pass_on(bytes(piece), offset)
        return self._flow(direction).add(piece, offset)

    def failed(self, direction: Direction) -> None:
        """Note that the target refused a read or a write."""
        self._flow(direction).failed += 1

    def settled(self) -> list[dict[str, Any]]:
        """Note that a read or write has its whole answer; return the `close` events if that was the last."""
        self._owed -= 1
        return self.ended() if self._status is not None and not self._owed else []

    def closed(self, status: str) -> list[dict[str, Any]]:
        """Note the answer to CLOSE; return the `close` events unless an answer may still carry payload."""
        self._status = status
        return [] if self._owed else self.ended()

    def ended(self) -> list[dict[str, Any]]:
        """Return the `close` events, once, whatever is still owed."""
        status = self._status or NOT_CLOSED
        complete = status == "ok" and not self._owed
        details = []
        for direction, flow in self._flows.items():
            more: dict[str, Any] = {"eof": self.eof} if direction == "download" else {}
            more |= NOT_LOOKED_INTO if self.look is None else self.look.ended(direction)
            details.append(flow.closed(complete=complete, status=status, **more))
        self._flows = {}
        return details

    def _flow(self, direction: Direction) -> Flow:
        flow = self._flows.get(direction)
        if flow is None:
            flow = self._flows[direction] = Flow(direction, path=self.path)
        return flow
