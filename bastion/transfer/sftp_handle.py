"""Follow one SFTP handle from OPEN to CLOSE.

In      pieces of payload, and how reads, writes and CLOSE were answered
Out     the details of `progress` and `close` events
Holds   one Flow for each direction
Source  draft-ietf-secsh-filexfer-02 section 6
"""

from __future__ import annotations

from typing import Any

from bastion.transfer.flow import Direction, Flow
from bastion.transfer.sftp_request import READ_FLAG, WRITE_FLAG

NOT_CLOSED = "not-closed"


class Opened:
    """An open handle: the path it was opened by, and what passed through it."""

    __slots__ = ("_flows", "_owed", "_status", "eof", "is_file", "path")

    def __init__(self, path: str, *, is_file: bool, flags: int) -> None:
        self.path = path
        self.is_file = is_file
        self.eof = False
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
            more = {"eof": self.eof} if direction == "download" else {}
            details.append(flow.closed(complete=complete, status=status, **more))
        self._flows = {}
        return details

    def _flow(self, direction: Direction) -> Flow:
        flow = self._flows.get(direction)
        if flow is None:
            flow = self._flows[direction] = Flow(direction, path=self.path)
        return flow
