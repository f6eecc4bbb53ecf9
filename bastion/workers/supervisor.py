"""Supervise several workers over one store: start them, share connections out, replace those that die.

The supervisor alone has the lock, the listening sockets and the register; it relays no byte of any session, and never
waits for a worker.

In      a configuration with `workers` of 2 or more
Out     connections, each for the worker that has the fewest; audit entries of the service as a whole
Holds   one link and one process for each worker; the ids of sessions that are not sealed
Errors  ServeError: a worker cannot start, or dies again and again
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping

from bastion.adapters.host_identity import VERSION
from bastion.adapters.ssh_gate import Refusing
from bastion.admission import Refusal
from bastion.errors import ServeError
from bastion.holds.desk import Event
from bastion.issuers import Issuers, read_key_files
from bastion.keyring import pack_keyring
from bastion.listening import BACKLOG, listen, refused, shown
from bastion.locks.lock import Lock
from bastion.notices.secrets import Secrets
from bastion.premises import Premises
from bastion.reloading import Reloading
from bastion.settings import Config
from bastion.strangers import note_broken
from bastion.tasks import Tasks
from bastion.workers import handover
from bastion.workers.accepting import Accepting
from bastion.workers.member import Member
from bastion.workers.patience import Patience
from recorder.errors import RecorderError
from recorder.evidence import open_readonly
from recorder.recovery import Survey, close_surveyed, recover, survey
from recorder.store import JOB_FAULTS, Transaction

log = logging.getLogger("bastion.supervisor")

READY_S = 60.0
ADOPT_S = 1.0  # law L6: what is removed ends within a second
BEAT_S = 1.0
BEATS_MISSED = 10
STOP_S = 10.0  # beyond the patience that workers are told to have


class Supervisor:
    """A bastion that serves with several processes."""

    def __init__(self, config: Config) -> None:
        """Load everything and open the store; raise OperatorError or StoreError."""
        self._tasks = Tasks()
        self._key_files: Mapping[str, bytes] = read_key_files(config)
        Issuers(self._tasks).prepare(config, self._key_files)
        self._premises = Premises(config)
        self._reloading = Reloading(config, self._premises.store, self._adopt)
        self._patience = {number: Patience() for number in range(1, config.bastion.workers + 1)}
        self._members: dict[int, Member] = {}
        self._refusing = Refusing(VERSION)
        self._accepting = Accepting(self._members, self._premises.admission, self._refuse)
        self._owed: list[tuple[Member, int | None]] = []
        self._settling = asyncio.Lock()
        self._stopping = False
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._adoptions = 0
        self._lockings = 0
        self._locking = asyncio.Lock()
        self._premises.keeper.enforced_by(self._enforce, self._release)
        self._premises.office.published.listen(self._tell)

    @property
    def live(self) -> int:
        return sum(len(member.sessions) for member in self._members.values())

    async def start(self) -> None:
        config = self._reloading.config
        recovered = self._premises.recover()
        addresses = await self._bind(config)
        for number in self._patience:
            await self._spawn(number)
        try:
            async with asyncio.timeout(READY_S):
                await asyncio.gather(*(member.ready.wait() for member in self._members.values()))
        except TimeoutError:
            raise ServeError(f"the workers were not ready within {READY_S:.0f} s") from None
        if self._over.done():
            await self._over
        await self._premises.started(config, addresses, recovered)
        self._tasks.start(self._premises.watch(), "look around")
        self._tasks.start(self._watch(), "watch")
        self._accepting.start()

    async def run(self) -> None:
        await self._over

    async def stop(self, patience_s: float) -> None:
        self._stopping = True
        self._accepting.stop()
        for member in self._members.values():
            self._tell_to_stop(member, patience_s)
        try:
            async with asyncio.timeout(patience_s + STOP_S):
                await self._all_gone()
        except TimeoutError:
            for member in self._members.values():
                member.kill("it did not stop when it was told to")
            await self._all_gone()
        await self._settle()
        await self._tasks.cancel()
        keys = self._premises.keyring.seal_keys
        reason = "the process that served this session ended before it"
        try:
            await self._premises.store.commit(lambda transaction: recover(transaction, keys, reason))
        except (RecorderError, *JOB_FAULTS) as error:
            log.error("the recorder failed: %s", error)
        await self._premises.leave()

    def _tell_to_stop(self, member: Member, patience_s: float) -> None:
        member.send(op="stop", reason="the bastion is shutting down", patience_s=patience_s)

    async def _all_gone(self) -> None:
        while waiting := [member for member in self._members.values() if not member.gone.is_set()]:
            await waiting[0].gone.wait()

    async def reload(self) -> bool:
        return await self._reloading.reload()

    def end_all(self, reason: str) -> None:
        for member in self._members.values():
            member.send(op="end", reason=reason)

    # Sockets.

    async def _bind(self, config: Config) -> list[str]:
        bound = []
        for address in config.bastion.listen:
            (server,) = await listen([address], asyncio.Protocol, start=False)
            for wrapped in server.sockets:
                sock = socket.socket(fileno=wrapped.dup().detach())
                try:
                    sock.listen(BACKLOG)
                except OSError as error:
                    raise refused(address, error) from error
                self._accepting.sockets.append(sock)
                bound.append(shown(sock.getsockname()))
            server.close()
        return bound

    def _refuse(self, sock: socket.socket, peer: str, refusal: Refusal) -> None:
        self._tasks.start(self._say_why(sock, refusal), "refuse")
        store, register = self._premises.store, self._premises.register
        noted = note_broken(store, register, peer, "connection.refused", refusal.reason, refusal.limit)
        self._tasks.start(noted, "note")

    async def _say_why(self, sock: socket.socket, refusal: Refusal) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: self._refusing(refusal), sock)
        except OSError:
            sock.close()

    # Workers.

    async def _spawn(self, number: int) -> None:
        config = self._reloading.config
        given = handover.Handover(
            config=config,
            key_files=self._key_files,
            worker=number,
            now_us=self._premises.clock.now_us(),
            grant_key=self._premises.grant_key,
            keys=pack_keyring(self._premises.keyring),
        )
        member = await Member.start(
            number,
            given,
            lock=self._premises.lock.fileno(),
            register=self._premises.register,
            office=self._premises.office,
            keeper=self._premises.keeper,
            notify=self._premises.notifying.tell,
            tasks=self._tasks,
            count=self._accepting,
        )
        self._members[number] = member
        self._tasks.start(self._follow(member), f"worker {number}")
        if self._stopping:
            self._tell_to_stop(member, 0.0)

    async def _follow(self, member: Member) -> None:
        """Wait for the end of a worker, seal what it left behind, and put another in its place."""
        status = await member.end()
        if self._stopping:
            return
        first = not member.ready.is_set()
        member.ready.set()
        log.error("worker %d (process %d) ended with status %s", member.number, member.pid, status)
        self._premises.office.forget_all(member.sessions, "the process that served this session ended")
        self._owed.append((member, status))
        await self._settle()
        delay_s = self._patience[member.number].died(self._premises.clock.now())
        if first and not self._accepting.started:
            self._give_up(f"worker {member.number} could not start; the journal says why")
        elif delay_s is None:
            self._give_up(f"worker {member.number} died again and again; the journal says how")
        else:
            await asyncio.sleep(delay_s)
            if not self._stopping:
                await self._spawn(member.number)

    def _tell(self, event: Event) -> None:
        for member in self._members.values():
            if not member.gone.is_set():
                member.tell(event)

    def _give_up(self, why: str) -> None:
        if not self._over.done():
            self._over.set_exception(ServeError(why))

    async def _settle(self) -> None:
        """Record each lost worker, and seal the sessions that it had; what fails is tried again by the watch."""
        async with self._settling:
            while self._owed:
                member, status = self._owed[0]
                try:
                    await self._seal_for(member, status)
                except (RecorderError, *JOB_FAULTS) as error:
                    log.error("the sessions of worker %d are not sealed yet: %s", member.number, error)
                    return
                self._owed.pop(0)

    async def _seal_for(self, member: Member, status: int | None) -> None:
        reason = f"worker {member.number}, which served this session, ended without closing it"
        found = await asyncio.to_thread(self._surveys, sorted(member.sessions))

        def work(transaction: Transaction) -> None:
            detail = {
                "worker": member.number,
                "process": member.pid,
                "status": status,
                "reason": member.killed,
            }
            transaction.audit("worker.lost", {**detail, "sessions": [one.summary.id for one in found]})
            for one in found:
                close_surveyed(transaction, one, reason)

        await self._premises.store.commit(work)

    def _surveys(self, sessions: list[str]) -> list[Survey]:
        """Read the sessions that a dead worker left open, on a connection that keeps no writer waiting."""
        connection = open_readonly(self._premises.store.path, live=True)
        try:
            keys = self._premises.keyring.seal_keys
            found = [survey(connection, session, keys) for session in sessions]
            return [one for one in found if one is not None]
        finally:
            connection.close()

    async def _adopt(self, config: Config, key_files: Mapping[str, bytes], secrets: Secrets) -> list[str]:
        """Have every worker adopt this configuration; return the sessions it ends. Who cannot in time is killed."""
        self._key_files = key_files
        self._premises.adopt(config, secrets)
        self._adoptions += 1
        given = handover.Handover(config=config, key_files=key_files)
        asked = [member for member in self._members.values() if not member.gone.is_set()]
        for member in asked:
            member.adopt(self._adoptions, given)
        await self._done(asked, "adopt", self._adoptions, "adopt a new configuration")
        return sorted(session for member in asked for session in member.ending)

    async def _enforce(self, lock: Lock) -> list[str]:
        """Have every worker enforce a lock; return the sessions it ends. Who cannot in time is killed."""
        async with self._locking:  # one at a time, so that each worker says what this very lock has ended
            self._lockings += 1
            asked = [member for member in self._members.values() if not member.gone.is_set()]
            for member in asked:
                member.change(lock, self._lockings)
            await self._done(asked, "lock", self._lockings, "enforce a lock")
            return sorted(session for member in asked for session in member.locked)

    def _release(self, lock: Lock, how: str) -> None:
        for member in self._members.values():
            if not member.gone.is_set():
                member.change(lock, lifted=how)

    async def _done(self, asked: list[Member], order: str, number: int, what: str) -> None:
        """Wait until all that serve have done an order; kill those that have not in time (law L6)."""
        serving = [member for member in asked if member.ready.is_set()]
        try:
            async with asyncio.timeout(ADOPT_S):
                await asyncio.gather(*(member.done(order, number) for member in serving))
        except TimeoutError:
            for member in serving:
                if not member.has_done(order, number):
                    member.kill(f"it did not {what} within {ADOPT_S:.0f} s")

    async def _watch(self) -> None:
        """Kill workers that give no sign of life; settle what could not be settled at once.

        Signs are counted by this process's own steps: where the whole machine stood still, nobody missed any.
        """
        while True:
            await asyncio.sleep(BEAT_S)
            for member in self._members.values():
                member.missed += 1
                if member.ready.is_set() and member.missed > BEATS_MISSED:
                    member.kill(f"it gave no sign of life for {BEATS_MISSED * BEAT_S:.0f} s")
            if self._owed:
                await self._settle()
