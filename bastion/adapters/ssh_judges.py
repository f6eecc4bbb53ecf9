"""Say what the hooks into asyncssh ask of the objects that decide.

Out     KeyJudge, RequestJudge, Guest: Protocols
"""

from __future__ import annotations

from typing import Protocol


class KeyJudge(Protocol):
    """What the server object of a ServerConnection must offer beside asyncssh's own callbacks."""

    def judge_key(self, username: str, blob: bytes) -> bytes | None:
        """Return the bare public key's blob if this user may log in with this key or certificate."""

    def key_proven(self, username: str, blob: bytes) -> None:
        """Take note that the client has signed with the key just judged (a mere query is no proof: T4)."""


class Guest(Protocol):
    """A connection as whoever let it in knows it."""

    def authenticated(self) -> None:
        """Take note that somebody has logged in with a certificate, or was given one."""

    def tried(self) -> None:
        """Take note of a login try that was not yet a login."""

    def closed(self) -> None:
        """Take note that the connection has gone."""


class _NoGuest:
    def authenticated(self) -> None: ...
    def tried(self) -> None: ...
    def closed(self) -> None: ...


NO_GUEST: Guest = _NoGuest()  # a connection that nobody counts, such as one inside a jump


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
