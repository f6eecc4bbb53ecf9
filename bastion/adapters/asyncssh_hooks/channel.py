"""Be the server's side of a session channel: requests are decided by a coroutine, a close waits for the end.

In      packets of one channel
Out     calls on a RequestJudge
Errors  asyncssh.ProtocolError, which ends the connection
Source  RFC 4254 section 6; OpenSSH PROTOCOL section 2.1
"""

from __future__ import annotations

from typing import Any, cast

import asyncssh
from asyncssh.channel import SSHServerChannel
from asyncssh.constants import MSG_CHANNEL_CLOSE, MSG_CHANNEL_REQUEST
from asyncssh.packet import SSHPacket

from bastion.adapters.asyncssh_hooks.bounds import Bounds
from bastion.adapters.asyncssh_hooks.channel_bounds import ChannelBounds
from bastion.adapters.asyncssh_hooks.packets import DataChannel
from bastion.adapters.ssh_judges import RequestJudge
from bastion.adapters.ssh_limits import OverLimit

_CLOSED_BY_CLIENT = "closed by client"  # beside asyncssh's own states of a receiving side
_SIGNALS = frozenset(  # RFC 4254 section 6.10
    b"ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2".split()
)


class ServerChannel(ChannelBounds, DataChannel, SSHServerChannel[bytes]):
    """A session channel whose requests are decided by a coroutine, on bytes."""

    _told_closed = False

    def _judge(self) -> RequestJudge:
        return cast(RequestJudge, self._session)

    def _process_exec_request(self, packet: SSHPacket) -> bool:
        command = packet.get_string()
        packet.check_end()
        return self._decide("exec", command)

    def _process_shell_request(self, packet: SSHPacket) -> bool:
        packet.check_end()
        return self._decide("shell", b"")

    def _process_subsystem_request(self, packet: SSHPacket) -> bool:
        subsystem = packet.get_string()
        packet.check_end()
        return self._decide("subsystem", subsystem)

    def _process_env_request(self, packet: SSHPacket) -> bool:
        name, value = packet.get_string(), packet.get_string()
        packet.check_end()
        self._judge().environment_offered(name, value)
        return True

    def _process_auth_agent_req_at_openssh_dot_com_request(self, packet: SSHPacket) -> bool:  # type: ignore[override]
        packet.check_end()
        self._judge().forwarding_refused("agent")
        return False

    def _process_x11_req_request(self, packet: SSHPacket) -> bool:
        self._judge().forwarding_refused("x11")
        return False

    def _process_eow_at_openssh_dot_com_request(self, packet: SSHPacket) -> bool:
        packet.check_end()
        self._judge().output_unwanted()
        return True

    def _process_close(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        """Take the client's close, and leave ours for when the session has said how its command ended."""
        if not self._session_started or not takes_requests(self):
            super()._process_close(pkttype, pktid, packet)
            return
        if self._recv_state not in ("open", "eof_pending", "eof"):
            raise asyncssh.ProtocolError("Channel not open")
        packet.check_end()
        self._recv_state = _CLOSED_BY_CLIENT
        self._send_buf, self._send_buf_len = [], 0
        self._pause_resume_writing()
        self._flush_recv_buf()

    def _flush_recv_buf(self, exc: Exception | None = None) -> None:
        """Deliver what may be delivered, the client's close after all that it had sent."""
        super()._flush_recv_buf(exc)
        if self._recv_state == _CLOSED_BY_CLIENT and not self._recv_buf and not self._told_closed:
            self._told_closed = True
            self._judge().client_closed()

    def close(self) -> None:
        """Close our side, and with it the channel if the client has closed its own."""
        if self._recv_state == _CLOSED_BY_CLIENT:
            self._recv_state = "close_pending"
        super().close()

    def abort(self) -> None:
        """Close at once."""
        if self._recv_state == _CLOSED_BY_CLIENT:
            self._recv_state = "close_pending"
        super().abort()

    def _process_request(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        """Take a request in; they queue up while one is decided, but not without bound."""
        connection = self._conn
        assert isinstance(connection, Bounds)  # noqa: S101 - which makes no other channels
        if len(self._request_queue) >= connection.limits.requests:
            raise OverLimit("requests", "Too many channel requests at once")
        super()._process_request(pkttype, pktid, packet)

    def _process_signal_request(self, packet: SSHPacket) -> bool:
        name = packet.get_string()
        packet.check_end()
        if name not in _SIGNALS:
            return False
        self._session.signal_received(name.decode("ascii"))
        return True

    # asyncssh looks handlers up in the class, not by name.
    _packet_handlers = (
        dict(SSHServerChannel._packet_handlers)
        | ChannelBounds.BOUNDED_HANDLERS
        | {
            MSG_CHANNEL_CLOSE: _process_close,
            MSG_CHANNEL_REQUEST: _process_request,
        }
    )

    def _decide(self, kind: str, data: bytes) -> bool:
        if self._session_started:
            return False
        self._session_started = True
        self._conn.create_task(self._answer(kind, data), self.logger)
        return cast(bool, None)  # asyncssh: None means that `_report_response` follows

    async def _answer(self, kind: str, data: bytes) -> None:
        accepted = await self._judge().requested(kind, data)
        if self._conn is not None and self._session is not None:
            self._report_response(accepted)


def is_open(channel: Any) -> bool:
    """Say whether a channel can still be written to, and somebody may read it."""
    return channel is not None and channel._send_state == "open" and channel._recv_state != _CLOSED_BY_CLIENT


def takes_requests(channel: Any) -> bool:
    """Say whether a channel can still carry requests: it can after the end of file, until it is closed."""
    return channel is not None and channel._send_state not in ("close_pending", "closed")


def tell_output_unwanted(channel: Any) -> None:
    """Send OpenSSH's eow@openssh.com: nobody reads this channel's output any more (OpenSSH PROTOCOL, 2.1)."""
    channel._send_request(b"eow@openssh.com")
