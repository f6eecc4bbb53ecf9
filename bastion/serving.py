"""Serve connections in one process, the only one or one of several: all that stands behind a socket that was accepted.

In      the configuration in force, keys, a store; connections
Out     connections answered; live sessions checkpointed; the names of sessions that a new configuration ended
Errors  TokenError, ValueError: a configuration whose issuers cannot be used
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import weakref
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from bastion.adapters.asyncssh_hooks import ServerConnection
from bastion.adapters.host_identity import HostIdentity
from bastion.adapters.ssh_gate import send_away
from bastion.adapters.ssh_judges import Guest
from bastion.adapters.ssh_server import OuterServer
from bastion.adapters.ssh_upstream import SshWay
from bastion.authority import Authority
from bastion.clock import Clock
from bastion.control import Control
from bastion.holds.commands import Desk
from bastion.holds.office import Approvals
from bastion.holds.waiting import Waiting
from bastion.house import House
from bastion.issuers import Issuers
from bastion.keyring import Keyring
from bastion.locks.commands import LockDesk
from bastion.locks.keeper import Locks
from bastion.masking import prepare
from bastion.memory import give_back
from bastion.notices.reporting import Reporting, Tell
from bastion.register import Register
from bastion.requesting import RequestDesk
from bastion.roll import Roll
from bastion.served import Tree
from bastion.session import Way
from bastion.settings import Config, Target
from bastion.tallies import Tallies
from bastion.tasks import Tasks
from recorder.counted import Counted, counted
from recorder.errors import RecorderError
from recorder.recovery import checkpoint
from recorder.store import JOB_FAULTS, Store

log = logging.getLogger("bastion")

CHECKPOINT_S = 30.0
WATCH_S = 1.0
SWITCH_S = 0.0005  # the recorder's thread must not wait long for its turn at the interpreter


class Server:
    """What one process knows and does for its connections."""

    def __init__(
        self,
        *,
        config: Config,
        key_files: Mapping[str, bytes],
        keyring: Keyring,
        store: Store,
        clock: Clock,
        register: Register,
        approvals: Approvals,
        locks: Locks,
        grant_key: bytes,
        roll: Roll,
        tell: Tell,
    ) -> None:
        sys.setswitchinterval(SWITCH_S)
        self._keyring = keyring
        self._store = store
        self._clock = clock
        self._register = register
        self._book = locks.book
        self._tasks = Tasks()
        self._connections: weakref.WeakSet[ServerConnection] = weakref.WeakSet()
        self._tickets: dict[int, ServerConnection] = {}
        self._known_chunks: dict[str, int] = {}
        self._host = HostIdentity(keyring, clock.now)
        self._issuers = Issuers(self._tasks)
        self._issuers.adopt(self._issuers.prepare(config, key_files))
        prepare(config)
        waiting = Waiting(approvals, grant_key)
        requests = RequestDesk(approvals, waiting, locks.book, self._config, clock.now, store)
        self._reporting = Reporting(tell, clock.now)
        self.house = House(
            config=config,
            keyring=keyring,
            store=store,
            clock=clock,
            authority=self._authority,
            control=Control(
                Tree(Desk(approvals, self._config, clock.now), LockDesk(locks, self._config)), requests
            ),
            book=locks.book,
            waiting=waiting,
            tallies=Tallies(self._counted, clock.now),
            ways=self._way,
            host_options=self._host,
            register=register,
            roll=roll,
            reporting=self._reporting,
        )

    def start(self) -> None:
        """Begin to look after what no event announces."""
        self._tasks.start(self._watch(), "watch")

    def connection(self, guest: Guest) -> ServerConnection:
        """Return what answers one connection."""
        config = self.house.config()
        connection = ServerConnection(
            asyncio.get_running_loop(),
            self._host(config.bastion.names),
            lambda: OuterServer(self.house),
            limits=config.limits,
            guest=guest,
        )
        self._connections.add(connection)
        return connection

    def answer(self, sock: socket.socket, ticket: int, guest: Guest) -> Coroutine[Any, Any, None]:
        """Return what answers a connection that somebody else has accepted, to its end.

        It can be dropped from now on: whoever accepted it may do so before it has begun.
        """
        self._tickets[ticket] = connection = self.connection(guest)
        return self._answer(sock, ticket, connection)

    async def _answer(self, sock: socket.socket, ticket: int, connection: ServerConnection) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock)
            await connection.wait_closed()
        except OSError:
            sock.close()
        finally:
            del self._tickets[ticket]

    def drop(self, ticket: int) -> None:
        """Drop such a connection, which has not logged in, for the sake of another."""
        if (connection := self._tickets.get(ticket)) is not None:
            send_away(connection)

    def adopt(self, config: Config, key_files: Mapping[str, bytes]) -> list[str]:
        """Put another configuration in force, all or nothing; return the sessions that it ends."""
        self._issuers.adopt(self._issuers.prepare(config, key_files))
        prepare(config)
        return self.house.adopt(config)

    async def stop(self, reason: str, patience_s: float) -> None:
        """Let sessions end, close the connections, and seal what can be sealed."""
        await self.house.drain(reason, patience_s)
        self._reporting.rest()
        for connection in list(self._connections):
            connection.close()
        await self.house.seal_unsealed()
        await self._tasks.cancel()

    def _config(self) -> Config:
        return self.house.config()

    def _authority(self, config: Callable[[], Config]) -> Authority:
        return Authority(
            keyring=self._keyring,
            store=self._store,
            config=config,
            key_source=self._issuers.source,
            now=self._clock.now,
            register=self._register,
            book=self._book,
        )

    def _counted(self, identity: str, begun_us: int, since_us: int) -> Iterator[Counted]:
        return counted(self._store.path, identity, begun_us=begun_us, since_us=since_us)

    def _way(self, target: Target, login: str, *, key_id: str) -> Way:
        return SshWay(
            target,
            login,
            key_id=key_id,
            keyring=self._keyring,
            now=self._clock.now,
            limits=self.house.config().limits,
        )

    async def _watch(self) -> None:
        """Look after checkpoints and the seals that are owed."""
        since_checkpoint_s = 0.0
        while True:
            await asyncio.sleep(WATCH_S)
            self._reporting.rest()
            rested = [session.recording.rest() for session in self.house.sessions.values()]
            if any(rested):
                await asyncio.to_thread(give_back)
            since_checkpoint_s += WATCH_S
            try:
                await self.house.seal_unsealed()
                if since_checkpoint_s >= CHECKPOINT_S:
                    since_checkpoint_s = 0.0
                    await self._checkpoint()
            except (RecorderError, *JOB_FAULTS) as error:
                log.error("the recorder failed: %s", error)

    async def _checkpoint(self) -> None:
        live = list(self.house.sessions)
        known = {name: chunks for name, chunks in self._known_chunks.items() if name in self.house.sessions}
        self._known_chunks = await self._store.commit(
            lambda transaction: checkpoint(transaction, live, known)
        )
