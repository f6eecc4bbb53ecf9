"""Reach into asyncssh where its public interface stops; nothing else does.

Each hook says why it is needed and what asyncssh would have to offer instead; tests/unit/bastion/test_asyncssh_hooks.py
fails when an upgrade moves what they rest on. asyncssh is pinned to one minor version for the same reason.

ServerConnection.validate_public_key   asyncssh takes a certificate without principals for any user, drops unknown
                                       extensions and hides serial and key id. Wanted: a callback with the raw blob.
ServerConnection.send_userauth_failure asyncssh lets a client try for as long as the login may take. Wanted: a bound.
ServerConnection.reload_config         runs OpenSSH configuration matching in an executor for each user name; there
                                       is no configuration file here. Wanted: an option to leave it out.
ServerConnection(server_factory)       options carry the factory of server objects, but making options costs
                                       milliseconds, and each jump has a server object of its own. Wanted: a
                                       factory as an argument of the connection.
ServerConnection._process_channel_open asyncssh bounds neither the number of channels nor how small a packet a peer
                                       may ask for, and sends a whole window in one step. Wanted: options for both.
ServerConnection.send_packet           an IGNORE packet goes before each encrypted one, against an attack on CBC ciphers
                                       (RFC 4251 section 9.3.1); only AEAD ciphers are offered here. Wanted: as OpenSSH.
ServerConnection._send_deferred_packets what is sent during a key exchange that the peer does not finish is kept without
                                       bound, and nobody is told. Wanted: `drain()` that waits for it.
ServerConnection.pause_writing         asyncssh ignores the transport's call, so that what a slow reader does not take
                                       grows without bound. Wanted: `drain()` on a connection.
ServerConnection.peer                  inside a jump the peer address is empty. Wanted: an option for it.
ServerChannel._process_*_request       asyncssh answers exec, shell and subsystem requests before a coroutine could
                                       decide them, and refuses commands that are not UTF-8. Wanted: async callbacks
                                       with bytes.
ServerChannel._process_close           asyncssh answers a close at once: an exit status that comes later is lost, as
                                       OpenSSH's client with ControlMaster closes when output ends. Wanted: a callback
                                       that may put the answer off.
ServerChannel, tell_output_unwanted    asyncssh does not know OpenSSH's eow@openssh.com, without which `yes | head -1`
                                       never ends. Wanted: a callback and a method.
Command                                `create_session(command=…)` encodes text only as UTF-8 but passes bytes on; an
                                       empty command it takes for a shell. Wanted: bytes, and None for none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

import asyncssh
from asyncssh.channel import SSHServerChannel
from asyncssh.connection import SSHServerConnection, SSHServerConnectionOptions
from asyncssh.constants import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_OPEN,
    MSG_CHANNEL_REQUEST,
    MSG_GLOBAL_REQUEST,
    MSG_IGNORE,
)
from asyncssh.packet import SSHPacket, String

from bastion.certificate import CertificateError, key_line

MAXIMUM_AUTH_TRIES = 12  # of any method, with the client's first `none` and its queries
MAXIMUM_CHANNELS = 64  # open at once on one connection; a `login@` connection has one
MAXIMUM_REQUESTS = 64  # waiting on one channel or connection while an earlier one is decided
MINIMUM_PACKET_BYTES = 1024  # a peer that takes less makes many packets of few bytes in one step
REKEY_S = 20.0  # how long a key exchange may hold output back
MAXIMUM_ENVIRONMENT = 64
MAXIMUM_ENVIRONMENT_BYTES = 4096
_CLOSED_BY_CLIENT = "closed by client"  # beside asyncssh's own states of a receiving side
_SIGNALS = frozenset(  # RFC 4254 section 6.10
    b"ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2".split()
)
_WEAK_SIGNATURES = frozenset({b"ssh-rsa", b"ssh-dss"})  # SHA-1: RFC 8332 section 1


class KeyJudge(Protocol):
    """What the server object of a ServerConnection must offer beside asyncssh's own callbacks."""

    def judge_key(self, username: str, blob: bytes) -> bytes | None:
        """Return the bare public key's blob if this user may log in with this key or certificate."""

    def key_proven(self, username: str, blob: bytes) -> None:
        """Take note that the client has signed with the key just judged (a mere query is no proof: T4)."""


class RequestJudge(Protocol):
    """What the session object of a ServerChannel must offer beside asyncssh's own callbacks."""

    async def requested(self, kind: str, data: bytes) -> bool:
        """Decide an exec, shell or subsystem request; true once both sides stand."""

    def environment_offered(self, name: bytes, value: bytes) -> None:
        """Take note of an environment variable."""

    def forwarding_refused(self, what: str) -> None:
        """Take note that agent or X11 forwarding was asked for and refused."""

    def output_unwanted(self) -> None:
        """Take note that the client reads no more output."""

    def client_closed(self) -> None:
        """Take note that the client has closed the channel, and waits for ours to be closed."""


class Command(bytes):
    """The bytes of an exec request, which is one even when there are none."""

    def __bool__(self) -> bool:
        return True


class ServerChannel(SSHServerChannel[bytes]):
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
        if len(self._request_queue) >= MAXIMUM_REQUESTS:
            raise asyncssh.ProtocolError("Too many channel requests at once")
        super()._process_request(pkttype, pktid, packet)

    def _process_signal_request(self, packet: SSHPacket) -> bool:
        name = packet.get_string()
        packet.check_end()
        if name not in _SIGNALS:
            return False
        self._session.signal_received(name.decode("ascii"))
        return True

    # asyncssh looks handlers up in the class, not by name.
    _packet_handlers = dict(SSHServerChannel._packet_handlers) | {
        MSG_CHANNEL_CLOSE: _process_close,
        MSG_CHANNEL_REQUEST: _process_request,
    }

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


def server_options(host_key: tuple[asyncssh.SSHKey, asyncssh.SSHCertificate], **extra: Any) -> Any:
    """Return options for a server that knows public keys only and forwards nothing by itself.

    They are costly to make and hold nothing of one connection: make them once for each host certificate.
    """
    return SSHServerConnectionOptions(
        server_factory=asyncssh.SSHServer,
        server_host_keys=[host_key],
        config=None,
        gss_host=None,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        public_key_auth=True,
        x509_trusted_certs=None,
        agent_forwarding=False,
        x11_forwarding=False,
        allow_scp=False,
        encoding=None,
        line_editor=False,
        compression_algs=["none"],  # a packet of a few bytes could unpack to megabytes
        **extra,
    )


def is_open(channel: Any) -> bool:
    """Say whether a channel can still be written to, and somebody may read it."""
    return channel is not None and channel._send_state == "open" and channel._recv_state != _CLOSED_BY_CLIENT


def takes_requests(channel: Any) -> bool:
    """Say whether a channel can still carry requests: it can after the end of file, until it is closed."""
    return channel is not None and channel._send_state not in ("close_pending", "closed")


def tell_output_unwanted(channel: Any) -> None:
    """Send OpenSSH's eow@openssh.com: nobody reads this channel's output any more (OpenSSH PROTOCOL, 2.1)."""
    channel._send_request(b"eow@openssh.com")
