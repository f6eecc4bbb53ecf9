"""Hold what a running bastion knows, and answer what its doors ask.

In      the configuration in force (swapped whole by `adopt`), the keyring, the store, the clock
Out     principals, sessions, certificates, host certificates for jumps
Errors  Refused and its kin, to be told to the client; RecorderError when nothing can be recorded (law L2)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from ulid import ULID

from bastion import certificate
from bastion.authority import Authority, fingerprint, run_name
from bastion.certificate import Login
from bastion.certifying import certify, end
from bastion.clock import Clock
from bastion.control import Control
from bastion.ends import BotEnd
from bastion.errors import Expired, Refused
from bastion.holds.waiting import Waiting
from bastion.identity import resolve_owner
from bastion.keyring import Keyring
from bastion.locks.book import Book
from bastion.locks.lock import party_now, party_of
from bastion.notices.reporting import Reporting
from bastion.principal import Principal, find_identity, principal_of
from bastion.register import Register
from bastion.requests import Request
from bastion.resolve import check_login, find_target, resolve
from bastion.roll import Roll
from bastion.session import Session, Way
from bastion.settings import Config, Target
from bastion.strangers import mention, note_broken
from bastion.tallies import Tallies
from bastion.tasks import Tasks
from recorder.errors import RecorderError
from recorder.recording import Header, Recording
from recorder.store import Store

log = logging.getLogger("bastion.house")


class Ways(Protocol):
    """Make the way to a target."""

    def __call__(self, target: Target, login: str, *, key_id: str) -> Way: ...


class HostOptions(Protocol):
    """Make the server options under which the bastion answers in a name."""

    def __call__(self, names: tuple[str, ...]) -> Any: ...


class House:
    """A running bastion, without its sockets."""

    def __init__(
        self,
        *,
        config: Config,
        keyring: Keyring,
        store: Store,
        clock: Clock,
        authority: Callable[[Callable[[], Config]], Authority],
        control: Control,
        book: Book,
        waiting: Waiting,
        tallies: Tallies,
        ways: Ways,
        host_options: HostOptions,
        register: Register,
        roll: Roll,
        reporting: Reporting,
    ) -> None:
        self._current = config
        self._keyring = keyring
        self._store = store
        self._clock = clock
        self._control = control
        self._book = book
        self._commands: dict[asyncio.Task[Any], tuple[Principal, BotEnd]] = {}
        self._waiting = waiting
        self._tallies = tallies
        self._ways = ways
        self._host_options = host_options
        self._tasks = Tasks()
        self._register = register
        self._roll = roll
        self._reporting = reporting
        self._limits: dict[str, asyncio.TimerHandle] = {}
        self.sessions: dict[str, Session] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self.unsealed: dict[str, Session] = {}
        self.draining = False
        self.authority = authority(self.config)

    def config(self) -> Config:
        """Return the configuration in force."""
        return self._current

    def start(self, work: Coroutine[Any, Any, Any], name: str, *, awaited: bool = False) -> asyncio.Task[Any]:
        """Run something that belongs to the bastion as a whole."""
        return self._tasks.start(work, name, awaited=awaited)

    # Who.

    def judge(self, blob: bytes, peer: str) -> Login:
        """Return what a certificate says; raise CertificateError."""
        return certificate.check_login(
            blob, ca=self._keyring.login_ca.public_key(), now=self._clock.now(), peer=peer
        )

    def principal(self, login: Login, peer: str) -> Principal:
        """Return who that is now; raise Refused, of which Locked is one."""
        principal = principal_of(login, self._current, peer)
        self._book.check(party_of(principal))
        return principal

    # Where.

    def inner_options(self, principal: Principal, target: str) -> Any:
        """Return the server options for a jump to a target; raise Refused."""
        found = resolve(self._current, principal, target)
        self._book.check(party_of(principal, found.name))
        return self._host_options((found.name,))

    async def open_session(self, principal: Principal, target: str, login: str | None) -> Session:
        """Open and register a session; raise Refused or RecorderError."""
        if self.draining:
            raise Refused("this bastion is shutting down; try again in a moment")
        if self._clock.now() >= principal.login.valid_before:
            raise Expired("the certificate has expired, so it opens no more sessions: get a new one")
        config = self._current
        found = resolve(config, principal, target)
        self._book.check(party_of(principal, found.name))
        implied = found.logins[0] if len(found.logins) == 1 else None
        name = check_login(config, principal, found, login or implied)
        recording = Recording(
            self._store,
            Header(
                id=str(ULID.from_timestamp(self._clock.now())),
                identity=principal.name,
                owner=principal.owner,
                target=found.name,
                login=name,
                started_us=self._clock.now_us(),
                claims=dict(principal.claims),
                certificate={
                    "serial": principal.login.serial,
                    "key_id": principal.login.key_id,
                    "key": fingerprint(principal.login.key),
                    "valid_before": principal.login.valid_before,
                },
                peer=principal.peer,
                owner_is_person=any(person.name == principal.owner for person in config.persons),
            ),
        )
        run = run_name(principal.claims, str(principal.login.serial))
        session = Session(
            principal=principal,
            target=found,
            login=name,
            recording=recording,
            way=self._ways(found, name, key_id=f"{principal.name}/{run}/{recording.id}"),
            config=self.config,
            waiting=self._waiting,
            tallies=self._tallies,
            reporting=self._reporting,
            ended=self._session_ended,
        )
        try:
            await self._roll.enter(session.id)
            if self.draining:  # it can begin in the meantime, and does not know of this session yet
                raise Refused("this bastion is shutting down; try again in a moment")
        except (RecorderError, Refused):
            self._roll.leave(session.id)
            raise
        limit_s = principal.identity.session_s
        self._limits[session.id] = asyncio.get_running_loop().call_later(
            limit_s, session.end, f"session ended: it has reached its longest duration of {limit_s} s"
        )
        self.sessions[session.id] = (
            session  # before it is opened, so that a shutdown waits for it and seals it
        )
        self._idle.clear()
        try:
            await recording.open()  # asked for in this very step: an end of the session is recorded after it
        except RecorderError:
            self._forget(session)
            self._roll.leave(session.id)
            raise
        if session.ending:
            why = self._unwelcome(session)
            raise Refused(why or "this bastion is shutting down; try again in a moment")
        session.watch_idle()
        if (reason := self._unwelcome(session)) is not None:
            session.end(reason)  # the configuration changed while the recording was being opened
        log.info(
            "session=%s identity=%s target=%s login=%s opened", session.id, principal.name, found.name, name
        )
        return session

    def _session_ended(self, session: Session, failure: BaseException | None) -> None:
        self._forget(session)
        if failure is not None and not session.recording.sealed:
            self.unsealed[session.id] = session
        else:
            self._roll.leave(session.id)
        log.info("session=%s ended", session.id)

    def _forget(self, session: Session) -> None:
        self.sessions.pop(session.id, None)
        self._waiting.forget(session.id)
        if (limit := self._limits.pop(session.id, None)) is not None:
            limit.cancel()
        if not self.sessions:
            self._idle.set()

    # What people and jobs ask of the bastion itself.

    async def certify(self, bot: BotEnd, key: bytes, peer: str) -> bool:
        """Read a token from standard input, answer with a certificate or why not; say whether there was one."""
        return await certify(self.authority, self.note_broken, bot, key, peer)

    async def control(self, bot: BotEnd, principal: Principal, request: Request) -> None:
        """Serve one control command to its end."""
        if self._clock.now() >= principal.login.valid_before:
            await end(bot, "the certificate has expired: get a new one", status=1)
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a coroutine
        self._commands[task] = (principal, bot)
        try:
            await self._control.serve(bot, principal, request, self._current)
        finally:
            del self._commands[task]

    async def note_refused(self, principal: Principal | None, peer: str, what: str, reason: str) -> None:
        """Record that something was asked for and refused outside any session (of strangers, not each time)."""
        if principal is not None and what.startswith(("session ", "subsystem")):  # no forwarding, no agents
            self._reporting.refused(principal, what, reason)
        left_out = 0 if principal is not None else await self._register.may_note(peer, "request.refused")
        if left_out is None:
            return
        try:
            await self._store.audit(
                "request.refused",
                {
                    "identity": principal.name if principal else None,
                    "claims": dict(principal.claims) if principal else {},
                    "peer": peer,
                    "what": what[:256],
                    "reason": reason[:512],
                    **mention(left_out),
                },
            )
        except RecorderError as error:
            log.error("could not record a refusal: %s", error)

    async def note_broken(self, peer: str, what: str, reason: str, limit: str = "") -> None:
        """Record a login or connection that was refused or broke, with its limit if it was over one.

        Not so if its source does this all the time: then the next entry says how many were left out.
        """
        await note_broken(self._store, self._register, peer, what, reason, limit)

    # Change.

    def adopt(self, config: Config) -> list[str]:
        """Put another configuration in force; end the sessions it has no place for, and return their ids."""
        self._current = config
        ended = self._end_unwelcome()
        self._waiting.recheck()
        return ended

    def enforce_locks(self) -> list[str]:
        """End the sessions and control commands that a lock in force stops; return the sessions' ids."""
        for task, (principal, bot) in list(self._commands.items()):
            if (lock := self._book.on(party_now(party_of(principal), self._current))) is not None:
                task.cancel()
                self.start(end(bot, f"ended: {lock.public}", status=126), "end a command")
        return self._end_unwelcome()

    def _end_unwelcome(self) -> list[str]:
        ended = []
        for session in list(self.sessions.values()):
            reason = self._unwelcome(session)
            if reason is not None and not session.ending:
                session.end(reason)
                ended.append(session.id)
        return ended

    def _unwelcome(self, session: Session) -> str | None:
        """Say why a live session has no place here any more: it is locked, or its configuration is gone."""
        party = party_now(party_of(session.principal, session.target.name, session.id), self._current)
        if (lock := self._book.on(party)) is not None:
            return f"session ended: {lock.public}"
        identity = find_identity(self._current, session.principal.name)
        if identity is None:
            return f"session ended: identity {session.principal.name} was removed"
        owner = resolve_owner(identity, self._current.persons)
        declared = {person.name for person in self._current.persons}
        was_person = session.recording.header.owner_is_person
        if owner is None or (was_person and session.principal.owner not in declared):
            return f"session ended: {session.principal.owner}, who owns {identity.name}, was removed"
        if find_target(self._current, session.target.name) is None:
            return f"session ended: target {session.target.name} was removed"
        return None

    async def drain(self, reason: str, patience_s: float) -> None:
        """Let live sessions end by themselves for a while, then end them."""
        self.draining = True
        self._waiting.cancel(reason)
        for session in list(self.sessions.values()):
            if session.idle:
                session.end(f"session ended: {reason}")
        try:
            async with asyncio.timeout(patience_s):
                await self._idle.wait()
        except TimeoutError:
            self.end_all(reason)
            await self._idle.wait()
        await self._tasks.cancel()
        await self._tallies.close()

    async def seal_unsealed(self) -> None:
        """Seal the sessions that ended while nothing could be written."""
        for session in list(self.unsealed.values()):
            with contextlib.suppress(RecorderError):
                await session.recording.close("session ended: the session recorder was not available")
                self.unsealed.pop(session.id, None)
                self._roll.leave(session.id)

    def end_all(self, reason: str) -> None:
        """End every live session now."""
        for session in list(self.sessions.values()):
            session.end(f"session ended: {reason}")
