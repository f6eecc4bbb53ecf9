"""Be the client's side of a connection to a target: commands in bytes, and data that takes the short way.

In      a connected socket and options; bytes of a command
Out     a connection that is logged in; channels of our own kind
Errors  asyncssh.Error
Source  RFC 4253, 4254
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any, cast

import asyncssh
from asyncssh.channel import SSHClientChannel
from asyncssh.connection import SSHClientConnection, SSHClientConnectionOptions

from bastion.adapters.asyncssh_hooks.bounds import Bounds
from bastion.adapters.asyncssh_hooks.channel_bounds import ChannelBounds
from bastion.adapters.asyncssh_hooks.packets import DataChannel, DataPackets
from bastion.limits import Limits
from bastion.requests import Pty

WINDOW_BYTES = 2 * 1024 * 1024
PACKET_BYTES = 32 * 1024


class Command(bytes):
    """The bytes of an exec request, which is one even when there are none."""

    def __bool__(self) -> bool:
        return True


class ClientChannel(ChannelBounds, DataChannel, SSHClientChannel[bytes]):
    """A session channel on a target."""

    _packet_handlers = dict(SSHClientChannel._packet_handlers) | ChannelBounds.BOUNDED_HANDLERS


class ClientConnection(Bounds, DataPackets, SSHClientConnection):
    """A connection to a target, which opens no channels here."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, options: SSHClientConnectionOptions, limits: Limits
    ) -> None:
        super().__init__(loop, options, wait="auth")
        self.bound(limits)

    _packet_handlers = dict(SSHClientConnection._packet_handlers) | Bounds.BOUNDED_HANDLERS

    async def open_channel(
        self,
        factory: Callable[[], asyncssh.SSHClientSession[bytes]],
        *,
        command: Command | None,
        subsystem: str | None,
        environment: Mapping[bytes, bytes],
        pty: Pty | None,
    ) -> None:
        """Open a session channel and make its request; raise asyncssh.ChannelOpenError."""
        self._update_recv_pktlen(PACKET_BYTES)
        channel = ClientChannel(self, self._loop, "strict", None, "strict", WINDOW_BYTES, PACKET_BYTES)
        await channel.create(
            factory,
            cast(Any, command),
            subsystem,
            dict(environment),
            pty is not None,
            pty.term if pty is not None else None,
            (pty.cols, pty.rows, pty.width_px, pty.height_px) if pty is not None else None,
            pty.modes if pty is not None else {},
            False,
            None,
            None,
            False,
            False,
        )


async def connect(
    sock: socket.socket, options: SSHClientConnectionOptions, limits: Limits
) -> ClientConnection:
    """Return a connection on a connected socket, logged in; raise asyncssh.Error or OSError."""
    loop = asyncio.get_running_loop()
    options.waiter = loop.create_future()
    _transport, connection = await loop.create_connection(
        lambda: ClientConnection(loop, options, limits), sock=sock
    )
    try:
        await options.waiter
    except BaseException:
        connection.abort()
        raise
    return connection
