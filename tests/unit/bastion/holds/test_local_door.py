"""The socket of the machine: who connects is who the system says, and nonsense has no effect (T36, T49)."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bastion.errors import ServeError
from bastion.holds.commands import Desk
from bastion.holds.local_door import REQUEST_BYTES, LocalDoor
from bastion.holds.office import Office
from bastion.identity import Person
from bastion.served import Tree
from bastion.settings import Config
from policies.engine import Policy
from tests.unit.bastion.holds.holds_fixture import ALEX, ask
from tests.unit.bastion.holds.test_office import Chain


class Machine:
    """A socket with a desk behind it; this process's user is alex unless said otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uid = os.getuid()
        self.office = Office(Chain(), self.config(), lambda: 100.0)
        self.door = LocalDoor(path, Tree(Desk(self.office, self.config, lambda: 100.0)))

    def config(self) -> Config:
        alex = Person(name=ALEX, aliases={}, groups=("dba",), uid=self.uid)
        return cast(Config, SimpleNamespace(persons=(alex,), identities=(), policy=Policy()))

    async def send(self, data: bytes) -> list[dict[str, Any]]:
        """Send bytes, and return all that is answered."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(data)
        async with asyncio.timeout(10):
            lines = (await reader.read()).splitlines()
        writer.close()
        return [json.loads(line) for line in lines]

    async def ask(self, *words: str) -> list[dict[str, Any]]:
        return await self.send(json.dumps({"words": words}).encode() + b"\n")


@pytest.fixture
async def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    monkeypatch.chdir(tmp_path)  # a socket's path has a bound that a test's folder may pass
    made = Machine(Path("run/desk"))
    await made.door.open()
    yield made
    await made.door.close()


async def test_every_user_may_connect_and_is_the_person_that_has_the_uid(machine: Machine) -> None:
    assert stat.S_IMODE(machine.path.stat().st_mode) == 0o666
    hold = await machine.office.put(ask())
    assert await machine.ask("approve", hold.id) == [
        {"out": f"{hold.id} approved by {ALEX}\n"},
        {"exit": 0},
    ]


async def test_t49_a_user_that_no_person_has_can_do_nothing_root_included(machine: Machine) -> None:
    hold = await machine.office.put(ask())
    machine.uid += 1
    for words in (("approvals",), ("approve", hold.id), ("deny", hold.id, "--reason", "x")):
        (error, end) = await machine.ask(*words)
        assert f"uid {os.getuid()} is no declared person's own" in error["err"]
        assert end == {"exit": 126}
    assert machine.office.published.waiting() == [hold]


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"approve\n",
        b"[]\n",
        b'{"words": "approvals"}\n',
        b'{"words": [1]}\n',
        b'{"uid": 0}\n',
        b"\xff\xfe\n",
        b'{"words":' + b"[" * 8000 + b"\n",
        b"x" * (REQUEST_BYTES + 10),
    ],
)
async def test_nonsense_is_hung_up_on_and_the_next_is_served(machine: Machine, data: bytes) -> None:
    assert await machine.send(data) == []
    assert await machine.ask("approvals") == [{"out": "nothing waits for an approval\n"}, {"exit": 0}]


async def test_a_socket_that_a_killed_bastion_left_is_replaced_and_a_file_is_not(machine: Machine) -> None:
    again = Machine(machine.path)
    await again.door.open()
    assert (await again.ask("approvals"))[-1] == {"exit": 0}
    await again.door.close()
    machine.path.write_text("mine")
    with pytest.raises(ServeError, match="cannot be a socket"):
        await Machine(machine.path).door.open()
    assert machine.path.read_text() == "mine"
