"""Control commands are for responders, are words and no shell's line, and are few."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import cast

import pytest

from bastion.control import (
    APPROVERS,
    ASKING,
    COMMAND_BYTES,
    LOCKERS_EACH,
    PROCESSES,
    PROCESSES_EACH,
    Control,
)
from bastion.inbox import Exited, Inbox
from bastion.principal import Principal
from bastion.requesting import RequestDesk
from bastion.requests import Request
from bastion.served import Tree
from bastion.settings import Config


class Person:
    """The far end of a control command."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.err = b""
        self.ended: Exited | None = None

    async def write(self, data: bytes, *, error: bool = False) -> None:
        self.err += data

    def write_eof(self) -> None:
        pass

    def exit(self, exited: Exited) -> None:
        self.ended = exited

    def close(self) -> None:
        pass


CONFIG = cast(Config, SimpleNamespace(bastion=SimpleNamespace(responders=frozenset({"responders"}))))
REQUESTS = cast(RequestDesk, None)  # nor asks ahead
TREE = Tree()  # none of these commands is the bastion's own
SESSIONS = Request(kind="exec", data=b"sessions")


def somebody(name: str, groups: Iterable[str] = ("responders",)) -> Principal:
    return cast(
        Principal,
        SimpleNamespace(
            name=name,
            groups=frozenset(groups),
            peer="192.0.2.1",
            login=SimpleNamespace(key_id=f"{name}/1"),
        ),
    )


@pytest.mark.parametrize(
    ("groups", "kind", "line", "said"),
    [
        ({"ci"}, "exec", b"sessions", b"may not read evidence"),
        ({"responders"}, "shell", b"", b"has no shell"),
        ({"responders"}, "exec", b"keys seal", b"no such command"),
        ({"responders"}, "exec", b"", b"no such command"),
        ({"responders"}, "exec", b"sessions '", b"cannot be read"),
        ({"responders"}, "exec", b"sessions \xff", b"cannot be read"),
        ({"responders"}, "exec", b"sessions\0", b"has a NUL byte in it"),
        ({"responders"}, "exec", b"show \0--help", b"has a NUL byte in it"),
        ({"responders"}, "exec", b"sessions " + b"x" * COMMAND_BYTES, b"longer than"),
    ],
)
async def test_t44_what_is_refused(groups: set[str], kind: str, line: bytes, said: bytes) -> None:
    person = Person()
    await Control(TREE, REQUESTS).serve(
        person, somebody("dana", groups), Request(kind=kind, data=line), CONFIG
    )
    assert said in person.err
    assert person.ended == Exited(status=126)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Commands that run until this event is set."""
    over = asyncio.Event()

    async def run(bot: Person, *_: object) -> None:
        await over.wait()
        bot.exit(Exited(status=0))

    monkeypatch.setattr("bastion.control._run", run)
    monkeypatch.setattr("bastion.control.BUSY_S", 0.05)
    return over


async def test_t20_one_person_has_so_many_commands_at_once_and_others_their_own(held: asyncio.Event) -> None:
    control = Control(TREE, REQUESTS)
    mine = [Person() for _ in range(PROCESSES_EACH)]
    async with asyncio.TaskGroup() as group:
        for person in mine:
            group.create_task(control.serve(person, somebody("dana"), SESSIONS, CONFIG))
        await asyncio.sleep(0)
        late, other = Person(), Person()
        await control.serve(late, somebody("dana"), SESSIONS, CONFIG)
        assert b"dana has 3 commands running already" in late.err
        group.create_task(control.serve(other, somebody("sam"), SESSIONS, CONFIG))
        await asyncio.sleep(0)
        held.set()
    assert [person.ended for person in (*mine, other)] == [Exited(status=0)] * (PROCESSES_EACH + 1)
    again = Person()
    await control.serve(again, somebody("dana"), SESSIONS, CONFIG)
    assert again.ended == Exited(status=0)


async def test_t20_all_people_together_have_so_many_commands_at_once(held: asyncio.Event) -> None:
    control = Control(TREE, REQUESTS)
    async with asyncio.TaskGroup() as group:
        for at in range(PROCESSES):
            group.create_task(control.serve(Person(), somebody(f"person-{at}"), SESSIONS, CONFIG))
        await asyncio.sleep(0)
        late = Person()
        await control.serve(late, somebody("late"), SESSIONS, CONFIG)
        assert b"too many people read evidence at the moment" in late.err
        assert late.ended == Exited(status=126)
        held.set()
    again = Person()
    await control.serve(again, somebody("late"), SESSIONS, CONFIG)
    assert again.ended == Exited(status=0)


class Slow:
    """Commands of the bastion's own, and requests, that run until `over`."""

    commands = ("approvals", "lock")

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def serve(self, _who: object, _words: object, _screen: object) -> int:
        await self.over.wait()
        return 0


async def test_t20_however_many_follow_or_ask_ahead_a_responder_can_lock() -> None:
    slow = Slow()
    control = Control(Tree(slow), cast(RequestDesk, slow))

    async def type_in(line: bytes, name: str) -> Person:
        person = Person()
        group.create_task(control.serve(person, somebody(name), Request(kind="exec", data=line), CONFIG))
        await asyncio.sleep(0)
        return person

    async with asyncio.TaskGroup() as group:
        crowd = [await type_in(b"request --target web-1 -- true", f"bot-{at}") for at in range(ASKING)]
        crowd += [await type_in(b"approvals --follow", f"person-{at}") for at in range(APPROVERS)]
        for line in (b"request --target web-1 -- true", b"approvals --follow"):
            late = await type_in(line, "late")
            assert b"too many are at this at the moment" in late.err
            assert late.ended == Exited(status=126)
        locking = [await type_in(b"lock target web-1 --reason x", "dana") for _ in range(LOCKERS_EACH)]
        assert b"or of dana" in (await type_in(b"lock target web-1 --reason x", "dana")).err
        slow.over.set()
    assert {person.ended for person in (*crowd, *locking)} == {Exited(status=0)}
