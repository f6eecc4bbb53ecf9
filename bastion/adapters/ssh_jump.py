"""Be the far end of a jump: an SSH server in the target's name, on a channel of the outer connection.

Its login must bear the same key and identity as the outer one. All its channels are one session, opened at the first.

In      an SSH connection inside a `direct-tcpip` channel
Out     a Session on the target; refusals on its record
Source  RFC 4252, 4254
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh

from bastion.adapters.ssh_channels import BotChannel
from bastion.adapters.ssh_door import PROHIBITED, Door, House, limit_of, log, why_lost
from bastion.certificate import CertificateError, is_certificate
from bastion.errors import BastionError, Refused
from bastion.principal import Principal
from bastion.session import Session
from recorder.errors import RecorderError


class InnerServer(Door):
    """The door at the far end of a jump, in the target's name."""

    def __init__(self, house: House, outer: Door, target: str) -> None:
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
            self.refuse_login(str(error))
            return None
        outer = self._outer.login
        if outer is None or (login.key, login.identity) != (outer.key, outer.identity):
            self.refuse_login(
                "the login at the target must bear the same key and identity as the one at the bastion"
            )
            return None
        self._judged = (username, blob, login)
        return login.key

    def key_proven(self, username: str, blob: bytes) -> None:
        if self._judged is not None and self._judged[:2] == (username, blob):
            self._username, self.login = username, self._judged[2]

    def auth_completed(self) -> None:
        self.connection.watch_idle()

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        raise self.prohibited(f"direct-tcpip {dest_host}:{dest_port}", "forwarding is not served at a target")

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
            await self._house.note_refused(self.who(), peer, f"session {self._target}", str(error))
            raise
        session.on_end = self.connection.close
        if self.connection.is_closed():
            await session.finish(why_lost(None))
        return session

    def connection_lost(self, exc: Exception | None) -> None:
        opening = self._opening
        if opening is not None and opening.done() and not opening.cancelled() and opening.exception() is None:
            self._house.start(opening.result().finish(why_lost(exc)), "finish")
        elif limit := limit_of(exc):
            self._house.start(
                self._house.note_broken(self.connection.peer, "connection.broken", why_lost(exc), limit),
                "note",
            )

    def who(self) -> Principal | None:
        return self._outer.who()

    def refuse(self, what: str, reason: str) -> None:
        if not self.may_refuse(what):
            return
        opening = self._opening
        if opening is not None and opening.done() and opening.exception() is None:
            self._house.start(opening.result().refused(what, reason), "note")
        else:
            self._house.start(
                self._house.note_refused(self.who(), self.connection.peer, what, reason), "note"
            )
