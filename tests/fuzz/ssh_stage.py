"""Put the real server before a peer that is a list of bytes: no socket, no clock, no cipher.

The key exchange of each input would take more time than all else, so a stage can begin behind it: `behind_keys` gives
both sides a cipher that alters nothing, or AES-GCM with known keys, and the session id SESSION_ID.
tests/unit/test_fuzz.py shows that a login over such a stage holds and fails as it does over a real key exchange.

In      pieces of bytes, fed one after the other
Out     Stage: what the server sent, and how it ended; a Finding if it ended in a way that nobody foresaw
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from asyncssh.encryption import get_encryption

from bastion import certificate
from bastion.adapters.asyncssh_hooks import ServerConnection
from bastion.adapters.host_identity import HostIdentity
from bastion.adapters.ssh_door import House
from bastion.adapters.ssh_server import OuterServer
from bastion.certificate import Login
from bastion.ends import BotEnd
from bastion.errors import Refused, UnknownTarget
from bastion.identity import Identity
from bastion.inbox import Closed, Data, Eof, Exited
from bastion.keyring import Keyring
from bastion.limits import Limits
from bastion.principal import Principal
from bastion.requests import Request
from recorder.seal import KeySet, Signer, generate_seal_key
from tests.fuzz.target import Finding, require
from tests.unit.bastion import certificate_forge as forge

SESSION_ID = b"\x11" * 32
BLOCK_BYTES = 16
TAG_BYTES = 16
RESTS = 5000  # turns of the loop in which an input must have come to rest
HELD_BYTES = 512 * 1024  # of what was received and not yet read
SENT_BYTES = 4 * 1024 * 1024


def _options() -> Any:
    """Return the very options that the server has, for keys that are the same in every run."""
    seal = Signer(generate_seal_key())
    keyring = Keyring(
        folder=Path(), login_ca=forge.key("login-ca"), user_ca=forge.key("user-ca"), host_ca=forge.key("host-ca"),
        host=forge.key("host"), seal=seal, seal_keys=KeySet.of(seal), made=(),
    )  # fmt: skip
    return HostIdentity(keyring, lambda: forge.NOW)(("bastion",))


class TimelessLoop(asyncio.SelectorEventLoop):
    """A loop whose timers never fire, and are forgotten after each input."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.faults.append(context))

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return asyncio.TimerHandle(when, callback, args, self, context)

    @property
    def at_rest(self) -> bool:
        return not self._ready


LOOP = TimelessLoop()
OPTIONS = _options()


class Plain:
    """A cipher that alters nothing, and keeps the payloads that it was asked to decrypt."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    def decrypt_header(self, _seq: int, first: bytes, header: int) -> tuple[bytes, bytes]:
        return first, first[:header]

    def decrypt_packet(self, _seq: int, first: bytes, rest: bytes, header: int, _mac: bytes) -> bytes:
        packet = first[header:] + rest
        if packet:
            self.payloads.append(packet[1 : -packet[0]])
        return packet

    def encrypt_packet(self, _seq: int, header: bytes, packet: bytes) -> tuple[bytes, bytes]:
        return header + packet, b""


def gcm(name: bytes) -> Any:
    """Return the AES-GCM that begins with the keys of this name; each counts for itself."""
    key = hashlib.sha256(name).digest()
    return get_encryption(b"aes128-gcm@openssh.com", key[:16], key[16:28])


class Wire(asyncio.Transport):
    """A transport that keeps what is written, up to a bound."""

    def __init__(self, closed: Callable[[], None]) -> None:
        super().__init__()
        self.sent = bytearray()
        self._closed = closed
        self._closing = False

    def write(self, data: Any) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            LOOP.call_soon(self._closed)

    abort = close

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": (forge.PEER, 40000), "sockname": ("192.0.2.1", 22)}.get(name, default)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


class StubHouse:
    """What stands behind the door: real judgement of certificates, no targets, commands that echo."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, ...]] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    def judge(self, blob: bytes, peer: str) -> Login:
        return certificate.check_login(blob, ca=forge.key("login-ca").public_key(), now=forge.NOW, peer=peer)

    def principal(self, login: Login, peer: str) -> Principal:
        if login.identity != "orders-deployer":
            raise Refused(f"identity {login.identity} is no longer declared at this bastion")
        identity = Identity(
            name=login.identity, owner="dana", issuer="acme", match={"sub": "x"}, groups=("ci",), lifetime_s=600,
            session_s=600,
        )  # fmt: skip
        return Principal(identity=identity, owner="dana", groups=frozenset(), login=login, peer=peer)

    def inner_options(self, _principal: Principal, target: str) -> Any:
        if target != "web-1":
            raise UnknownTarget(f"no target {target[:64]!r}")
        return OPTIONS

    async def open_session(self, _principal: Principal, target: str, _login: str | None) -> Any:
        raise UnknownTarget(f"no target {target[:64]!r}")

    async def certify(self, bot: BotEnd, _key: bytes, _peer: str) -> bool:
        await self._echo(bot)
        return True

    async def control(self, bot: BotEnd, _principal: Principal, request: Request) -> None:
        request.detail()
        await self._echo(bot)

    async def _echo(self, bot: BotEnd) -> None:
        while True:
            for item in await bot.inbox.take():
                match item:
                    case Data():
                        await bot.write(item.data)
                    case Eof() | Closed():
                        bot.exit(Exited(status=0))
                        return
                    case _:
                        pass

    async def note_refused(self, _who: Principal | None, peer: str, what: str, reason: str) -> None:
        self._note(peer, what, reason)

    async def note_broken(self, peer: str, what: str, reason: str, limit: str = "") -> None:
        self._note(peer, what, reason, limit)

    def _note(self, *words: str) -> None:
        for word in words:
            word[:512].encode("utf-8")  # the record takes text that is text
        self.notes.append(words)

    def start(
        self, work: Coroutine[Any, Any, Any], _name: str, *, awaited: bool = False
    ) -> asyncio.Task[Any]:
        task = LOOP.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        self._passed_on = True

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self.found.append(f"{record.getMessage()}: {cause!r}")

    def __enter__(self) -> _Errors:
        self.found.clear()
        LOG.addHandler(self)
        self._passed_on, LOG.propagate = LOG.propagate, False
        return self

    def __exit__(self, *_: object) -> None:
        LOG.removeHandler(self)
        LOG.propagate = self._passed_on


LOG = logging.getLogger("bastion")
ERRORS = _Errors()


class NotingDoor(OuterServer):
    """The real outer door, which keeps the inner connections that it makes."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.jumps: list[Any] = []

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        self.jumps.append(super().connection_requested(dest_host, dest_port, orig_host, orig_port))
        return self.jumps[-1]


def _agree(it: Any, received: Plain) -> None:
    """Put a connection behind a key exchange that gave it ciphers which alter nothing."""
    it._session_id, it._strict_kex = SESSION_ID, True
    it._client_version, it._recv_handler = b"SSH-2.0-peer", it._recv_pkthdr
    it._recv_encryption, it._recv_blocksize, it._recv_macsize = received, BLOCK_BYTES, 0
    it._send_encryption, it._send_enchdrlen, it._send_blocksize = Plain(), 1, BLOCK_BYTES
    it._kex_complete, it._can_recv_ext_info, it._next_service = True, True, b"ssh-userauth"
    it._rekey_time = float("inf")


class Stage:
    """One connection, from its first byte to its end."""

    def __init__(self) -> None:
        self.house = StubHouse()
        self.door = NotingDoor(self.house)
        self.connection: Any = ServerConnection(LOOP, OPTIONS, lambda: self.door, limits=Limits())
        self.wire = Wire(lambda: self.connection.connection_lost(None))
        self.received = Plain()
        self.inner_received = Plain()
        self._opener: Any = None
        self.connection.connection_made(self.wire)

    def behind_keys(self, *, sealed: bool = False) -> Stage:
        """Let both sides have agreed on keys, with strict key exchange; `sealed` with AES-GCM."""
        _agree(self.connection, self.received)
        if sealed:
            it = self.connection
            it._recv_encryption, it._send_encryption, it._recv_macsize = gcm(b"in"), gcm(b"out"), TAG_BYTES
            self._opener = gcm(b"out")
        self.wire.sent.clear()
        return self

    def logged_in(self, *, plain_key: bool = False) -> Stage:
        """Let the login be over: with a certificate, or as login@ with a plain key."""
        self.connection._auth_complete, self.connection._next_service = True, None
        if plain_key:
            self.door._plain_key, self.connection.maximum_channels = forge.blob("bot"), 1
        else:
            self.door.login = self.house.judge(forge.certificate(), forge.PEER)
        return self

    @property
    def inner(self) -> Any:
        """Return the server at the far end of the jump that was opened last, behind its keys; None without one."""
        made = self.door.jumps[-1] if self.door.jumps else None
        if made is not None and made._session_id != SESSION_ID and not made.is_closed():
            self.inner_received = Plain()
            _agree(made, self.inner_received)
        return made

    def play(self, pieces: Iterable[bytes]) -> Stage:
        """Feed the pieces, hang up, and demand that the server ended as it should."""
        LOOP.faults.clear()
        with ERRORS:
            LOOP.run_until_complete(self._play(pieces))
            left = asyncio.all_tasks(LOOP)
            for task in left:
                task.cancel()
            if left:
                LOOP.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        require(not LOOP.faults, f"reached the loop's exception handler: {LOOP.faults[:1]}")
        require(not ERRORS.found, f"logged as our own fault: {ERRORS.found[:1]}")
        require(not left, f"tasks outlive their connection: {[task.get_coro() for task in left][:2]}")
        return self

    async def _play(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if self.wire.is_closing():
                break
            self.connection.data_received(piece)
            await _rest()
            require(
                len(self.connection._inpbuf) <= HELD_BYTES + len(piece), "holds too much of what it received"
            )
            require(len(self.wire.sent) <= SENT_BYTES, "sends much more than it was sent")
        if not self.wire.is_closing():
            self.wire.close()
        await _rest()
        require(self.connection.is_closed(), "the connection is not closed although its client is gone")

    def opening(self) -> list[bytes]:
        """Return the payloads that the server sent from the beginning, up to its new keys."""
        del self.wire.sent[: self.wire.sent.index(b"\n") + 1]
        return self.sent()

    def sent(self) -> list[bytes]:
        """Return the payloads that the server sent since the keys were there, up to other keys."""
        payloads, data = [], bytes(self.wire.sent)
        tag = TAG_BYTES if self._opener else 0
        while data:
            length = int.from_bytes(data[:4], "big")
            plain = data[4 : 4 + length]
            if self._opener:
                plain = self._opener.decrypt_packet(
                    0, data[:4], plain, 4, data[4 + length : 4 + length + tag]
                )
            require(
                plain is not None and len(plain) == length > plain[0], "the server sent a packet that is none"
            )
            payloads.append(plain[1 : length - plain[0]])
            data = (
                b"" if payloads[-1][:1] == b"\x15" else data[4 + length + tag :]
            )  # new keys, of a real exchange
        return payloads


async def _rest() -> None:
    """Wait until nothing is left to do."""
    idle = 0
    for _ in range(RESTS):
        await asyncio.sleep(0)
        idle = idle + 1 if LOOP.at_rest else 0
        if idle == 2:
            return
    raise Finding("does not come to rest")
