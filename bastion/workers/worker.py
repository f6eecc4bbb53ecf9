"""Be a worker: answer the connections that the supervisor hands over.

In      the link, as an open file; over it connections, configurations, the order to stop
Out     what became of each connection; the sessions that are not sealed yet; a sign of life each second
Errors  exit status 1: it could not begin, or could not adopt a configuration, or lost its supervisor
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from typing import Any

from bastion.clock import Clock
from bastion.core_dumps import leave_no_core_dumps
from bastion.errors import BastionError
from bastion.journal import journal_entry, open_journal
from bastion.keyring import unpack_keyring
from bastion.memory import hold_little, keep_out_of_collections
from bastion.notices.notice import Notice
from bastion.serving import Server
from bastion.tasks import Tasks
from bastion.workers import handover
from bastion.workers.approvals import AskedApprovals
from bastion.workers.link import Link, Message
from bastion.workers.locks import AskedLocks
from bastion.workers.register import AskedRegister
from recorder.errors import RecorderError
from recorder.store import Store
from recorder.turn import Turn

log = logging.getLogger("bastion.worker")

BEAT_S = 1.0
IDS_AT_ONCE = 1000  # session ids in one message
ORPHANED_S = 3.0  # how long one that lost its supervisor may take to end and seal its sessions


class Worker:
    """One process that serves."""

    def __init__(self, sock: socket.socket) -> None:
        self._tasks = Tasks()
        self._over: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._link = Link(sock, self._heard, self._orphaned)
        self._register = AskedRegister(self._link)
        self._approvals = AskedApprovals(self._link)
        self._locks: AskedLocks | None = None
        self._server: Server | None = None
        self._store: Store | None = None

    async def run(self) -> int:
        """Serve until told to stop; return the exit status."""
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # a terminal or systemd sends them to all
            asyncio.get_running_loop().add_signal_handler(name, _leave_to_the_supervisor)
        status = await self._over
        await self._link.sent()
        await self._tasks.cancel()
        return status

    # The roll of sessions that are not sealed.

    async def enter(self, session: str) -> None:
        """Tell the supervisor of a session before anything of it is on disk: it seals what a dead worker leaves."""
        self._link.send({"op": "opened", "session": session})
        await self._link.sent()

    def leave(self, session: str) -> None:
        self._link.send({"op": "sealed", "session": session})

    def _tell(self, notice: Notice) -> None:
        """Hand a notice to the supervisor; what it has no room for is left out there."""
        self._link.send({"op": "notice", "notice": notice.to_json()})

    # What the supervisor says.

    def _heard(self, message: Message, file: int | None) -> None:
        try:
            self._obey(message, file)
        except (BastionError, RecorderError, ValueError) as error:
            log.error("this worker cannot go on: %s", error)
            self._finish(1)

    def _obey(self, message: Message, file: int | None) -> None:
        match message["op"]:
            case "begin" if file is not None:
                self._begin(handover.take(file))
            case "connection":
                self._take(message["ticket"], file)
            case "drop" if self._server is not None:
                self._server.drop(message["ticket"])
            case "adopt" if file is not None:
                self._adopt(message["number"], handover.take(file))
            case "answer":
                self._register.answered(message)
            case "hold-answer":
                self._approvals.answered(message)
            case "hold-step":
                self._approvals.stepped(message)
            case "lock-answer" if self._locks is not None:
                self._locks.answered(message)
            case "lock-change":
                self._lock(message)
            case "stop":
                self._tasks.start(self._stop(message["reason"], message["patience_s"]), "stop")
            case "end" if self._server is not None:
                self._server.house.end_all(message["reason"])

    def _begin(self, given: handover.Handover) -> None:
        assert given.keys is not None  # noqa: S101 - the supervisor gives them at the beginning
        open_journal(given.worker)
        config, keyring, clock = given.config, unpack_keyring(given.keys), Clock()
        clock.not_before(given.now_us)
        self._locks = AskedLocks(self._link, clock.now)
        self._store = Store(
            config.bastion.database,
            keyring.seal,
            now_us=clock.now_us,
            durability=config.recorder.durability,
            journal=journal_entry,
            turn=Turn(config.bastion.database, config.bastion.workers),
        )
        self._server = Server(
            config=config,
            key_files=given.key_files,
            keyring=keyring,
            store=self._store,
            clock=clock,
            register=self._register,
            approvals=self._approvals,
            locks=self._locks,
            grant_key=given.grant_key,
            roll=self,
            tell=self._tell,
        )
        self._server.start()
        keep_out_of_collections()
        self._tasks.start(self._beat(), "beat")
        self._link.send({"op": "ready"})

    def _take(self, ticket: int, file: int | None) -> None:
        """Answer one connection; without a file there was no room for another open one."""
        answered = None
        if file is not None and self._server is not None:
            answered = self._server.answer(socket.socket(fileno=file), ticket, _Guest(self._link, ticket))
        self._tasks.start(self._answered(answered, ticket), "connection")

    async def _answered(self, answered: Coroutine[Any, Any, None] | None, ticket: int) -> None:
        try:
            if answered is not None:
                await answered
        finally:
            self._link.send({"op": "closed", "ticket": ticket})

    def _adopt(self, number: int, given: handover.Handover) -> None:
        assert self._server is not None  # noqa: S101 - `begin` came first
        ended = self._server.adopt(given.config, given.key_files)
        for at in range(0, len(ended), IDS_AT_ONCE):
            self._link.send({"op": "ending", "sessions": ended[at : at + IDS_AT_ONCE]})
        self._link.send({"op": "done", "order": "adopt", "number": number})

    def _lock(self, message: Message) -> None:
        assert self._locks is not None  # noqa: S101 - `begin` came first
        self._locks.changed(message)
        ended = self._server.house.enforce_locks() if self._server is not None else []
        for at in range(0, len(ended), IDS_AT_ONCE):
            self._link.send({"op": "locking", "sessions": ended[at : at + IDS_AT_ONCE]})
        self._link.send({"op": "done", "order": "lock", "number": message["number"]})

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self._link.send({"op": "beat"})

    # The end.

    async def _stop(self, reason: str, patience_s: float, *, status: int = 0) -> None:
        if self._server is not None:
            await self._server.stop(reason, patience_s)
        if self._store is not None:
            await asyncio.to_thread(self._store.close, whole=False)
        self._finish(status)

    def _orphaned(self) -> None:
        """End every session: nobody else could tell this process to (law L2)."""
        log.error("the bastion's supervisor is gone; this worker ends its sessions")
        self._register.lost()
        self._approvals.lost()
        if self._locks is not None:
            self._locks.lost()
        asyncio.get_running_loop().call_later(ORPHANED_S, os._exit, 1)
        if self._server is not None:
            self._server.house.end_all("the bastion has stopped")
        self._tasks.start(self._stop("the bastion has stopped", 0.0, status=1), "follow")

    def _finish(self, status: int) -> None:
        if not self._over.done():
            self._over.set_result(status)


class _Guest:
    """A connection as the supervisor knows it."""

    def __init__(self, link: Link, ticket: int) -> None:
        self._link = link
        self._ticket = ticket

    def authenticated(self) -> None:
        self._link.send({"op": "authenticated", "ticket": self._ticket})

    def tried(self) -> None:
        self._link.send({"op": "tried", "ticket": self._ticket})

    def closed(self) -> None:
        """Leave it to whoever waits for the end of the connection, which may have failed before it began."""


def _leave_to_the_supervisor() -> None:
    """Do nothing, and let a program that this one starts begin with the usual effect of the signal."""


async def _work(sock: socket.socket) -> int:
    return await Worker(sock).run()


def main() -> None:
    """Serve as a worker of the process that has started this one."""
    leave_no_core_dumps()
    hold_little()
    open_journal()
    sys.exit(asyncio.run(_work(socket.socket(fileno=int(sys.argv[1])))))


if __name__ == "__main__":
    main()
