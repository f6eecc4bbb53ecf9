"""Be the SSH server's outer door, which everybody reaches.

A connection bears a certificate (or, as `login@`, a plain key that asks for one). A jump is a `direct-tcpip` channel to
a target's name; the bastion answers it with an SSH server of its own (see ssh_jump).

In      connections
Out     calls on a House: certificates, sessions, control commands
Source  RFC 4252, 4254
"""

from __future__ import annotations

import asyncio
from typing import Any

from bastion.adapters.asyncssh_hooks import ServerConnection
from bastion.adapters.ssh_channels import BotChannel
from bastion.adapters.ssh_door import Door, House, is_goodbye, limit_of, log, why_lost
from bastion.adapters.ssh_jump import InnerServer
from bastion.certificate import CertificateError, is_certificate, sound_key
from bastion.ends import BotEnd
from bastion.errors import BastionError, Refused
from bastion.inbox import Exited
from bastion.principal import Principal
from bastion.requests import Request, parse_direct
from bastion.session import Session
from recorder.errors import RecorderError

LOGIN_USER = "login"
LOGIN_CONNECTION_S = 45.0


class OuterServer(Door):
    """The door on the listening socket."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self._plain_key: bytes | None = None
        self._asked = False
        self._direct_sessions: set[Session] = set()

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
            self.refuse_login(str(error))
            return None
        self._judged = (username, blob, login)
        return login.key

    def _judge_plain(self, username: str, blob: bytes) -> bytes | None:
        if is_certificate(blob):
            return None  # an expired one may lie beside the key: the client offers the bare key next
        try:
            sound_key(blob)
        except CertificateError as error:
            self.tell(str(error))
            return None
        self._judged = (username, blob, None)
        return blob

    def key_proven(self, username: str, blob: bytes) -> None:
        if self._judged is None or self._judged[:2] != (username, blob):
            return
        self.login = self._judged[2]
        self._plain_key = blob if self.login is None else None

    def auth_completed(self) -> None:
        self.connection.watch_idle()
        if self.login is not None:
            self.connection.guest.authenticated()
        else:  # anybody with a key gets this far: long enough for one request, no longer
            self.connection.maximum_channels = 1
            asyncio.get_running_loop().call_later(LOGIN_CONNECTION_S, self.connection.close)

    def connection_lost(self, exc: Exception | None) -> None:
        for session in list(self._direct_sessions):
            self._house.start(session.finish(why_lost(exc)), "finish")
        if exc is not None and not is_goodbye(exc):
            self._house.start(
                self._house.note_broken(
                    self.connection.peer, "connection.broken", why_lost(exc), limit_of(exc)
                ),
                "note",
            )

    # Jumps.

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        what = f"direct-tcpip {dest_host}:{dest_port}"
        try:
            principal = self._principal()
            options = self._house.inner_options(principal, dest_host)
        except (Refused, CertificateError) as error:
            raise self.prohibited(what, str(error)) from error
        return ServerConnection(
            asyncio.get_running_loop(),
            options,
            lambda: InnerServer(self._house, self, dest_host),
            limits=self.connection.limits,
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
            if self.may_refuse():
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
        self._house.start(self._serve_certificate(bot, self._plain_key), "certify")

    async def _serve_certificate(self, bot: BotChannel, key: bytes) -> None:
        if await self._house.certify(bot, key, self.connection.peer):
            self.connection.guest.authenticated()

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
        self._direct_sessions.add(session)
        session.on_end = lambda: self._direct_sessions.discard(session)
        if self.connection.is_closed():
            await session.finish(why_lost(None))
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
        if self.may_refuse(what):
            self._house.start(
                self._house.note_refused(self.who(), self.connection.peer, what, reason), "note"
            )


async def _say_and_exit(bot: BotEnd, text: str, status: int = 126) -> None:
    """Tell the client why, and end its channel."""
    await bot.write(f"bastion: {text}\r\n".encode(), error=True)
    bot.exit(Exited(status=status))
