"""Bound what a peer can make of us over one channel; for either side, before asyncssh's own class in the bases.

In      packets of one channel
Out     the same, with data that is held back joined
Holds   the channel's window of data, in at most HELD_PIECES pieces
Errors  OverLimit, which ends the connection
Source  RFC 4254 section 5.2
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncssh.channel import SSHChannel
from asyncssh.constants import MSG_CHANNEL_WINDOW_ADJUST
from asyncssh.packet import SSHPacket

from bastion.adapters.ssh_limits import OverLimit
from bastion.limits import HELD_PIECES, JOINED_BYTES

LARGEST_WINDOW_BYTES = 2**32 - 1

if TYPE_CHECKING:
    _Channel = SSHChannel[bytes]
else:
    _Channel = object


class ChannelBounds(_Channel):
    """A channel whose peer cannot make its bytes cost more than they are."""

    def _accept_data(self, data: bytes, datatype: int | None = None) -> None:
        """Take in data; what is held back and comes in small pieces is joined: each costs a hundred bytes of ours."""
        held = self._recv_buf
        if (
            self._recv_paused
            and held
            and held[-1][1] == datatype
            and len(held[-1][0]) + len(data) <= JOINED_BYTES
            and self._send_state not in ("close_pending", "closed")
        ):
            self._recv_window -= len(data)
            held[-1] = (b"".join((held[-1][0], data)), datatype)
            return
        if len(held) >= HELD_PIECES:
            raise OverLimit("pieces", f"more than {HELD_PIECES} small packets before the first could go on")
        super()._accept_data(data, datatype)

    def _flush_recv_buf(self, exc: Exception | None = None) -> None:
        """Deliver what may be delivered, in time that grows with its length only."""
        held, self._recv_buf = self._recv_buf, []
        at = 0
        while at < len(held) and not self._recv_paused:
            self._deliver_data(*held[at])
            at += 1
        self._recv_buf = held[at:] + self._recv_buf
        super()._flush_recv_buf(exc)

    def _process_window_adjust(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        super()._process_window_adjust(pkttype, pktid, packet)
        if self._send_window > LARGEST_WINDOW_BYTES:
            raise OverLimit("window", "a window may not grow past 4294967295 bytes")

    # asyncssh looks handlers up in a table of the class, not by name: each class that has bounds takes these in.
    BOUNDED_HANDLERS: Any = {MSG_CHANNEL_WINDOW_ADJUST: _process_window_adjust}  # noqa: RUF012
