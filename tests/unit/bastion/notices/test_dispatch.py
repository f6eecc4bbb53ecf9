"""Who tells never waits; what is told is delivered in order, tried again, recorded, and kept over a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bastion.notices import dispatch as dispatch_module
from bastion.notices import lane as lane_module
from bastion.notices.courier import Courier, Outcome, outcome_of
from bastion.notices.dispatch import Dispatch
from bastion.notices.lane import FIRST_PAUSE_S, KEEP_S, LONGEST_PAUSE_S, pause_s
from bastion.notices.notice import Notice
from bastion.notices.outbox import Delivery, Outbox
from bastion.settings import ChannelSettings, Config, NotifyFilter
from recorder.errors import StoreError
from tests.unit.bastion.notices.notices_fixture import NOW, asked, denial, ended

ALL = frozenset({"hold.asked", "hold.ended", "denial", "alert"})
TAKEN = Outcome(delivered=True, said="answered with status 200")
DOWN = Outcome(delivered=False, said="cannot be reached: Connection refused")


class Carrier:
    """A courier that does what it is told, and remembers what it was given."""

    def __init__(self, *outcomes: Outcome, hangs: bool = False) -> None:
        self.outcomes = list(outcomes)
        self.hangs = hangs
        self.given: list[Delivery] = []
        self.closed = False

    async def carry(self, delivery: Delivery, at: float) -> Outcome:
        self.given.append(delivery)
        if self.hangs:
            await asyncio.Event().wait()
        return self.outcomes.pop(0) if self.outcomes else TAKEN

    async def close(self) -> None:
        self.closed = True


class Chain:
    """An audit chain that may be broken."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, Any]]] = []
        self.broken = False

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> None:
        if self.broken:
            raise StoreError("no room")
        self.entries.append((kind, dict(detail)))

    def outcomes(self) -> list[str]:
        return [detail["outcome"] for _kind, detail in self.entries]


class Office:
    """A dispatch with its surroundings."""

    def __init__(self, folder: Path, **couriers: Carrier) -> None:
        self.folder, self.couriers, self.chain, self.at = folder, couriers, Chain(), NOW
        self.dispatch = Dispatch(folder, self.chain, lambda: self.at)

    async def start(self) -> None:
        self.adopt()
        await self.dispatch.start()

    def adopt(self, **couriers: Carrier) -> None:
        self.couriers = couriers or self.couriers
        channels = tuple(
            ChannelSettings(
                name=name,
                kind="webhook",
                url_file=Path("u"),
                key_file=None,
                team=None,
                tells=NotifyFilter(events=ALL),
            )
            for name in self.couriers
        )
        config = SimpleNamespace(channels=channels, identities=())
        self.dispatch.adopt(cast(Config, config), lambda channel: cast(Courier, self.couriers[channel.name]))


Made = Callable[..., Awaitable[Office]]


@pytest.fixture
async def office(tmp_path: Path) -> Any:
    made: list[Office] = []

    async def make(**couriers: Carrier) -> Office:
        made.append(Office(tmp_path, **couriers))
        await made[-1].start()
        return made[-1]

    yield make
    for one in made:
        await one.dispatch.close(0.0)


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.001)


def hold(number: int, notice: Notice) -> Notice:
    return replace(notice, hold={**(notice.hold or {}), "id": f"H-{number:04}"})


async def test_what_is_told_is_delivered_in_order_and_recorded(office: Made) -> None:
    carrier = Carrier()
    made = await office(ops=carrier)
    made.dispatch.tell(asked())
    made.dispatch.tell(ended())
    await until(lambda: len(made.chain.entries) == 2)
    assert [one.notice.kind for one in carrier.given] == ["hold.asked", "hold.ended"]
    kind, detail = made.chain.entries[0]
    assert kind == "hold.notified"
    assert detail | {"delivery": ""} == {
        "channel": "ops",
        "delivery": "",
        "outcome": "delivered",
        "said": "answered with status 200",
        "attempts": 1,
        "session": "01SESSION",
        "hold": "H-7K3Q",
        "event": "hold.asked",
    }


async def test_a_channel_that_hangs_keeps_nobody_waiting(office: Made) -> None:
    hanging, other = Carrier(hangs=True), Carrier()
    made = await office(dead=hanging, ops=other)
    for number in range(50):
        made.dispatch.tell(hold(number, asked()))
    await until(lambda: len(other.given) == 50)
    assert len(hanging.given) == 1


async def test_what_fails_is_tried_again_with_its_id_and_recorded_twice(
    office: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "FIRST_PAUSE_S", 0.001)
    carrier = Carrier(DOWN, DOWN, DOWN)
    made = await office(ops=carrier)
    made.dispatch.tell(asked())
    await until(lambda: len(made.chain.entries) == 2)
    assert len({one.id for one in carrier.given}) == 1
    assert [one.attempts for one in carrier.given] == [0, 1, 2, 3]
    assert made.chain.outcomes() == ["delayed", "delivered"]
    assert made.chain.entries[1][1]["attempts"] == 4


async def test_what_would_fare_the_same_is_not_tried_again(office: Made) -> None:
    carrier = Carrier(outcome_of(404), outcome_of(400))
    made = await office(ops=carrier)
    made.dispatch.tell(denial())
    made.dispatch.tell(asked())
    await until(lambda: len(made.chain.entries) == 2)
    assert made.chain.entries[0][0] == "notice.failed"
    assert made.chain.entries[0][1]["identity"] == "deployer"
    assert made.chain.outcomes() == ["failed", "failed"]


async def test_what_nobody_takes_for_a_day_is_given_up(office: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "FIRST_PAUSE_S", 0.001)
    made = await office(ops=Carrier(*[DOWN] * 1000))
    made.dispatch.tell(asked())
    await until(lambda: made.chain.outcomes() == ["delayed"])
    made.at += KEEP_S + 1
    await until(lambda: len(made.chain.entries) == 2)
    assert made.chain.entries[1][1]["said"] == "given up after 24 h"


async def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path: Path) -> None:
    first = Office(tmp_path, ops=Carrier(*[DOWN] * 1000))
    await first.start()
    first.dispatch.tell(asked())
    first.dispatch.tell(ended())
    await until(lambda: first.chain.outcomes() == ["delayed"])
    await first.dispatch.close(0.0)
    assert first.couriers["ops"].closed
    again = Office(tmp_path, ops=Carrier())
    await again.start()
    carrier = again.couriers["ops"]
    await until(lambda: len(carrier.given) == 2)
    assert carrier.given[0].id == first.couriers["ops"].given[0].id
    assert carrier.given[0].attempts >= 1
    await again.dispatch.close(1.0)


async def test_what_is_on_its_way_into_the_outbox_when_it_stops_is_kept(tmp_path: Path) -> None:
    made = Office(tmp_path, ops=Carrier(hangs=True))
    await made.start()
    for number in range(40):
        made.dispatch.tell(hold(number, asked()))
    await made.dispatch.close(0.0)
    outbox = Outbox(tmp_path / "outbox.sqlite")
    assert outbox.waiting() == {"ops": 40}
    outbox.close()


async def test_what_is_left_out_is_told_when_the_service_stops(tmp_path: Path) -> None:
    made = Office(tmp_path, ops=Carrier())
    await made.start()
    for _ in range(100):
        made.dispatch.tell(denial())
    await made.dispatch.close(5.0)
    last = made.couriers["ops"].given[-1].notice
    assert (last.kind, last.identity) == ("left-out", "deployer")
    assert last.left_out + len(made.couriers["ops"].given) - 1 == 100


async def test_more_than_there_is_room_for_is_counted(office: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch_module, "INTAKE", 1)
    made = await office(ops=Carrier())
    for number in range(20):
        made.dispatch.tell(hold(number, asked()))
    await until(lambda: len(made.couriers["ops"].given) == 1)
    made.dispatch.tell(hold(99, asked()))
    await until(lambda: len(made.couriers["ops"].given) == 2)
    assert made.couriers["ops"].given[1].notice.left_out == 19


async def test_a_reload_changes_channels_and_what_waits_goes_by_the_new_ones(office: Made) -> None:
    before, after = Carrier(hangs=True), Carrier()
    made = await office(ops=before)
    made.dispatch.tell(asked())
    await until(lambda: before.given)
    made.adopt(ops=after)
    await until(lambda: after.given)
    await until(lambda: before.closed)
    assert after.given[0].id == before.given[0].id


async def test_a_chain_that_cannot_be_written_stops_no_channel(office: Made) -> None:
    made = await office(ops=Carrier())
    made.chain.broken = True
    for number in range(3):
        made.dispatch.tell(hold(number, asked()))
    await until(lambda: len(made.couriers["ops"].given) == 3)


def test_pauses_grow_up_to_a_bound() -> None:
    assert FIRST_PAUSE_S * 0.8 <= pause_s(1) <= FIRST_PAUSE_S * 1.2
    assert 8 * 0.8 <= pause_s(4) <= 8 * 1.2
    assert pause_s(1000) <= LONGEST_PAUSE_S * 1.2


def test_statuses_say_whether_to_try_again() -> None:
    assert outcome_of(204).delivered
    for status in (408, 429, 500, 503, 401, 403, 301):
        assert (outcome_of(status).delivered, outcome_of(status).again) == (False, True)
    assert not outcome_of(410).again
