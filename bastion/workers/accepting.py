"""Accept connections, count them by their sources, and give each to the worker that has the fewest.

In      listening sockets; members; what becomes of a connection, by its ticket
Out     a connection with its ticket to one member, or a refusal
Holds   one ticket for each open connection (bastion.admission); what nobody can take yet waits in the backlog
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping

from bastion.admission import Admission, Refusal
from bastion.workers.member import Member

log = logging.getLogger("bastion.supervisor")

ACCEPT_AT_ONCE = 32
PAUSE_S = 0.2
SLOW = 2  # signs of life that were missed: better give connections to others
Refuse = Callable[[socket.socket, str, Refusal], None]


class Accepting:
    """The sockets that the world connects to."""

    def __init__(self, members: Mapping[int, Member], admission: Admission, refuse: Refuse) -> None:
        """`refuse` tells a client why it is not let in, and puts that on the record."""
        self.sockets: list[socket.socket] = []
        self.started = False
        self._members = members
        self._admission = admission
        self._refuse = refuse
        self._pause: asyncio.TimerHandle | None = None
        self._told = ""

    def start(self) -> None:
        """Begin to accept."""
        self.started = True
        self._pause = None
        for sock in self.sockets:
            sock.setblocking(False)
            asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def stop(self) -> None:
        """Accept no more; who waits in the backlog is refused."""
        self._rest()
        if self._pause is not None:
            self._pause.cancel()
        for sock in self.sockets:
            sock.close()
        self.sockets.clear()

    # What a worker says of a connection.

    def authenticated(self, ticket: int) -> None:
        self._admission.authenticated(ticket, self._now())

    def tried(self, ticket: int) -> None:
        self._admission.failed(ticket)

    def closed(self, ticket: int) -> None:
        self._admission.closed(ticket)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            if self._fewest() is None:
                self._pause_for_a_moment()
                return
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if self._told != str(error):  # not five times a second
                    self._told = str(error)
                    log.error("connections cannot be accepted for now: %s", error.strerror)
                self._pause_for_a_moment()
                return
            self._told = ""
            self._admit(sock, str(address[0]))

    def _admit(self, sock: socket.socket, peer: str) -> None:
        answer = self._admission.admit(peer, self._now())
        if isinstance(answer, Refusal):
            sock.setblocking(False)
            self._refuse(sock, peer, answer)
            return
        for ticket in answer.evicted:
            for member in self._members.values():
                if ticket in member.tickets:
                    member.tickets.discard(ticket)
                    member.send(op="drop", ticket=ticket)
        member_with_fewest = self._fewest()
        if member_with_fewest is None:
            self._admission.closed(answer.ticket)
            sock.close()
        else:
            member_with_fewest.give(answer.ticket, sock)

    def _fewest(self) -> Member | None:
        able = [
            member
            for member in self._members.values()
            if member.ready.is_set() and not member.gone.is_set() and not member.killed and not member.crowded
        ]
        return min(
            able, key=lambda member: (member.missed > SLOW, len(member.tickets), member.number), default=None
        )

    def _pause_for_a_moment(self) -> None:
        self._rest()
        if self._pause is not None:
            self._pause.cancel()
        self._pause = asyncio.get_running_loop().call_later(PAUSE_S, self.start)

    def _rest(self) -> None:
        for sock in self.sockets:
            asyncio.get_running_loop().remove_reader(sock)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
