"""Know one worker, as its supervisor does.

In      what the worker says over its link
Out     orders to it; its end, after all that it had said before
Holds   the ids of its sessions that are not sealed
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections import Counter
from typing import Any, Protocol

from bastion.holds.desk import Event
from bastion.holds.office import Office
from bastion.locks.keeper import Keeper
from bastion.locks.lock import Lock
from bastion.notices.notice import Notice
from bastion.notices.reporting import Tell
from bastion.register import Register
from bastion.tasks import Tasks
from bastion.workers import approvals, handover, locks
from bastion.workers.link import Link, Message, pair
from bastion.workers.register import answer

log = logging.getLogger("bastion.supervisor")

CROWDED = 64  # messages that a worker has no room for


class Count(Protocol):
    """Whoever counts connections, by their tickets."""

    def authenticated(self, ticket: int) -> None: ...
    def tried(self, ticket: int) -> None: ...
    def closed(self, ticket: int) -> None: ...


class Member:
    """One worker process."""

    def __init__(
        self,
        number: int,
        sock: socket.socket,
        *,
        register: Register,
        office: Office,
        keeper: Keeper,
        notify: Tell,
        tasks: Tasks,
        count: Count,
    ) -> None:
        self.number = number
        self.pid = 0
        self.missed = 0
        self.killed = ""
        self.tickets: set[int] = set()  # of its connections
        self.sessions: set[str] = set()
        self.ending: list[str] = []  # sessions that the last configuration ended
        self.locked: list[str] = []  # and the last lock
        self.ready = asyncio.Event()
        self.gone = asyncio.Event()
        self._register = register
        self._office = office
        self._keeper = keeper
        self._notify = notify
        self._count = count
        self._tasks = tasks
        self._process: asyncio.subprocess.Process | None = None
        self._done: Counter[str] = Counter()  # the last number that it did, of each kind of order
        self._heard_of = asyncio.Condition()
        self._link = Link(sock, self._hear, lambda: None)

    @classmethod
    async def start(
        cls,
        number: int,
        given: handover.Handover,
        *,
        lock: int,
        register: Register,
        office: Office,
        keeper: Keeper,
        notify: Tell,
        tasks: Tasks,
        count: Count,
    ) -> Member:
        """Start a worker, which holds the data folder's lock with its supervisor."""
        ours, theirs = pair()
        member = cls(
            number,
            ours,
            register=register,
            office=office,
            keeper=keeper,
            notify=notify,
            tasks=tasks,
            count=count,
        )
        with theirs:
            member._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "bastion.workers.worker",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), lock),
                start_new_session=True,
            )
        member.pid = member._process.pid
        member._link.send({"op": "begin"}, handover.give(given))
        for standing in keeper.book.standing():
            member.change(standing)
        for hold in office.published.waiting():
            member.tell(Event(step="asked", hold=hold))
        for hold in office.published.granted():
            member.tell(Event(step="ended", hold=hold))
        return member

    @property
    def crowded(self) -> bool:
        """Say whether it does not keep up with what it is told."""
        return self._link.waiting > CROWDED

    def send(self, **message: Any) -> None:
        """Give an order."""
        self._link.send(message)

    def tell(self, event: Event) -> None:
        """Tell of a step of a hold."""
        self._link.send({"op": "hold-step", "event": approvals.event_to_json(event)})

    def give(self, ticket: int, sock: socket.socket) -> None:
        """Hand a connection over."""
        self.tickets.add(ticket)
        self._link.send({"op": "connection", "ticket": ticket}, sock.detach())

    def adopt(self, number: int, given: handover.Handover) -> None:
        """Order it to go by another configuration."""
        self.ending = []
        self._link.send({"op": "adopt", "number": number}, handover.give(given))

    def change(self, lock: Lock, number: int = 0, lifted: str = "") -> None:
        """Tell of a lock that was set, or lifted; a number is for who waits until it is done."""
        if number:
            self.locked = []
        self._link.send(locks.change_of(lock, number, lifted))

    def has_done(self, order: str, number: int) -> bool:
        return self._done[order] >= number or self.gone.is_set()

    async def done(self, order: str, number: int) -> None:
        """Wait until it has done an order (`adopt`, `lock`) of this number, or is gone."""
        async with self._heard_of:
            await self._heard_of.wait_for(lambda: self.has_done(order, number))

    def kill(self, why: str) -> None:
        """End the process, whatever state it is in."""
        if self._process is not None and not self.gone.is_set() and not self.killed:
            log.error("worker %d (process %d) is killed: %s", self.number, self.pid, why)
            self.killed = why
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def end(self) -> int:
        """Wait until the process has ended and all that it had said is heard; return its exit status."""
        assert self._process is not None  # noqa: S101 - `start` made it
        status = await self._process.wait()
        self._link.read_all()
        for ticket in self.tickets:
            self._count.closed(ticket)
        self.tickets.clear()
        self.gone.set()
        async with self._heard_of:
            self._heard_of.notify_all()
        return status

    def _hear(self, message: Message, file: int | None) -> None:
        if file is not None:  # a worker has none to give
            os.close(file)
        self.missed = 0
        match message["op"]:
            case "ready":
                self.ready.set()
            case "opened":
                self.sessions.add(message["session"])
            case "sealed":
                self.sessions.discard(message["session"])
            case "closed":
                self.tickets.discard(message["ticket"])
                self._count.closed(message["ticket"])
            case "authenticated":
                self._count.authenticated(message["ticket"])
            case "tried":
                self._count.tried(message["ticket"])
            case "ask":
                self._tasks.start(answer(self._register, self._link, message), "answer")
            case approvals.OP:
                self._tasks.start(approvals.answer(self._office, self._link, message), "answer a hold")
            case "notice":
                self._notify(Notice.from_json(message["notice"]))
            case "ending":
                self.ending += message["sessions"]
            case locks.OP:
                self._tasks.start(locks.answer(self._keeper, self._link, message), "answer about a lock")
            case "locking":
                self.locked += message["sessions"]
            case "done":
                order = message["order"]
                self._done[order] = max(self._done[order], message["number"])
                self._tasks.start(self._tell(), "done")

    async def _tell(self) -> None:
        async with self._heard_of:
            self._heard_of.notify_all()
