"""Let connections in, or say why not, before anything is made for them.

In      sockets that asyncio has accepted
Out     ServerConnection values; refusals, told to the client and noted
Holds   one entry for each open connection; LINGERING refused ones, for LINGER_S, so that they can read why
Source  docs/security.md, Limits
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from bastion.adapters.asyncssh_hooks import ServerConnection
from bastion.adapters.ssh_judges import Guest
from bastion.adapters.ssh_limits import DISC_TOO_MANY_CONNECTIONS, OverLimit, goodbye
from bastion.admission import Admission, Refusal

LINGERING = 64
LINGER_S = 1.0
LINGER_BYTES = 4096
Make = Callable[[Guest], ServerConnection]
Note = Callable[[str, Refusal], None]


class Gate:
    """What stands behind a listening socket; call it for the protocol of each new connection."""

    def __init__(
        self,
        admission: Admission,
        *,
        version: str,
        make: Make,
        note: Note,
        now: Callable[[], float],
    ) -> None:
        """`make` makes a connection for a guest, `note` puts a refusal on the record, `now` never goes back."""
        self.admission = admission
        self.version = version
        self.make = make
        self.note = note
        self.now = now
        self.refusing = Refusing(version)
        self.connections: dict[int, ServerConnection] = {}

    def __call__(self) -> asyncio.Protocol:
        return _Arrival(self)

    def enter(self, peer: str) -> ServerConnection | Refusal:
        """Return a connection for whoever comes from this address; drop those that have to go for it."""
        answer = self.admission.admit(peer, self.now())
        if isinstance(answer, Refusal):
            return answer
        for ticket in answer.evicted:
            self.send_away(ticket)
        self.connections[answer.ticket] = made = self.make(_Ticket(self, answer.ticket))
        return made

    def send_away(self, ticket: int) -> None:
        """Drop a connection that has not logged in."""
        connection = self.connections.pop(ticket, None)
        if connection is not None:
            send_away(connection)


class _Ticket:
    """One connection's place in the count."""

    def __init__(self, gate: Gate, number: int) -> None:
        self._gate = gate
        self._number = number

    def authenticated(self) -> None:
        self._gate.admission.authenticated(self._number, self._gate.now())

    def tried(self) -> None:
        self._gate.admission.failed(self._number)

    def closed(self) -> None:
        self._gate.connections.pop(self._number, None)
        self._gate.admission.closed(self._number)


class _Arrival(asyncio.Protocol):
    """A connection of which nothing is known but where it comes from."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sock = cast(asyncio.Transport, transport)
        address = sock.get_extra_info("peername")
        if not address:  # gone before it was looked at
            sock.abort()
            return
        peer = str(address[0])
        answer = self._gate.enter(peer)
        protocol: asyncio.Protocol
        if isinstance(answer, Refusal):
            self._gate.note(peer, answer)
            protocol = self._gate.refusing(answer)
        else:
            protocol = answer
        sock.set_protocol(protocol)
        protocol.connection_made(sock)


class Refusing:
    """Tell those who are not let in why; call it for the protocol of such a connection."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.lingering = 0

    def __call__(self, refusal: Refusal) -> asyncio.Protocol:
        return _Refused(self, refusal)


class _Refused(asyncio.Protocol):
    """A connection that is told why it ends."""

    def __init__(self, refusing: Refusing, refusal: Refusal) -> None:
        self._refusing = refusing
        self._refusal = refusal
        self._transport: asyncio.Transport | None = None
        self._read_bytes = 0
        self._lingers = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._refusing.lingering >= LINGERING:
            self._transport.abort()
            return
        self._refusing.lingering += 1
        self._lingers = True
        self._transport.write(goodbye(self._refusing.version, self._refusal.reason))
        self._transport.write_eof()
        # Closing while the client's own version lies unread would reset the connection, and lose the reason.
        asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._read_bytes += len(data)
        if self._read_bytes > LINGER_BYTES and self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._refusing.lingering -= self._lingers


def send_away(connection: ServerConnection) -> None:
    """Drop a connection that has not logged in, for the sake of another."""
    reason = "too many connections that have not logged in; this one was the oldest"
    connection.drop(OverLimit("handshakes", reason, DISC_TOO_MANY_CONNECTIONS))
