"""A lock is in force at once, on the chain, and there again after a restart (L2, T48)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion.locks.book import MAX_LOCKS
from bastion.locks.keeper import SESSION_S, Enforced, Keeper, LockRefused, NotRecorded, Wish
from bastion.locks.lock import Kind, Lock, Subject
from recorder.errors import StoreError
from recorder.past import locks_set_and_lifted
from recorder.recording import Header, Recording
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store
from tests.unit.bastion.locks.locks_fixture import NOW, PARTY, lock

SIGNER = Signer(generate_seal_key())


class Service:
    """A store with its locks, which begins anew at each `start`."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "recordings.sqlite"
        self.now = NOW
        self.start()

    def start(self, signer: Signer = SIGNER) -> None:
        self.store = Store(self.database, SIGNER, now_us=lambda: int(self.now * 1_000_000))
        self.keeper = Keeper(self.store, lambda: self.now)
        self.enforced: list[str] = []
        self.keeper.enforced_by(self._enforce, lambda one, how: self.enforced.append(f"{one.id} {how}"))
        keys = KeySet.of(signer)
        self.store.run_now(lambda transaction: self.keeper.remember(locks_set_and_lifted(transaction, keys)))

    async def _enforce(self, one: Lock) -> list[str]:
        self.enforced.append(one.id)
        return ["01A", "01B"]

    async def set(
        self, kind: Kind = Kind.IDENTITY, name: str = "deployer", for_s: float | None = None
    ) -> Enforced:
        subject = Subject(kind=kind, name=name)
        return await self.keeper.set(
            Wish(subject=subject, reason="leak", by="kim@acme.example", how="kim over SSH", for_s=for_s)
        )

    async def lift(self, name: str) -> Lock:
        return await self.keeper.lift(name, reason="rotated", by="alex@acme.example", how="alex over SSH")

    def chain(self) -> list[tuple[str, str | None]]:
        query = "SELECT kind, session FROM audit ORDER BY seq"
        rows: list[tuple[str, str | None]] = self.store.run_now(
            lambda transaction: transaction.connection.execute(query).fetchall()
        )
        return rows


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.store.close()


async def test_t48_a_lock_is_in_force_recorded_and_there_again_after_a_restart(service: Service) -> None:
    done = await service.set()
    assert (done.ended, done.sessions, service.enforced) == (2, ("01A", "01B"), [done.lock.id])
    assert service.keeper.book.on(PARTY) == done.lock
    other = await service.set(Kind.TARGET, "web-1", for_s=60)
    assert service.chain() == [("lock.set", None), ("lock.set", None)]
    service.store.close()
    service.start()
    assert service.keeper.book.standing() == [done.lock, other.lock]
    assert await service.lift(done.lock.id.lower()) == done.lock
    assert service.enforced == [f"{done.lock.id} lifted by alex@acme.example"]
    service.store.close()
    service.now += 60
    service.start()
    assert service.keeper.book.standing() == []
    with pytest.raises(LockRefused, match=f"{done.lock.id} is over: lifted by alex@acme.example"):
        await service.lift(done.lock.id)


async def test_l2_a_lock_that_cannot_be_recorded_is_in_force_and_says_so(service: Service) -> None:
    service.store.close()
    with pytest.raises(
        NotRecorded, match=r"identity deployer is locked by .*, but that could not be recorded"
    ):
        await service.set()
    assert service.keeper.book.on(PARTY) is not None
    assert len(service.enforced) == 1


async def test_l2_a_lock_that_cannot_be_recorded_as_lifted_stays(service: Service) -> None:
    done = await service.set()
    service.store.close()
    with pytest.raises(StoreError):
        await service.lift(done.lock.id)
    assert service.keeper.book.on(PARTY) == done.lock


async def test_l2_locks_that_somebody_else_has_signed_keep_the_bastion_from_starting(
    service: Service,
) -> None:
    await service.set()
    service.store.close()
    with pytest.raises(StoreError, match="an audit entry was altered"):
        service.start(Signer(generate_seal_key()))


async def test_a_live_session_is_found_by_how_its_id_begins_and_its_lock_has_an_end(service: Service) -> None:
    for name in ("01AAA", "01AAB"):
        header = Header(
            id=name,
            identity="deployer",
            owner="dana@acme.example",
            target="web-1",
            login="deploy",
            started_us=int(NOW * 1_000_000),
            claims={},
            certificate={},
            peer="192.0.2.7",
        )
        recording = Recording(service.store, header)
        await recording.open()
        if name == "01AAB":
            closed = recording
    with pytest.raises(LockRefused, match="2 live sessions begin with 01a; give more of the id"):
        await service.set(Kind.SESSION, "01a")
    await closed.close("over")
    done = await service.set(Kind.SESSION, "01a")
    assert (done.lock.subject.name, done.lock.until) == ("01AAA", NOW + SESSION_S)
    assert ("lock.set", "01AAA") in service.chain()
    for name in ("01AAB", "%", "", "01AAA'"):
        with pytest.raises(LockRefused, match="there is no live session"):
            await service.set(Kind.SESSION, name)


async def test_an_unknown_lock_is_not_lifted_and_there_are_so_many_at_once(service: Service) -> None:
    with pytest.raises(LockRefused, match="there is no lock L-ZZZZ; `locks` lists those in force"):
        await service.lift("L-ZZZZ")
    for number in range(MAX_LOCKS):
        service.keeper.book.add(lock(id=f"L-{number:04}"))
    with pytest.raises(LockRefused, match="there are 1000 locks already"):
        await service.set()
