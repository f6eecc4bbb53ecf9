"""The desk's side of live screens: who looks is on record, one answer wins, many are served at once (T20, T36, L9)."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from bastion.holds.commands import Desk
from bastion.holds.hold import hold_from_json
from bastion.holds.office import BROKE_OFF, Office
from tests.unit.bastion.holds.holds_fixture import ALEX, KIM, ask
from tests.unit.bastion.holds.test_office import CONFIG, Chain, Screen, caller


class Far:
    """A live screen that is read by a test: the bastion's end, and the screen's."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.told: list[dict[str, Any]] = []

    async def open(self) -> None:
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
        self.reader, self.writer = await asyncio.open_unix_connection(sock=ours)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=theirs, limit=1 << 20)

    async def end(self) -> int:
        self.writer.close()
        return 0

    def say(self, **message: Any) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def hears(self, key: str, *, skip: int = 0) -> dict[str, Any]:
        """Read until something of this kind is told."""
        async with asyncio.timeout(10):
            while True:
                line = await self._reader.readline()
                assert line, f"hung up before it told any {key}: {self.told}"
                self.told.append(json.loads(line))
                if key in self.told[-1]:
                    if not skip:
                        return self.told[-1]
                    skip -= 1

    def close(self) -> None:
        self._writer.close()


class Before(Screen):
    """Somebody with a terminal."""

    def __init__(self, far: Far) -> None:
        super().__init__()
        self.far = far

    async def live(self) -> Far:
        await self.far.open()
        return self.far


class Told(Chain):
    """A chain that remembers all."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[str, Mapping[str, Any]]] = []

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> None:
        await super().audit(kind, detail)
        self.entries.append((kind, detail))


@pytest.fixture
def chain() -> Told:
    return Told()


@pytest.fixture
def office(chain: Told) -> Office:
    return Office(chain, CONFIG, lambda: 100.0)


async def sits_down(office: Office, name: str) -> tuple[Far, asyncio.Task[int]]:
    """Open a live screen for a person, and return it once it shows all that waits."""
    far = Far()
    desk = Desk(office, lambda: office.config, lambda: 100.0)
    serving = asyncio.ensure_future(desk.serve(caller(name), ["approvals"], Before(far)))
    while not hasattr(far, "_reader"):
        await asyncio.sleep(0)
    await far.hears("ready")
    return far, serving


async def test_l9_who_opens_a_screen_and_what_they_look_at_is_on_record_once(
    office: Office, chain: Told
) -> None:
    hold = await office.put(ask())
    far, serving = await sits_down(office, "kim")
    assert far.told[0] == {"hello": KIM, "now": 100.0}
    assert hold_from_json(far.told[1]["hold"]) == hold
    for _ in range(2):
        far.say(look=hold.id)
        assert await far.hears("looked") == {"looked": hold.id, "objection": None}
    far.say(look="H-NONE")
    far.close()
    assert await serving == 0
    looked = [(detail["by"], detail.get("hold")) for kind, detail in chain.entries if kind == "hold.looked"]
    assert looked == [("kim over SSH", None), ("kim over SSH", hold.id)]


async def test_t36_a_screen_that_dies_mid_answer_answers_nothing_and_is_on_record(
    office: Office, chain: Told
) -> None:
    hold = await office.put(ask())
    far, serving = await sits_down(office, "kim")
    far.say(begin=hold.id, approve=True)
    far.close()
    await serving
    assert office.published.waiting() == [hold]
    assert chain.entries[-1] == (
        "hold.answer-refused",
        {
            "hold": hold.id,
            "session": "01SESSION",
            "by": "kim over SSH",
            "answer": "approve",
            "reason": BROKE_OFF,
        },
    )


async def test_t36_an_answer_that_was_under_way_when_the_terminal_died_has_no_effect(office: Office) -> None:
    hold = await office.put(ask())
    far, serving = await sits_down(office, "kim")
    far.gone.set()
    far.say(answer=hold.id, approve=True, reason="", for_session=False)
    far.close()
    await serving
    assert office.published.waiting() == [hold]


async def test_t36_of_two_answers_on_screens_one_wins_and_the_other_is_told(office: Office) -> None:
    hold = await office.put(ask())
    seats = [await sits_down(office, name) for name in ("kim", "alex")]
    for far, _serving in seats:
        far.say(answer=hold.id, approve=True, reason="", for_session=False)
    told = [await far.hears("told") for far, _serving in seats]
    assert [one["effect"] for one in told] == [True, False]
    assert told[1]["told"] == f"{hold.id} waits no more: approved by {KIM}"
    for far, serving in seats:
        far.close()
        await serving


async def test_t20_two_hundred_wait_and_fifty_screens_show_them(office: Office) -> None:
    holds = [await office.put(ask(session=f"01S{number}")) for number in range(200)]
    seats = [await sits_down(office, ("kim", "alex")[number % 2]) for number in range(50)]
    for far, _serving in seats:
        assert [one["hold"]["id"] for one in far.told if "event" in one] == [hold.id for hold in holds]
    waits = {hold.id for hold in holds}
    for at, hold in enumerate(holds[:50]):
        seats[at][0].say(answer=hold.id, approve=True, reason="", for_session=False)
        waits.discard(hold.id)
    for far, _serving in seats:
        ended = {(await far.hears("event"))["hold"]["id"] for _ in range(100)}
        assert ended == {hold.id for hold in holds[:50]}
    assert {hold.id for hold in office.published.waiting()} == waits
    for far, serving in seats:
        far.close()
        assert await serving == 0
    await office.close("over")


async def test_t44_who_is_nobody_any_more_is_told_so_and_nothing_else(office: Office) -> None:
    far, serving = await sits_down(office, "kim")
    office.config = type(CONFIG)(persons=CONFIG.persons[:1], identities=())  # type: ignore[call-arg]
    await office.put(ask())
    bye = await far.hears("bye")
    assert bye == {
        "bye": "identity kim is no declared person's own, so it can approve and deny nothing",
        "status": 126,
    }
    assert await serving == 0
    assert not any("event" in one for one in far.told)


@pytest.mark.parametrize(
    "line", [b"{}\n", b"[]\n", b"no\n", b'{"answer": 1}\n', b"x" * 100_000, b"[" * 5000 + b"\n"]
)
async def test_nonsense_ends_a_screen_without_effect(office: Office, line: bytes) -> None:
    hold = await office.put(ask())
    far, serving = await sits_down(office, "kim")
    far._writer.write(line)
    assert await asyncio.wait_for(serving, 10) == 0
    assert office.published.waiting() == [hold]


async def test_l11_a_screen_that_does_not_read_is_let_go_of_and_holds_up_nobody(office: Office) -> None:
    _far, serving = await sits_down(office, "kim")
    for number in range(1200):
        hold = await office.put(ask(session=f"01S{number}", statement="x" * 4000))
        office.drop(hold.id, hold.state.CANCELLED, "over")
    assert await asyncio.wait_for(serving, 10) == 0


async def test_a_denial_says_why(office: Office) -> None:
    hold = await office.put(ask())
    far, serving = await sits_down(office, "alex")
    far.say(answer=hold.id, approve=False, reason=" ", for_session=False)
    assert (await far.hears("told"))["effect"] is False
    far.say(answer=hold.id, approve=False, reason="no", for_session=False)
    assert (await far.hears("told"))["told"] == f"{hold.id} denied by {ALEX}: no"
    far.close()
    await serving
