"""A worker sees the supervisor's locks as if they were its own, and no message of theirs is too long (L2)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from bastion.locks.keeper import Keeper, LockRefused, NotRecorded, Wish
from bastion.locks.lock import Kind, Lock, Subject
from bastion.tasks import Tasks
from bastion.workers import locks
from bastion.workers.link import MESSAGE_BYTES, Link, Message, pair
from bastion.workers.locks import SESSIONS_TOLD, AskedLocks
from recorder.errors import StoreError
from tests.unit.bastion.locks.locks_fixture import NOW, PARTY

SESSIONS = [f"01SESSION{number:017}" for number in range(5000)]


class Chain:
    """An audit chain that forgets, or fails."""

    def __init__(self) -> None:
        self.fails = False

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> None:
        if self.fails:
            raise StoreError("disk full")


class Service:
    """A supervisor with its locks, and one worker."""

    def __init__(self) -> None:
        ours, theirs = pair()
        self.chain = Chain()
        self.keeper = Keeper(cast(Any, self.chain), lambda: NOW)
        self.keeper.enforced_by(
            self._enforce, lambda lock, how: self.link.send(locks.change_of(lock, 0, how))
        )
        self.longest_bytes = 0
        self.tasks = Tasks()
        self.link = Link(ours, self._asked, lambda: None)
        self.lost = asyncio.Event()
        self.locks = AskedLocks(Link(theirs, self._heard, self._lost), lambda: NOW)

    async def _enforce(self, lock: Lock) -> list[str]:
        self.link.send(locks.change_of(lock, 1))
        return SESSIONS

    def _asked(self, message: Message, _file: int | None) -> None:
        self._measure(message)
        self.tasks.start(locks.answer(self.keeper, self.link, message), "answer")

    def _heard(self, message: Message, _file: int | None) -> None:
        self._measure(message)
        if message["op"] == "lock-change":
            self.locks.changed(message)
        else:
            self.locks.answered(message)

    def _lost(self) -> None:
        self.locks.lost()
        self.lost.set()

    def _measure(self, message: Message) -> None:
        self.longest_bytes = max(self.longest_bytes, len(json.dumps(message, separators=(",", ":"))))


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    yield made
    made.link.close()
    await made.tasks.cancel()


def wish(name: str = "deployer") -> Wish:
    subject = Subject(kind=Kind.IDENTITY, name=name)
    return Wish(subject=subject, reason="\U0001f600" * 200, by="kim", how="kim over SSH", for_s=None)


async def test_what_a_worker_asks_for_is_in_force_there_before_it_is_answered(service: Service) -> None:
    done = await service.locks.set(wish())
    assert (done.ended, len(done.sessions)) == (len(SESSIONS), SESSIONS_TOLD)
    assert service.locks.book.on(PARTY) == done.lock == service.keeper.book.on(PARTY)
    await service.locks.looked("kim over SSH")
    assert await service.locks.lift(done.lock.id, reason="", by="kim", how="kim over SSH") == done.lock
    assert service.locks.book.on(PARTY) is None
    assert service.locks.book.ended(done.lock.id) == "lifted by kim"
    assert service.longest_bytes < MESSAGE_BYTES


async def test_l2_what_is_refused_or_cannot_be_recorded_is_told_as_it_is(service: Service) -> None:
    with pytest.raises(LockRefused, match="there is no lock L-ZZZZ"):
        await service.locks.lift("L-ZZZZ", reason="", by="kim", how="kim")
    done = await service.locks.set(wish())
    service.chain.fails = True
    with pytest.raises(StoreError, match="disk full"):
        await service.locks.lift(done.lock.id, reason="", by="kim", how="kim")
    with pytest.raises(NotRecorded, match="could not be recorded"):
        await service.locks.set(wish("other"))
    assert len(service.locks.book.standing()) == 2


async def test_l2_without_a_supervisor_nothing_is_locked_or_lifted_and_it_is_said(service: Service) -> None:
    service.link.close()
    await service.lost.wait()
    with pytest.raises(StoreError, match="the bastion's supervisor is gone"):
        await service.locks.set(wish())
