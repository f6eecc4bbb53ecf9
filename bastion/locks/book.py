"""Know the locks in force, in every process.

In      locks as they are set and lifted; the time
Out     the lock that stops somebody, if there is one; those in force, those that are over
Holds   MAX_LOCKS in force, MAX_OVER that are over
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from bastion.locks.lock import Kind, Lock, Locked, Party

MAX_LOCKS = 1000
MAX_OVER = 1000


def full_id(name: str) -> str:
    """Return a lock's id as it is written, from what a person has typed."""
    wanted = name.upper()
    return wanted if wanted.startswith("L-") else f"L-{wanted}"


class Book:
    """The locks of one service."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._locks: dict[str, Lock] = {}
        self._by_subject: dict[tuple[Kind, str], dict[str, Lock]] = {}
        self._over: OrderedDict[str, str] = OrderedDict()

    def add(self, lock: Lock) -> None:
        """Put a lock in force."""
        self._locks[lock.id] = lock
        self._by_subject.setdefault((lock.subject.kind, lock.subject.name), {})[lock.id] = lock

    def remove(self, name: str, how: str) -> None:
        """Take a lock out of force; `how` says in words how it came to its end."""
        lock = self._locks.pop(name, None)
        if lock is not None:
            subject = (lock.subject.kind, lock.subject.name)
            self._by_subject[subject].pop(name)
            if not self._by_subject[subject]:
                del self._by_subject[subject]
        self._over[name] = how
        if len(self._over) > MAX_OVER:
            self._over.popitem(last=False)

    def standing(self) -> list[Lock]:
        """Return the locks in force, the newest last."""
        now = self._now()
        for lock in [lock for lock in self._locks.values() if not lock.holds(now)]:
            self.remove(lock.id, "its time was over")
        return list(self._locks.values())

    def find(self, name: str) -> Lock | None:
        """Return a lock in force by its id, in any case and with or without its L-."""
        wanted = full_id(name)
        return next((lock for lock in self.standing() if lock.id == wanted), None)

    def known(self, name: str) -> bool:
        """Say whether an id is, or was lately, that of a lock."""
        return name in self._locks or name in self._over

    def ended(self, name: str) -> str | None:
        """Return how a lock came to its end, if it was there lately."""
        return self._over.get(full_id(name))

    def on(self, party: Party) -> Lock | None:
        """Return a lock that stops this party, None if nothing does."""
        if not self._locks:
            return None
        now = self._now()
        for subject in party.subjects():
            for lock in self._by_subject.get(subject, {}).values():
                if lock.holds(now):
                    return lock
        return None

    def check(self, party: Party) -> None:
        """Raise Locked if something stops this party."""
        if (lock := self.on(party)) is not None:
            raise Locked(lock)

    def stops(self, identity: str, owner: str | None) -> bool:
        """Say whether an identity is locked whatever it does, by itself or by its owner."""
        persons = frozenset() if owner is None else frozenset({owner})
        return self.on(Party(identity=identity, persons=persons, run="")) is not None

    def locked_persons(self, persons: Iterable[str]) -> dict[str, Lock]:
        """Return those of these persons who are locked themselves, each with a lock."""
        now = self._now()
        found = {}
        for person in persons:
            for lock in self._by_subject.get((Kind.PERSON, person), {}).values():
                if lock.holds(now):
                    found[person] = lock
        return found
