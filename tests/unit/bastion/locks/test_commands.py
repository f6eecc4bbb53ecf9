"""Who may lock, what can be locked, and what is said of it (T44, T48)."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bastion.holds.callers import Caller
from bastion.identity import Identity, Person
from bastion.locks.commands import LockDesk
from bastion.locks.keeper import Keeper
from bastion.locks.lock import Lock
from bastion.settings import Config, Target
from tests.unit.bastion.locks.locks_fixture import NOW

DANA, KIM = "dana@acme.example", "kim@acme.example"


def identity(name: str, owner: str, *groups: str) -> Identity:
    return Identity(
        name=name,
        owner=owner,
        issuer="ci",
        match={"sub": name},
        groups=groups,
        lifetime_s=60,
        session_s=60,
    )


CONFIG = cast(
    Config,
    SimpleNamespace(
        persons=(
            Person(name=DANA, aliases={}, uid=4242),
            Person(name=KIM, aliases={}, groups=("incident",), identities=("kim",), uid=4243),
        ),
        identities=(
            identity("deployer", DANA, "ci"),
            identity("kim", KIM),
            identity("on-call", DANA, "incident"),
        ),
        targets=(cast(Target, SimpleNamespace(name="Web-1")),),
        bastion=SimpleNamespace(lockers=frozenset({"incident"}), responders=frozenset({"auditors"})),
    ),
)
KIM_OVER_SSH = Caller(how="kim over SSH from 192.0.2.7", identity="kim")


class Chain:
    """An audit chain that keeps what it is told."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Mapping[str, Any]]] = []

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.entries.append((kind, detail))

    async def commit(self, _work: object) -> list[str]:
        return ["01SESSION"]


class Screen:
    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.out = ""
        self.err = ""

    async def write(self, text: str, *, error: bool = False) -> None:
        if error:
            self.err += text
        else:
            self.out += text


class Door:
    """A door with its locks."""

    def __init__(self) -> None:
        self.chain = Chain()
        self.keeper = Keeper(cast(Any, self.chain), lambda: NOW)
        self.keeper.enforced_by(self._enforce)
        self.desk = LockDesk(self.keeper, lambda: CONFIG)

    async def _enforce(self, _lock: Lock) -> list[str]:
        return ["01A"]

    async def type(self, *words: str, caller: Caller = KIM_OVER_SSH) -> tuple[int, str, str]:
        screen = Screen()
        status = await self.desk.serve(caller, words, screen)
        return status, screen.out, screen.err


@pytest.fixture
def door() -> Door:
    return Door()


async def test_what_is_locked_is_said_listed_and_lifted(door: Door) -> None:
    status, out, err = await door.type("lock", "identity", "deployer", "--reason", "leak", "--for", "2h")
    (lock,) = door.keeper.book.standing()
    assert (status, err) == (0, "")
    assert out == (
        f"{lock.id} identity deployer is locked until 1970-01-01T02:16:40Z; 1 live session ended: 01A\n"
    )
    assert (lock.by, lock.reason) == (KIM, "leak")
    listed = (
        f"{lock.id}  identity deployer, until 1970-01-01T02:16:40Z\n"
        "        by kim@acme.example at 1970-01-01T00:16:40Z: leak\n"
    )
    assert await door.type("locks") == (0, listed, "")
    (told,) = json.loads((await door.type("locks", "--json"))[1])
    assert told["until"] == "1970-01-01T02:16:40Z"
    assert await door.type("unlock", lock.id) == (0, f"{lock.id} is lifted: identity deployer\n", "")
    assert await door.type("locks") == (0, "nothing is locked\n", "")
    kinds = [kind for kind, _detail in door.chain.entries]
    assert kinds == ["lock.set", "lock.looked", "lock.looked", "lock.lifted", "lock.looked"]


async def test_two_locks_on_one_thing_leave_it_locked_until_both_are_lifted(door: Door) -> None:
    for _ in range(2):
        done = await door.type("lock", "target", "web-1", "--reason", "odd", "--json")
        assert json.loads(done[1])["name"] == "Web-1", "by the name that it is declared under"
    first, second = door.keeper.book.standing()
    status, out, _err = await door.type("unlock", first.id)
    assert (status, out) == (0, f"{first.id} is lifted: target Web-1; it stays locked by {second.id}\n")


@pytest.mark.parametrize(
    "caller",
    [
        Caller(how="deployer", identity="deployer", groups=("ci",)),
        Caller(how="dana", uid=4242),
        Caller(how="nobody", uid=4244),
        Caller(how="auditor", identity="deployer", groups=("auditors",), reads=True),
    ],
)
async def test_t44_who_is_in_no_group_of_lockers_locks_and_lifts_nothing(door: Door, caller: Caller) -> None:
    for words in (("lock", "identity", "deployer", "--reason", "x"), ("unlock", "L-AAAA")):
        status, out, err = await door.type(*words, caller=caller)
        assert (status, out) == (126, "")
        assert "may not lock or unlock: that takes a group among incident" in err
    assert (await door.type("locks", caller=caller))[0] == (0 if caller.reads else 126)
    assert door.keeper.book.standing() == []


@pytest.mark.parametrize(
    "caller",
    [
        Caller(how="kim (uid 4243)", uid=4243),
        Caller(how="somebody", identity="nightly", groups=("incident",)),
        Caller(how="root (uid 0) on the bastion itself", uid=0),
        Caller(how="the bastion's own user", uid=os.geteuid()),
    ],
)
async def test_a_locker_is_one_by_certificate_by_person_or_by_owning_the_process(
    door: Door, caller: Caller
) -> None:
    assert (await door.type("lock", "run", "deployer/8412", "--reason", "x", caller=caller))[0] == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("lock",), 2, "lock what? one of identity, person, target, session, run, and its name"),
        (("lock", "everything", "x", "--reason", "y"), 2, "lock what?"),
        (("lock", "identity", "deployer"), 2, "--reason says why, for the record"),
        (("lock", "identity", "deployer", "--reason", "x" * 201), 1, "longer than 200 characters"),
        (("lock", "identity", "deployer", "--reason", "x", "--for", "ever"), 2, "--for: got"),
        (("lock", "identity", "no-body", "--reason", "x"), 1, "no identity no-body is declared"),
        (("lock", "person", "mallory", "--reason", "x"), 1, "no person mallory is declared"),
        (("lock", "target", "\x1b[2J", "--reason", "x"), 1, "no target "),
        (("lock", "run", "8412", "--reason", "x"), 1, "expected IDENTITY/RUN"),
        (("lock", "run", "deployer/a b", "--reason", "x"), 1, "expected IDENTITY/RUN"),
        (("unlock",), 2, "which one? `locks` lists those in force"),
        (("unlock", "L-ZZZZ"), 1, "there is no lock L-ZZZZ"),
        (("locks", "--all"), 2, "unrecognized arguments: --all"),
    ],
)
async def test_what_is_typed_wrong_is_a_line_and_no_effect(
    door: Door, words: tuple[str, ...], status: int, said: str
) -> None:
    got, out, err = await door.type(*words)
    assert (got, out) == (status, "")
    assert said in err
    assert err.replace("\n", "").isprintable()
    assert door.keeper.book.standing() == []


@pytest.mark.parametrize("subject", [("identity", "kim"), ("person", KIM), ("run", "kim/8412")])
async def test_nobody_locks_themselves_out(door: Door, subject: tuple[str, str]) -> None:
    status, _out, err = await door.type("lock", *subject, "--reason", "x")
    assert (status, door.keeper.book.standing()) == (1, [])
    assert (
        err == f"bastion: {' '.join(subject)} is you, or yours to come in by: somebody else must lock that\n"
    )


async def test_root_is_told_when_nobody_is_left_who_may_lift_it(door: Door) -> None:
    root = Caller(how="root (uid 0) on the bastion itself", uid=0)
    said = await door.type("lock", "person", KIM, "--reason", "x", caller=root)
    assert said[2] == "", "on-call is left"
    said = await door.type("lock", "identity", "on-call", "--reason", "x", caller=root)
    assert said[2] == (
        "bastion: no declared identity that may lift it is left unlocked: root on the bastion's machine can\n"
    )


async def test_each_command_knows_help(door: Door) -> None:
    for command in ("lock", "unlock", "locks"):
        status, out, _err = await door.type(command, "--help")
        assert status == 0
        assert out.startswith(f"usage: {command}")
