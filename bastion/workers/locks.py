"""See the service's locks from a worker: ask the supervisor, and keep a copy of those in force.

In      questions over the link; each lock that is set or lifted, as the supervisor tells it
Out     locks, to this worker's doors and sessions
Errors  LockRefused, NotRecorded; StoreError when the supervisor is gone (law L2)
Holds   a copy of the book
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from bastion.errors import Refused
from bastion.locks.book import Book
from bastion.locks.keeper import Enforced, LockRefused, Locks, NotRecorded, Wish
from bastion.locks.lock import Kind, Lock, Subject, lock_from_json, lock_to_json
from bastion.workers.link import Link, Message
from bastion.workers.questions import Questions
from recorder.errors import RecorderError, StoreError

OP = "lock"
NAME_CHARS = 64
SESSIONS_TOLD = 100


class AskedLocks(Questions):
    """The locks, as a worker sees them."""

    def __init__(self, link: Link, now: Callable[[], float]) -> None:
        super().__init__(link, OP)
        self.book = Book(now)

    def changed(self, message: Message) -> None:
        """Take in a lock that the supervisor has set or lifted."""
        lock = lock_from_json(message["lock"])
        if message["lifted"]:
            self.book.remove(lock.id, message["lifted"])
        else:
            self.book.add(lock)

    async def set(self, wish: Wish) -> Enforced:
        said = _checked(await self.ask("set", {**asdict(wish), "subject": asdict(wish.subject)}))
        return Enforced(
            lock=lock_from_json(said["lock"]), sessions=tuple(said["sessions"]), ended=said["ended"]
        )

    async def lift(self, name: str, *, reason: str, by: str, how: str) -> Lock:
        return lock_from_json(_checked(await self.ask("lift", name[:NAME_CHARS], reason, by, how))["lock"])

    async def looked(self, how: str) -> None:
        _checked(await self.ask("looked", how))


async def answer(locks: Locks, link: Link, message: Message) -> None:
    """Answer a worker's question about locks."""
    said: dict[str, Any] = {}
    try:
        match message["what"], message["words"]:
            case "set", [wish]:
                subject = Subject(kind=Kind(wish["subject"]["kind"]), name=wish["subject"]["name"])
                done = await locks.set(Wish(**{**wish, "subject": subject}))
                said = {
                    "lock": lock_to_json(done.lock),
                    "sessions": done.sessions[:SESSIONS_TOLD],
                    "ended": done.ended,
                }
            case "lift", [name, reason, by, how]:
                said = {"lock": lock_to_json(await locks.lift(name, reason=reason, by=by, how=how))}
            case _, [how]:
                await locks.looked(how)
    except NotRecorded as error:
        said = {"unrecorded": error.public}
    except Refused as error:
        said = {"refused": error.public}
    except RecorderError as error:
        said = {"failed": str(error)}
    link.send({"op": "lock-answer", "question": message["question"], "answer": said})


def change_of(lock: Lock, number: int, lifted: str = "") -> Message:
    """Return what a worker is told of a lock; `lifted` says how it came to its end."""
    return {"op": "lock-change", "number": number, "lock": lock_to_json(lock), "lifted": lifted}


def _checked(said: dict[str, Any]) -> dict[str, Any]:
    if "unrecorded" in said:
        raise NotRecorded(said["unrecorded"])
    if "refused" in said:
        raise LockRefused(said["refused"])
    if "failed" in said:
        raise StoreError(said["failed"])
    return said
