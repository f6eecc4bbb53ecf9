"""Set and lift locks for the service: at once everywhere, and on the signed audit chain, which is where they are kept.

A lock that cannot be recorded is in force all the same until the bastion stops, and whoever set it is told (law L2);
one that cannot be recorded as lifted stays.

In      what responders ask; the entries of the audit chain at a start
Out     Enforced: a lock and the sessions that it ended
Errors  LockRefused; RecorderError
Holds   the book of this process, which other processes have copies of
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from bastion.errors import Refused
from bastion.locks.book import MAX_LOCKS, Book
from bastion.locks.lock import Kind, Lock, Subject, lock_detail, lock_from_detail
from bastion.tasks import Tasks
from recorder.audit import Entry
from recorder.errors import RecorderError
from recorder.rows import live_session
from recorder.store import Transaction

ID_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that is taken for another
ID_CHARS = 4
KINDS = ("lock.set", "lock.lifted")
SESSION_S = 7 * 24 * 3600.0  # no session lasts longer, so no lock on one needs to

T = TypeVar("T")


class LockRefused(Refused):
    """A lock that cannot be set, or lifted; nothing has changed."""

    code = "lock-refused"


class NotRecorded(Refused):
    """A lock that is in force, and not on record."""

    code = "lock-not-recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A lock that somebody wants: `by` and `how` say who they are and by which door."""

    subject: Subject
    reason: str
    by: str
    how: str
    for_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforced:
    """A lock in force, and how many sessions it ended, with the first of them."""

    lock: Lock
    ended: int
    sessions: tuple[str, ...]


class Locks(Protocol):
    """The locks, as the doors of any process see them."""

    book: Book

    async def set(self, wish: Wish) -> Enforced:
        """Lock; raise LockRefused, NotRecorded or RecorderError."""

    async def lift(self, name: str, *, reason: str, by: str, how: str) -> Lock:
        """Lift a lock; raise LockRefused or RecorderError."""

    async def looked(self, how: str) -> None:
        """Record that somebody looks at the locks (law L9); raise RecorderError."""


class Records(Protocol):
    """The evidence store."""

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> object: ...

    async def commit(self, work: Callable[[Transaction], T]) -> T: ...


Enforce = Callable[[Lock], Awaitable[Iterable[str]]]
Release = Callable[[Lock, str], None]


class Keeper:
    """The locks of the service, in the process that keeps them."""

    def __init__(self, records: Records, now: Callable[[], float]) -> None:
        self.book = Book(now)
        self._records = records
        self._now = now
        self._enforce: list[Enforce] = []
        self._release: list[Release] = []
        self._tasks = Tasks()
        self._one_at_a_time = asyncio.Lock()

    def remember(self, entries: Iterable[Entry]) -> None:
        """Take in, at a start, what was locked and not lifted; raise ValueError, TypeError or LookupError."""
        for entry in entries:
            if entry.kind == "lock.set":
                self.book.add(lock_from_detail(entry.detail))
            else:
                self.book.remove(entry.detail["lock"], f"lifted by {entry.detail['person']}")

    def enforced_by(self, enforce: Enforce, release: Release = lambda _lock, _how: None) -> None:
        """Have somebody put each lock into effect, who says which sessions that ended; and take each out again."""
        self._enforce.append(enforce)
        self._release.append(release)

    async def set(self, wish: Wish) -> Enforced:
        if len(self.book.standing()) >= MAX_LOCKS:
            raise LockRefused(f"there are {MAX_LOCKS} locks already; lift some, or lock persons or targets")
        subject = await self._found(wish.subject)
        now = self._now()
        for_s = SESSION_S if wish.for_s is None and subject.kind is Kind.SESSION else wish.for_s
        lock = Lock(
            id=self._fresh_id(),
            subject=subject,
            reason=wish.reason,
            by=wish.by,
            how=wish.how,
            at=now,
            until=None if for_s is None else now + for_s,
        )
        self.book.add(lock)
        recorded = self._tasks.start(
            self._records.audit("lock.set", lock_detail(lock)), "record a lock", awaited=True
        )
        sessions = [name for enforce in self._enforce for name in await enforce(lock)]
        try:
            await recorded
        except RecorderError as error:
            raise NotRecorded(
                f"{lock.public}, but that could not be recorded ({error.public}): it ends when the bastion stops;"
                " lock again once there is a recorder"
            ) from error
        return Enforced(lock=lock, ended=len(sessions), sessions=tuple(sessions))

    async def lift(self, name: str, *, reason: str, by: str, how: str) -> Lock:
        async with self._one_at_a_time:
            return await self._lift(name, reason=reason, by=by, how=how)

    async def _lift(self, name: str, *, reason: str, by: str, how: str) -> Lock:
        lock = self.book.find(name)
        if lock is None:
            ended = self.book.ended(name)
            over = f"{name[:32]} is over: {ended}" if ended else f"there is no lock {name[:32]}"
            raise LockRefused(f"{over}; `locks` lists those in force")
        detail = {**lock_detail(lock), "reason": reason, "person": by, "by": how}
        await self._records.audit(
            "lock.lifted", {key: detail[key] for key in detail if key not in ("at", "until")}
        )
        words = f"lifted by {by}"
        self.book.remove(lock.id, words)
        for release in self._release:
            release(lock, words)
        return lock

    async def looked(self, how: str) -> None:
        await self._records.audit("lock.looked", {"by": how, "command": "locks"})

    async def _found(self, subject: Subject) -> Subject:
        """Return the subject with the whole id of a live session; raise LockRefused."""
        if subject.kind is not Kind.SESSION:
            return subject
        sessions = await self._records.commit(lambda transaction: live_session(transaction, subject.name))
        if len(sessions) == 1:
            return replace(subject, name=sessions[0])
        many = f"{len(sessions)} live sessions begin with {subject.name[:32]}; give more of the id"
        none = (
            f"there is no live session {subject.name[:32]}; `sessions --state active` lists those there are"
        )
        raise LockRefused(many if sessions else none)

    def _fresh_id(self) -> str:
        while self.book.known(name := "L-" + "".join(secrets.choice(ID_LETTERS) for _ in range(ID_CHARS))):
            pass
        return name
