"""The far end of a command: a live screen is a process that gives the terminal back, however it ends (L11, T20)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from bastion import screening
from bastion.control import Control
from bastion.holds.commands import Desk
from bastion.holds.office import Office
from bastion.inbox import Closed, Data, Exited, Inbox, Resize
from bastion.principal import Principal
from bastion.requesting import RequestDesk
from bastion.requests import Pty, Request
from bastion.screening import SCREENS, SCREENS_EACH, FarEnd
from bastion.served import NotAllowed, Tree
from bastion.settings import Config
from tests.unit.bastion.holds.holds_fixture import ask
from tests.unit.bastion.holds.test_office import CONFIG, Chain

RESTORED = b"\x1b[?1049l"
PTY = Pty(term="xterm", cols=80, rows=24)
KIM = cast(Principal, SimpleNamespace(name="kim", groups=frozenset(), peer="192.0.2.1"))
PERSONS = cast(
    Config,
    SimpleNamespace(
        persons=CONFIG.persons, identities=(), bastion=SimpleNamespace(responders=frozenset({"responders"}))
    ),
)


class Person:
    """Somebody with a terminal."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.shown = b""
        self.told = b""
        self.ended: Exited | None = None
        self.more = asyncio.Event()

    async def write(self, data: bytes, *, error: bool = False) -> None:
        self.shown += b"" if error else data
        self.told += data if error else b""
        self.more.set()

    def exit(self, exited: Exited) -> None:
        self.ended = exited

    async def sees(self, text: bytes) -> None:
        async with asyncio.timeout(20):
            while text not in self.shown:
                self.more.clear()
                await self.more.wait()


class House:
    """A door with a desk behind it."""

    def __init__(self) -> None:
        self.office = Office(Chain(), PERSONS, lambda: 100.0)
        desk = Desk(self.office, lambda: self.office.config, lambda: 100.0)
        self.control = Control(Tree(desk), cast(RequestDesk, None))

    def serve(self, person: Person) -> asyncio.Task[None]:
        request = Request(kind="exec", data=b"approvals", pty=PTY)
        return asyncio.ensure_future(self.control.serve(person, KIM, request, PERSONS))  # type: ignore[arg-type]


@pytest.fixture
def house() -> House:
    return House()


async def test_a_screen_shows_what_waits_and_a_key_ends_it(house: House) -> None:
    await house.office.put(ask())
    person = Person()
    serving = house.serve(person)
    await person.sees(b"may approve and deny")
    person.inbox.put(Resize(100, 30, 0, 0))
    person.inbox.put(Data(b"q"))
    await asyncio.wait_for(serving, 20)
    assert person.ended == Exited(status=0)
    assert RESTORED in person.shown
    assert screening._open == {}


async def test_l11_a_screen_ends_in_time_and_gives_the_terminal_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.office.put(ask())
    monkeypatch.setattr("bastion.control.COMMAND_S", 3.0)
    person = Person()
    await asyncio.wait_for(house.serve(person), 20)
    assert b"the command was ended after 3 s" in person.told
    assert person.ended == Exited(status=255)
    assert (b"\x1b[?1049h" in person.shown) == (RESTORED in person.shown)
    assert screening._open == {}


async def test_t20_a_person_who_is_gone_leaves_no_process(house: House) -> None:
    await house.office.put(ask())
    person = Person()
    serving = house.serve(person)
    await person.sees(b"may approve and deny")
    person.inbox.put(Closed())
    await asyncio.wait_for(serving, 20)
    assert screening._open == {}


async def test_t20_there_are_so_many_screens_of_one_person_and_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(screening._open, "kim", SCREENS_EACH)
    with pytest.raises(NotAllowed, match="too many live screens"):
        await FarEnd(cast(screening.BotEnd, Person()), "kim", PTY).live()
    monkeypatch.setitem(screening._open, "others", SCREENS)
    with pytest.raises(NotAllowed, match="list what waits without a terminal"):
        await FarEnd(cast(screening.BotEnd, Person()), "alex", PTY).live()
    assert await FarEnd(cast(screening.BotEnd, Person()), "alex", None).live() is None
