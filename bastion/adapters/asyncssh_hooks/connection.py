"""Be the server's side of a connection: our own judge of keys, and bounds on what a peer may do.

In      packets of one connection
Out     calls on a KeyJudge; channels of our own kind
Errors  asyncssh.DisconnectError, which ends the connection
Source  RFC 4252, 4253, 4254
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, cast

import asyncssh
from asyncssh.channel import SSHServerChannel
from asyncssh.connection import SSHServerConnection, SSHServerConnectionOptions
from asyncssh.constants import MSG_CHANNEL_OPEN, MSG_GLOBAL_REQUEST, MSG_IGNORE
from asyncssh.packet import PacketDecodeError, SSHPacket, String

from bastion.adapters.asyncssh_hooks.channel import ServerChannel
from bastion.adapters.ssh_judges import KeyJudge
from bastion.certificate import CertificateError, key_line
from bastion.limits import (
    MAXIMUM_AUTH_TRIES,
    MAXIMUM_CHANNELS,
    MAXIMUM_REQUESTS,
    MINIMUM_PACKET_BYTES,
    REKEY_S,
)

_WEAK_SIGNATURES = frozenset({b"ssh-rsa", b"ssh-dss"})  # SHA-1: RFC 8332 section 1


class ServerConnection(SSHServerConnection):
    """A server connection on a socket, or on a channel of another one (`outer`)."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: SSHServerConnectionOptions,
        server_factory: Callable[[], asyncssh.SSHServer],
        *,
        outer: ServerConnection | None = None,
    ) -> None:
        super().__init__(loop, options)
        self._protocol_factory = server_factory
        self.outer = outer
        self.maximum_channels = MAXIMUM_CHANNELS
        self._auth_tries = 0
        self._room = asyncio.Event()
        self._room.set()
        self._keys_agreed = asyncio.Event()

    @property
    def peer(self) -> str:
        """Return the address of the client's own socket, never what the client says of itself."""
        if self.outer is not None:
            return self.outer.peer
        return self._peer_addr

    async def room(self) -> None:
        """Wait until what was written so far has gone far enough for more."""
        await self._room.wait()
        if self._deferred_packets:
            await self._end_of_rekey()
        if self.outer is not None:
            await self.outer.room()

    async def _end_of_rekey(self) -> None:
        """Wait for a key exchange that holds output back; a peer that does not finish it is dropped."""
        self._keys_agreed.clear()
        try:
            async with asyncio.timeout(REKEY_S):
                await self._keys_agreed.wait()
        except TimeoutError:
            self.abort()

    def _send_deferred_packets(self) -> None:
        super()._send_deferred_packets()
        self._keys_agreed.set()

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        """Send a packet, without the IGNORE that asyncssh puts before each."""
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)

    def _process_channel_open(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        """Refuse a channel too many, or one whose packets would be too small, before anything is made for it."""
        begin = packet._idx
        packet.get_string()
        number, _window, packet_bytes = packet.get_uint32(), packet.get_uint32(), packet.get_uint32()
        packet._idx = begin
        if packet_bytes < MINIMUM_PACKET_BYTES:
            reason = f"bastion: packets of fewer than {MINIMUM_PACKET_BYTES} bytes are not served"
        elif len(self._channels) >= self.maximum_channels:
            reason = f"bastion: no more than {self.maximum_channels} channels are open at once"
        else:
            super()._process_channel_open(pkttype, pktid, packet)
            return
        self.send_channel_open_failure(number, asyncssh.OPEN_RESOURCE_SHORTAGE, reason, "en")

    def _process_global_request(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        if len(self._global_request_queue) >= MAXIMUM_REQUESTS:
            raise asyncssh.ProtocolError("Too many global requests at once")
        super()._process_global_request(pkttype, pktid, packet)

    # asyncssh looks handlers up in the class, not by name.
    _packet_handlers = dict(SSHServerConnection._packet_handlers) | {
        MSG_CHANNEL_OPEN: _process_channel_open,
        MSG_GLOBAL_REQUEST: _process_global_request,
    }

    def internal_error(
        self,
        exc_info: tuple[type[BaseException], BaseException, TracebackType]
        | tuple[None, None, None]
        | None = None,
        error_logger: Any = None,
    ) -> None:
        """End the connection; for a packet or a text that cannot be read the peer is at fault, and is told so."""
        error = (exc_info or sys.exc_info())[1]
        if isinstance(error, PacketDecodeError | UnicodeDecodeError):
            broken = asyncssh.ProtocolError(f"Malformed packet or text: {type(error).__name__}")
            self._send_disconnect(broken.code, broken.reason, broken.lang)
            self._force_close(broken)
        else:
            super().internal_error(exc_info, error_logger)

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def _cleanup(self, exc: Exception | None) -> None:
        self._room.set()
        self._keys_agreed.set()
        super()._cleanup(exc)

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
        if self._auth_tries > MAXIMUM_AUTH_TRIES:
            raise asyncssh.DisconnectError(
                asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "Too many authentication failures"
            )

    def _signed(self, blob: bytes, msg: bytes, signature: bytes) -> bool:
        length = int.from_bytes(signature[:4], "big")
        if signature[4 : 4 + length] in _WEAK_SIGNATURES:
            return False
        try:
            key = asyncssh.import_public_key(key_line(blob))
        except (asyncssh.KeyImportError, CertificateError):
            return False
        return key.verify(String(self._session_id) + msg, signature)

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
