"""Say to a peer, in its own protocol, that it goes over a limit.

Out     OverLimit, which ends one connection; the bytes that refuse one before anything was made for it
Source  RFC 4253 sections 4.2, 6 and 11.1
"""

from __future__ import annotations

import asyncssh

DISC_TOO_MANY_CONNECTIONS = 12


class OverLimit(asyncssh.DisconnectError):
    """A peer asks for more than it may have: its own connection ends, and it is told why."""

    def __init__(self, limit: str, reason: str, code: int = asyncssh.DISC_PROTOCOL_ERROR) -> None:
        """Name the limit as `[limits]` or bastion/limits.py does; peer and record get the reason."""
        super().__init__(code, reason)
        self.limit = limit


def goodbye(version: str, reason: str) -> bytes:
    """Return our version and a disconnect message, which a client shows: no keys are agreed on for this."""
    payload = b"\1" + DISC_TOO_MANY_CONNECTIONS.to_bytes(4, "big") + _string(reason.encode()) + _string(b"")
    padding = 8 - (5 + len(payload)) % 8
    padding += 8 if padding < 4 else 0
    body = bytes([padding]) + payload + bytes(padding)
    return f"SSH-2.0-{version}\r\n".encode() + len(body).to_bytes(4, "big") + body


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
