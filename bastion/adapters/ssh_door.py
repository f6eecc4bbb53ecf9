"""Give every door of the SSH server what they have in common: keys only, and nothing is forwarded.

Whatever SSH can forward (-L, -R, -D, Unix sockets, tunnels, agents, X11) is refused here, with a reason where the
protocol has room for one, and recorded.

In      asyncssh's callbacks for what is refused whoever asks
Out     calls on a House: who somebody is, sessions, refusals on the record
Source  RFC 4254 sections 5 to 7; OpenSSH PROTOCOL (streamlocal, tun)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

import asyncssh

from bastion.adapters.asyncssh_hooks import ServerConnection
from bastion.adapters.ssh_limits import OverLimit
from bastion.certificate import Login
from bastion.ends import BotEnd
from bastion.principal import Principal
from bastion.requests import Request
from bastion.session import Session

log = logging.getLogger("bastion.ssh")

MAXIMUM_REFUSALS = 32  # of things asked for on the side, before the connection is dropped
_SILENT = "not responding to keepalive"  # asyncssh's words
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

    async def certify(self, bot: BotEnd, key: bytes, peer: str) -> bool:
        """Serve one `certificate` request to its end; say whether a certificate was given."""

    async def control(self, bot: BotEnd, principal: Principal, request: Request) -> None:
        """Serve one control command to its end."""

    async def note_refused(self, principal: Principal | None, peer: str, what: str, reason: str) -> None:
        """Record that something was asked for and refused outside any session."""

    async def note_broken(self, peer: str, what: str, reason: str, limit: str = "") -> None:
        """Record a login that was refused or a connection that broke, unless its source does this all the time."""

    def start(self, work: Coroutine[Any, Any, Any], name: str, *, awaited: bool = False) -> asyncio.Task[Any]:
        """Run something beside the connection."""


class Door(asyncssh.SSHServer):
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

    def tell(self, text: str) -> None:
        """Say why a login fails, once per reason, where the client shows it (RFC 4252 section 5.4)."""
        if text not in self._told and len(self._told) < MAXIMUM_REFUSALS:
            self._told.add(text)
            self.connection.send_auth_banner(f"bastion: {text}\r\n")

    def refuse_login(self, reason: str) -> None:
        """Tell why a certificate is refused, and record it."""
        self.tell(reason)
        self._house.start(self._house.note_broken(self.connection.peer, "login.refused", reason), "note")

    # What is refused, whoever asks.

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        self.refuse(f"-R {listen_host}:{listen_port}", "remote forwarding is not served")
        return False

    def unix_server_requested(self, listen_path: str) -> bool:
        self.refuse(f"-R {listen_path}", "remote forwarding is not served")
        return False

    def unix_connection_requested(self, dest_path: str) -> bool:
        raise self.prohibited(f"streamlocal {dest_path}", "Unix sockets are not forwarded")

    def tun_requested(self, unit: int | None) -> bool:
        raise self.prohibited("tun", "tunnel devices are not served")

    def tap_requested(self, unit: int | None) -> bool:
        raise self.prohibited("tap", "tunnel devices are not served")

    def who(self) -> Principal | None:
        """Return who has logged in, by the configuration in force now; None for nobody."""
        raise NotImplementedError

    def refuse(self, what: str, reason: str) -> None:
        """Record a refusal; a connection that asks for too much of this is dropped."""
        raise NotImplementedError

    def prohibited(self, what: str, reason: str) -> asyncssh.ChannelOpenError:
        self.refuse(what, reason)
        return asyncssh.ChannelOpenError(PROHIBITED, f"bastion: {reason}")

    def may_refuse(self, what: str = "") -> bool:
        """Say whether one more refusal is recorded; who goes on past the bound is dropped.

        Not so for agent and X11 forwarding: a client that is told to forward asks anew for each command.
        """
        self._refusals += 1
        if self._refusals > MAXIMUM_REFUSALS and what not in ("agent", "x11"):
            self.connection.close()
        return self._refusals <= MAXIMUM_REFUSALS


def limit_of(exc: Exception | None) -> str:
    """Return the limit that a peer went over, if that is how its connection ended."""
    return exc.limit if isinstance(exc, OverLimit) else ""


def is_goodbye(exc: Exception) -> bool:
    """Say whether a connection ended as connections do: closed, lost, idle, or given up by the client."""
    if isinstance(exc, asyncssh.ConnectionLost | OSError):
        return True
    expected = (asyncssh.DISC_BY_APPLICATION, asyncssh.DISC_AUTH_CANCELLED_BY_USER)
    return isinstance(exc, asyncssh.DisconnectError) and exc.code in expected


def why_lost(exc: Exception | None) -> str:
    """Return the reason for the record that a connection is gone."""
    if isinstance(exc, asyncssh.ConnectionLost) and _SILENT in str(exc):
        return "the bot has gone: it answered no keep-alives"
    if isinstance(exc, OverLimit):
        return f"the connection went over its limit {exc.limit}: {exc.reason}"
    if exc is None or is_goodbye(exc):
        return "the bot disconnected"
    if not isinstance(exc, asyncssh.Error):  # our own fault: asyncssh would drop the connection in silence
        log.error("a connection ended by an unforeseen error", exc_info=exc)
    return f"the bot's connection broke: {str(exc)[:200] or type(exc).__name__}"
