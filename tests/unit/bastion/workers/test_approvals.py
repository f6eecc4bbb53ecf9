"""A worker sees the supervisor's desk as if it were its own, and no message of theirs is too long (T36, L2)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bastion.holds.callers import Caller
from bastion.holds.desk import Event
from bastion.holds.errors import AnswerRefused, CannotHold
from bastion.holds.hold import MAX_STATEMENT_BYTES, Hold, State
from bastion.holds.office import Office
from bastion.holds.waiting import Waiting
from bastion.identity import Person
from bastion.settings import Config
from bastion.workers import approvals
from bastion.workers.approvals import AskedApprovals
from bastion.workers.link import MESSAGE_BYTES, Link, Message, pair
from policies.engine import Policy
from recorder.errors import StoreError
from tests.unit.bastion.holds.holds_fixture import ALEX, KIM, ask, terms

GROUPS = tuple(f"issuer/{number:03}{'g' * 240}" for number in range(200))  # as many as a token may have
CONFIG = cast(
    Config,
    SimpleNamespace(
        persons=tuple(
            Person(name=name, aliases={}, identities=(name.partition("@")[0],)) for name in (ALEX, KIM)
        ),
        identities=(),
        policy=Policy(),
    ),
)


class Chain:
    """An audit chain that forgets."""

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> None:
        pass


class Service:
    """A supervisor with its desk, and one worker."""

    def __init__(self) -> None:
        ours, theirs = pair()
        self.office = Office(Chain(), CONFIG, lambda: 100.0)
        self.longest_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.link = Link(ours, self._asked, lambda: None)
        self.lost = asyncio.Event()
        self.desk = AskedApprovals(Link(theirs, self._heard, self._lost))
        self.office.published.listen(self._tell)

    def _tell(self, event: Event) -> None:
        self.link.send({"op": "hold-step", "event": approvals.event_to_json(event)})

    def _asked(self, message: Message, _file: int | None) -> None:
        self._measure(message)
        task = asyncio.get_running_loop().create_task(approvals.answer(self.office, self.link, message))
        self._tasks.add(task)

    def _heard(self, message: Message, _file: int | None) -> None:
        self._measure(message)
        if message["op"] == "hold-step":
            self.desk.stepped(message)
        else:
            self.desk.answered(message)

    def _lost(self) -> None:
        self.desk.lost()
        self.lost.set()

    def _measure(self, message: Message) -> None:
        self.longest_bytes = max(self.longest_bytes, len(json.dumps(message, separators=(",", ":"))))


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    yield made
    made.link.close()


def caller(name: str) -> Caller:
    return Caller(how=f"{name} over SSH", identity=name, groups=(*GROUPS, "dba"))


async def approve(service: Service, name: str, hold: str, reason: str = "") -> Hold:
    return await service.desk.answer(caller(name), hold, approve=True, reason=reason, for_session=False)


async def test_what_is_asked_in_a_worker_is_answered_through_any_and_ends_there(service: Service) -> None:
    waiting = Waiting(service.desk)

    async def held(hold: Hold) -> None:
        assert service.desk.published.find(hold.id) == hold
        ended = await approve(service, "alex", hold.id)
        assert ended.state is State.APPROVED

    hold = await waiting.wait(ask(), held=held, objection=lambda: "")
    assert (hold.state, hold.why) == (State.APPROVED, f"by {ALEX}")


async def test_t36_refusals_cross_the_link(service: Service) -> None:
    hold = await service.desk.put(ask())
    await approve(service, "alex", hold.id)
    with pytest.raises(AnswerRefused, match="waits no more: approved by alex"):
        await approve(service, "kim", hold.id)
    with pytest.raises(AnswerRefused, match="identity nobody is no declared person's own"):
        await approve(service, "nobody", hold.id)


@pytest.mark.parametrize(
    ("char", "fits"),
    [("x", True), ("\x00", True), ("\udcff", True), ("\u202e", True), ("\U0001f600", False)],
)
async def test_no_message_is_longer_than_the_link_takes(service: Service, char: str, fits: bool) -> None:
    count = MAX_STATEMENT_BYTES // len(char.encode("utf-8", "surrogateescape"))
    long = ask(
        terms(count=2),
        statement=char * count,
        facts=(char * 160,) * 24,
        claims={f"claim{number}": char * 256 for number in range(10)},
        stated=char * 200,
    )
    if fits:
        hold = await service.desk.put(long)
        await approve(service, "alex", hold.id, char * 200)
        await approve(service, "kim", hold.id, char * 200)
    else:
        with pytest.raises(CannotHold, match="what is known of it is too long"):
            await service.desk.put(long)
    assert service.longest_bytes < MESSAGE_BYTES


async def test_l2_without_a_supervisor_nothing_waits(service: Service) -> None:
    service.link.close()
    await service.lost.wait()
    with pytest.raises(StoreError, match="the bastion's supervisor is gone"):
        await service.desk.put(ask())


async def test_holds_that_wait_when_a_worker_begins_are_told_to_it(service: Service) -> None:
    hold = Hold(id="H-0001", ask=ask(), asked_at=1.0, expires_at=2.0)
    service.desk.stepped({"event": approvals.event_to_json(Event(step="asked", hold=hold))})
    assert service.desk.published.waiting() == [hold]
