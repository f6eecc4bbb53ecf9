"""A session that is being opened while the bastion is told to stop, or a lock lands, is refused and sealed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bastion.certificate import Login
from bastion.config import load
from bastion.errors import Refused
from bastion.house import House
from bastion.locks.book import Book
from bastion.locks.lock import Kind
from bastion.notices.reporting import Reporting
from bastion.principal import principal_of
from bastion.roll import NoRoll
from bastion.tallies import Tallies
from recorder.recording import Recording
from recorder.seal import Signer, generate_seal_key
from recorder.store import Store
from tests.unit.bastion.config_fixture import write_config
from tests.unit.bastion.locks.locks_fixture import lock

NOW = 1_700_000_000.0


BOOK = Book(lambda: NOW)
LOGIN = Login(
    identity="orders-deployer",
    key_id="orders-deployer/1",
    serial=7,
    valid_after=0,
    valid_before=int(NOW) + 60,
    key=b"key",
    claims={},
    groups=(),
    source_addresses=None,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(
        tmp_path / "recordings.sqlite", Signer(generate_seal_key()), now_us=lambda: int(NOW * 1_000_000)
    )
    yield opened
    opened.close()


@pytest.fixture
def house(tmp_path: Path, store: Store) -> House:
    unused: Any = SimpleNamespace()
    return House(
        config=load(write_config(tmp_path)),
        keyring=unused,
        store=store,
        clock=cast(Any, SimpleNamespace(now=lambda: NOW, now_us=lambda: int(NOW * 1_000_000))),
        authority=lambda _config: unused,
        control=unused,
        book=BOOK,
        waiting=cast(
            Any, SimpleNamespace(forget=lambda _: None, cancel=lambda _: None, recheck=lambda: None)
        ),
        tallies=Tallies(lambda *_: (), lambda: NOW),
        ways=cast(Any, lambda *_, **__: SimpleNamespace(close=lambda: None)),
        host_options=unused,
        register=unused,
        roll=NoRoll(),
        reporting=Reporting(lambda _notice: None, lambda: NOW),
    )


@pytest.mark.parametrize("recorded", [True, False], ids=["its opening recorded", "nothing recorded yet"])
async def test_a_session_that_opens_while_the_bastion_stops_is_refused_and_left_as_it_was(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    opening, go_on = asyncio.Event(), asyncio.Event()
    really_open = Recording.open

    async def slowly(recording: Recording) -> None:
        await really_open(recording)
        opening.set()
        await go_on.wait()

    async def entered_slowly(_roll: NoRoll, _session: str) -> None:
        opening.set()
        await go_on.wait()

    if recorded:
        monkeypatch.setattr(Recording, "open", slowly)
    else:
        monkeypatch.setattr(NoRoll, "enter", entered_slowly)
    principal = principal_of(LOGIN, house.config(), "192.0.2.7")
    async with asyncio.timeout(20):
        session = asyncio.ensure_future(house.open_session(principal, "web-1", "deploy"))
        await opening.wait()
        stopping = asyncio.ensure_future(house.drain("the bastion is shutting down", 5))
        while not house.draining:
            await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(Refused, match="shutting down"):
            await session
        await stopping
        with pytest.raises(Refused, match="shutting down"):
            await house.open_session(principal, "web-1", "deploy")
    assert house.sessions == {}
    assert house.unsealed == {}
    query = "SELECT state, end_reason, seal IS NOT NULL FROM sessions"
    rows = store.run_now(lambda transaction: transaction.connection.execute(query).fetchall())
    sealed = ("closed", "session ended: the bastion is shutting down", 1)
    assert rows == ([sealed] if recorded else [])


async def test_t48_a_session_that_opens_while_a_lock_lands_is_refused_and_sealed(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, go_on = asyncio.Event(), asyncio.Event()
    really_open = Recording.open

    async def slowly(recording: Recording) -> None:
        await really_open(recording)
        opening.set()
        await go_on.wait()

    monkeypatch.setattr(Recording, "open", slowly)
    principal = principal_of(LOGIN, house.config(), "192.0.2.7")
    made = lock(Kind.RUN, "orders-deployer/1")
    BOOK.add(lock(Kind.RUN, "another/1", id="L-BBBB"))
    try:
        async with asyncio.timeout(20):
            session = asyncio.ensure_future(house.open_session(principal, "web-1", "deploy"))
            await opening.wait()
            BOOK.add(made)
            ended = house.enforce_locks()
            go_on.set()
            with pytest.raises(Refused, match="run orders-deployer/1 is locked by"):
                await session
            with pytest.raises(Refused, match="run orders-deployer/1 is locked by"):
                await house.open_session(principal, "web-1", "deploy")
            await house.drain("over", 5)
    finally:
        BOOK.remove(made.id, "lifted")
    query = "SELECT id, end_reason, seal IS NOT NULL FROM sessions"
    rows = store.run_now(lambda transaction: transaction.connection.execute(query).fetchall())
    assert rows == [(ended[0], f"session ended: {made.public}", 1)]
