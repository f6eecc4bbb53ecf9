"""Be the SSH server: the outer door that everybody reaches, and the inner one of each jump.

The outer connection bears a certificate (or, as `login@`, a plain key that asks for one). A jump is a `direct-tcpip`
channel to a target's name; the bastion answers it with an SSH server of its own, whose login must bear the same
key and identity. Everything else that SSH can forward is refused, with a reason, and recorded.

In      connections
Out     calls on a House: certificates, sessions, control commands
Source  RFC 4252, 4254; OpenSSH PROTOCOL (streamlocal, tun)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

import asyncssh

from bastion.adapters.asyncssh_hooks import ServerConnection
from bastion.adapters.ssh_channels import BotChannel
from bastion.certificate import CertificateError, Login, is_certificate, sound_key
from bastion.errors import BastionError, Refused
from bastion.inbox import Exited
from bastion.principal import Principal
from bastion.relay import BotEnd
from bastion.requests import Request, parse_direct
from bastion.session import Session
from recorder.errors import RecorderError

log = logging.getLogger("bastion.ssh")

LOGIN_USER = "login"
LOGIN_CONNECTION_S = 45.0
MAXIMUM_REFUSALS = 32  # of things asked for on the side, before the connection is dropped
PROHIBITED = asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED


class House(Protocol):
    """What stands behind the door."""

    def judge(self, blob: bytes, peer: str) -> Login:
        """Return what a certificate says; raise CertificateError."""

    def principal(self, login: Login, peer: str) -> Principal:
        """Return who that is now; raise Refused."""

    def inner_options(self, principal: Principal, target: str) -> Any:
        """Return the server options for a jump to a target; raise Refused."""

    async def open_session(self, principal: Principal, target: str, login: str | None) -> Session:
        """Open a session; raise Refused, TargetError or RecorderError."""

    async def certify(self, bot: BotEnd, key: bytes, peer: str) -> None:
        """Serve one `certificate` request to its end."""

    async def control(self, bot: BotEnd, principal: Principal, request: Request) -> None:
        """Serve one control command to its end."""

    async def note_refused(self, principal: Principal | None, peer: str, what: str, reason: str) -> None:
        """Record that something was asked for and refused outside any session."""

    async def note_broken(self, peer: str, what: str, reason: str) -> None:
        """Record a login that was refused or a connection that broke, unless its source does this all the time."""

    def start(self, work: Coroutine[Any, Any, Any], name: str, *, awaited: bool = False) -> asyncio.Task[Any]:
        """Run something beside the connection."""


class _Server(asyncssh.SSHServer):
    """What the outer and the inner door have in common: keys only, nothing forwarded."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._connection: ServerConnection | None = None
        self._judged: tuple[str, bytes, Login | None] | None = None
        self._told: set[str] = set()
        self._refusals = 0
        self.login: Login | None = None

    @property
    def connection(self) -> ServerConnection:
        assert self._connection is not None  # noqa: S101 - asyncssh calls connection_made first
        return self._connection

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        assert isinstance(conn, ServerConnection)  # noqa: S101 - we made it
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def _tell(self, text: str) -> None:
        """Say why a login fails, once per reason, where the client shows it (RFC 4252 section 5.4)."""
        if text not in self._told and len(self._told) < MAXIMUM_REFUSALS:
            self._told.add(text)
            self.connection.send_auth_banner(f"bastion: {text}\r\n")

    def _refuse_login(self, reason: str) -> None:
        """Tell why a certificate is refused, and record it."""
        self._tell(reason)
        self._house.start(self._house.note_broken(self.connection.peer, "login.refused", reason), "note")

    # What is refused, whoever asks.

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        self.refuse(f"-R {listen_host}:{listen_port}", "remote forwarding is not served")
        return False

    def unix_server_requested(self, listen_path: str) -> bool:
        self.refuse(f"-R {listen_path}", "remote forwarding is not served")
        return False

    def unix_connection_requested(self, dest_path: str) -> bool:
        raise self._prohibited(f"streamlocal {dest_path}", "Unix sockets are not forwarded")

    def tun_requested(self, unit: int | None) -> bool:
        raise self._prohibited("tun", "tunnel devices are not served")

    def tap_requested(self, unit: int | None) -> bool:
        raise self._prohibited("tap", "tunnel devices are not served")

    def refuse(self, what: str, reason: str) -> None:
        """Record a refusal; a connection that asks for too much of this is dropped."""
        raise NotImplementedError

    def _prohibited(self, what: str, reason: str) -> asyncssh.ChannelOpenError:
        self.refuse(what, reason)
        return asyncssh.ChannelOpenError(PROHIBITED, f"bastion: {reason}")

    def _count_refusal(self) -> bool:
        self._refusals += 1
        if self._refusals > MAXIMUM_REFUSALS:
            self.connection.close()
            return False
        return True


class OuterServer(_Server):
    """The door on the listening socket."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self._plain_key: bytes | None = None
        self._asked = False

    # Login.

    def judge_key(self, username: str, blob: bytes) -> bytes | None:
        self._judged = None
        if username == LOGIN_USER:
            return self._judge_plain(username, blob)
        if not is_certificate(blob):
            return None  # OpenSSH offers a bare key before the certificate beside it: nothing to complain of
        try:
            login = self._house.judge(blob, self.connection.peer)
            self._house.principal(login, self.connection.peer)
        except (CertificateError, Refused) as error:
            self._refuse_login(str(error))
            return None
        self._judged = (username, blob, login)
        return login.key

    def _judge_plain(self, username: str, blob: bytes) -> bytes | None:
        if is_certificate(blob):
            return None  # an expired one may lie beside the key: the client offers the bare key next
        try:
            sound_key(blob)
        except CertificateError as error:
            self._tell(str(error))
            return None
        self._judged = (username, blob, None)
        return blob

    def key_proven(self, username: str, blob: bytes) -> None:
        if self._judged is None or self._judged[:2] != (username, blob):
            return
        self.login = self._judged[2]
        self._plain_key = blob if self.login is None else None

    def auth_completed(self) -> None:
        if self.login is None:  # anybody with a key gets this far: long enough for one request, no longer
            asyncio.get_running_loop().call_later(LOGIN_CONNECTION_S, self.connection.close)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and not _is_goodbye(exc):
            self._house.start(
                self._house.note_broken(self.connection.peer, "connection.broken", _why_lost(exc)), "note"
            )

    # Jumps.

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        what = f"direct-tcpip {dest_host}:{dest_port}"
        try:
            principal = self._principal()
            options = self._house.inner_options(principal, dest_host)
        except (Refused, CertificateError) as error:
            raise self._prohibited(what, str(error)) from error
        return ServerConnection(
            asyncio.get_running_loop(),
            options,
            lambda: InnerServer(self._house, self, dest_host),
            outer=self.connection,
        )

    def _principal(self) -> Principal:
        """Return who has logged in, by the configuration in force now."""
        if self.login is None:
            raise Refused("login@ serves `certificate` and nothing else")
        return self._house.principal(self.login, self.connection.peer)

    # Sessions at the bastion itself.

    def session_requested(self) -> Any:
        return BotChannel(
            self.connection,
            self._handle,
            lambda what: self.refuse(what, f"{what} forwarding is not served"),
        )

    async def _handle(self, bot: BotChannel, request: Request) -> bool:
        try:
            if self.login is None:
                self._certify(bot, request)
                return True
            principal = self._principal()
            direct = parse_direct(request.data) if request.kind == "subsystem" else None
            if direct is not None:
                return await self._direct(bot, principal, direct.target, direct.login, direct.kind, request)
            self._house.start(self._house.control(bot, principal, request), "control")
            return True
        except (BastionError, CertificateError) as error:
            await self._house.note_refused(self.who(), self.connection.peer, request.kind, str(error))
            self._house.start(_say_and_exit(bot, str(getattr(error, "public", error))), "refuse")
            return True
        except RecorderError as error:
            log.error("recorder failed: %s", error)
            self._house.start(_say_and_exit(bot, error.public), "refuse")
            return True

    def _certify(self, bot: BotChannel, request: Request) -> None:
        if request.kind != "exec" or request.data.strip() != b"certificate" or self._asked:
            raise Refused("login@ serves one request: ssh login@BASTION certificate < token > KEY-cert.pub")
        assert self._plain_key is not None  # noqa: S101 - login@ got in with a plain key
        self._asked = True
        self._house.start(self._house.certify(bot, self._plain_key, self.connection.peer), "certify")

    async def _direct(
        self,
        bot: BotChannel,
        principal: Principal,
        target: str,
        login: str | None,
        kind: str,
        request: Request,
    ) -> bool:
        session = await self._house.open_session(principal, target, login)
        within = Request(
            kind="subsystem",
            data=kind.encode(),
            pty=request.pty,
            environment=request.environment,
            environment_refused=request.environment_refused,
        )

        def closed() -> None:
            self._house.start(session.finish("the channel was closed"), "finish")

        return await session.handle(bot, within, closed)

    def who(self) -> Principal | None:
        try:
            return self._principal()
        except (Refused, CertificateError):
            return None

    def refuse(self, what: str, reason: str) -> None:
        if self._count_refusal():
            self._house.start(
                self._house.note_refused(self.who(), self.connection.peer, what, reason), "note"
            )


class InnerServer(_Server):
    """The door at the far end of a jump, in the target's name."""

    def __init__(self, house: House, outer: OuterServer, target: str) -> None:
        super().__init__(house)
        self._outer = outer
        self._target = target
        self._username = ""
        self._opening: asyncio.Task[Session] | None = None

    def judge_key(self, username: str, blob: bytes) -> bytes | None:
        self._judged = None
        if not is_certificate(blob):
            return None
        try:
            login = self._house.judge(blob, self.connection.peer)
        except CertificateError as error:
            self._refuse_login(str(error))
            return None
        outer = self._outer.login
        if outer is None or (login.key, login.identity) != (outer.key, outer.identity):
            self._refuse_login(
                "the login at the target must bear the same key and identity as the one at the bastion"
            )
            return None
        self._judged = (username, blob, login)
        return login.key

    def key_proven(self, username: str, blob: bytes) -> None:
        if self._judged is not None and self._judged[:2] == (username, blob):
            self._username, self.login = username, self._judged[2]

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        raise self._prohibited(
            f"direct-tcpip {dest_host}:{dest_port}", "forwarding is not served at a target"
        )

    def session_requested(self) -> Any:
        return self._session_channel()

    async def _session_channel(self) -> BotChannel:
        try:
            session = await self._session()
        except (BastionError, CertificateError) as error:
            raise asyncssh.ChannelOpenError(
                PROHIBITED, f"bastion: {getattr(error, 'public', error)}"
            ) from error
        except RecorderError as error:
            log.error("recorder failed: %s", error)
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_CONNECT_FAILED, f"bastion: {error.public}"
            ) from error
        return BotChannel(
            self.connection,
            session.handle,
            lambda what: self.refuse(what, f"{what} forwarding is not served"),
        )

    async def _session(self) -> Session:
        """Return this connection's session, opened at the first channel."""
        if self._opening is None:
            self._opening = self._house.start(self._open(), "open", awaited=True)
        return await asyncio.shield(self._opening)

    async def _open(self) -> Session:
        assert self.login is not None  # noqa: S101 - asyncssh opens channels after login only
        peer = self.connection.peer
        try:
            principal = self._house.principal(self.login, peer)
            session = await self._house.open_session(principal, self._target, self._username)
        except (Refused, CertificateError) as error:
            await self._house.note_refused(self._outer.who(), peer, f"session {self._target}", str(error))
            raise
        session.on_end = self.connection.close
        if self.connection.is_closed():
            await session.finish(_why_lost(None))
        return session

    def connection_lost(self, exc: Exception | None) -> None:
        opening = self._opening
        if opening is not None and opening.done() and not opening.cancelled() and opening.exception() is None:
            self._house.start(opening.result().finish(_why_lost(exc)), "finish")

    def refuse(self, what: str, reason: str) -> None:
        if not self._count_refusal():
            return
        opening = self._opening
        if opening is not None and opening.done() and opening.exception() is None:
            self._house.start(opening.result().refused(what, reason), "note")
        else:
            self._house.start(
                self._house.note_refused(self._outer.who(), self.connection.peer, what, reason), "note"
            )


def _is_goodbye(exc: Exception) -> bool:
    """Say whether a connection ended as connections do: closed, lost, or given up by the client."""
    if isinstance(exc, asyncssh.ConnectionLost | OSError):
        return True
    expected = (asyncssh.DISC_BY_APPLICATION, asyncssh.DISC_AUTH_CANCELLED_BY_USER)
    return isinstance(exc, asyncssh.DisconnectError) and exc.code in expected


def _why_lost(exc: Exception | None) -> str:
    """Return the reason for the record that a connection is gone."""
    if exc is None or _is_goodbye(exc):
        return "the bot disconnected"
    if not isinstance(exc, asyncssh.Error):  # our own fault: asyncssh would drop the connection in silence
        log.error("a connection ended by an unforeseen error", exc_info=exc)
    return f"the bot's connection broke: {str(exc)[:200] or type(exc).__name__}"


async def _say_and_exit(bot: BotEnd, text: str, status: int = 126) -> None:
    """Tell the client why, and end its channel."""
    await bot.write(f"bastion: {text}\r\n".encode(), error=True)
    bot.exit(Exited(status=status))
