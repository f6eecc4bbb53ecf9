"""Be the server's side of a connection: our own judge of keys, and bounds on what a peer may do.

In      packets of one connection
Out     calls on a KeyJudge; channels of our own kind
Errors  asyncssh.DisconnectError, which ends the connection
Source  RFC 4252, 4253, 4254
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import asyncssh
from asyncssh.channel import SSHServerChannel, SSHTCPChannel
from asyncssh.connection import SSHServerConnection, SSHServerConnectionOptions
from asyncssh.packet import String

from bastion.adapters.asyncssh_hooks.agreement import Agreement
from bastion.adapters.asyncssh_hooks.bounds import Bounds
from bastion.adapters.asyncssh_hooks.channel import ServerChannel
from bastion.adapters.asyncssh_hooks.channel_bounds import ChannelBounds
from bastion.adapters.asyncssh_hooks.packets import DataChannel, DataPackets
from bastion.adapters.ssh_judges import NO_GUEST, Guest, KeyJudge
from bastion.adapters.ssh_limits import OverLimit
from bastion.certificate import CertificateError, key_line
from bastion.limits import KEEPALIVES, Limits

_WEAK_SIGNATURES = frozenset({b"ssh-rsa", b"ssh-dss"})  # SHA-1: RFC 8332 section 1


class JumpChannel(ChannelBounds, DataChannel, SSHTCPChannel[bytes]):
    """A channel that carries a connection to the far end of a jump."""

    _packet_handlers = dict(SSHTCPChannel._packet_handlers) | ChannelBounds.BOUNDED_HANDLERS


class ServerConnection(Agreement, Bounds, DataPackets, SSHServerConnection):
    """A server connection on a socket, or on a channel of another one (`outer`)."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: SSHServerConnectionOptions,
        server_factory: Callable[[], asyncssh.SSHServer],
        *,
        limits: Limits,
        outer: ServerConnection | None = None,
        guest: Guest = NO_GUEST,
    ) -> None:
        super().__init__(loop, options)
        self._protocol_factory = server_factory
        self.outer = outer
        self.guest = guest
        self.maximum_channels = limits.channels
        self._auth_tries = 0
        self.set_keepalive(limits.keepalive_s, KEEPALIVES)
        self.bound(limits)

    @property
    def peer(self) -> str:
        """Return the address of the client's own socket, never what the client says of itself."""
        if self.outer is not None:
            return self.outer.peer
        return self._peer_addr

    def has_room(self) -> bool:
        """Say whether `room` would not wait."""
        return super().has_room() and (self.outer is None or self.outer.has_room())

    async def room(self) -> None:
        """Wait until what was written so far has gone far enough for more, on this connection and its outer one."""
        await super().room()
        if self.outer is not None:
            await self.outer.room()

    def _cleanup(self, exc: Exception | None) -> None:
        super()._cleanup(exc)
        self.guest.closed()

    # asyncssh looks handlers up in the class, not by name.
    _packet_handlers = (
        dict(SSHServerConnection._packet_handlers) | Bounds.BOUNDED_HANDLERS | Agreement.AGREEMENT_HANDLERS
    )

    async def reload_config(self) -> None:
        """Leave the options as they are."""

    async def validate_public_key(self, username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
        """Judge a key or certificate, and check the client's signature over this very connection (T5)."""
        judge = cast(KeyJudge, self._owner)
        if judge is None:
            return False
        blob = judge.judge_key(username, key_data)
        if blob is None:
            return False
        if not msg:
            self._count_try()  # a query that is answered well is a try too, or it could be sent for ever
            return True
        if not self._signed(blob, msg, signature):
            return False
        judge.key_proven(username, key_data)
        return True

    def send_userauth_failure(self, partial_success: bool) -> None:
        """Refuse a login, of whatever method; a client that has tried too often is sent away."""
        self._count_try()
        super().send_userauth_failure(partial_success)

    def _count_try(self) -> None:
        self._auth_tries += 1
        self.guest.tried()
        if self._auth_tries > self.limits.auth_tries:
            code = asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE
            raise OverLimit("auth_tries", "Too many authentication failures", code)

    def _signed(self, blob: bytes, msg: bytes, signature: bytes) -> bool:
        length = int.from_bytes(signature[:4], "big")
        if signature[4 : 4 + length] in _WEAK_SIGNATURES:
            return False
        try:
            key = asyncssh.import_public_key(key_line(blob))
        except (asyncssh.KeyImportError, CertificateError):
            return False
        return key.verify(String(self._session_id) + msg, signature)

    def create_tcp_channel(
        self, encoding: str | None = None, errors: str = "strict", window: int = 0, max_pktsize: int = 0
    ) -> SSHTCPChannel[bytes]:
        """Return a channel of our own kind for a jump."""
        return JumpChannel(
            self, self._loop, None, "strict", window or self._window, max_pktsize or self._max_pktsize
        )

    def create_server_channel(
        self, encoding: str | None = "", errors: str = "", window: int = 0, max_pktsize: int = 0
    ) -> SSHServerChannel[bytes]:
        """Return a channel of our own kind, which carries bytes."""
        return ServerChannel(
            self,
            self._loop,
            self._allow_pty,
            False,
            False,
            0,
            0,
            None,
            "strict",
            window or self._window,
            max_pktsize or self._max_pktsize,
        )
