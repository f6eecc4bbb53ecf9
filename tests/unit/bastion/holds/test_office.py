"""The desk of a service: on the record first, one answer wins, many wait and many watch (T20, T36, L1, L2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bastion.holds.callers import Caller
from bastion.holds.commands import Desk
from bastion.holds.errors import AnswerRefused, CannotHold
from bastion.holds.hold import Ask, Hold, State
from bastion.holds.office import Office
from bastion.holds.waiting import GONE, Waiting
from bastion.identity import Person
from bastion.locks.book import Book
from bastion.locks.lock import Kind as LockKind
from bastion.locks.lock import Lock, Subject
from bastion.settings import Config
from policies.engine import Policy
from recorder.errors import StoreError
from tests.unit.bastion.holds.holds_fixture import ALEX, DANA, KIM, ask, terms

PEOPLE = tuple(
    Person(name=name, aliases={}, groups=("dba",), identities=(name.partition("@")[0],), uid=uid)
    for uid, name in ((1001, ALEX), (1002, KIM))
)
CONFIG = cast(
    Config, SimpleNamespace(persons=(Person(name=DANA, aliases={}), *PEOPLE), identities=(), policy=Policy())
)


class Chain:
    """An audit chain that takes its time, and may fail."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.fails = False

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        if self.fails:
            raise StoreError("disk full")
        self.kinds.append(kind)


class Screen:
    """Somebody who reads."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.out = ""
        self.err = ""

    async def write(self, text: str, *, error: bool = False) -> None:
        if error:
            self.err += text
        else:
            self.out += text

    async def live(self) -> None:
        return None


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def office(chain: Chain) -> Office:
    return Office(chain, CONFIG, lambda: 100.0)


def caller(name: str) -> Caller:
    return Caller(how=f"{name} over SSH", identity=name)


async def approve(office: Office, name: str, hold: str) -> Hold:
    return await office.answer(caller(name), hold, approve=True, reason="", for_session=False)


async def answered(waiting: Waiting, asked: Ask, **options: Any) -> Hold:
    async def held(_hold: Hold) -> None:
        pass

    usual: dict[str, Any] = {"held": held, "objection": lambda: ""}
    return await waiting.wait(asked, **{**usual, **options})


async def until_waiting(office: Office, count: int = 1) -> list[Hold]:
    async with asyncio.timeout(10):
        while len(office.published.waiting()) < count:
            await asyncio.sleep(0)
    return office.published.waiting()


async def test_l1_a_step_is_on_the_chain_before_anybody_learns_of_it(office: Office, chain: Chain) -> None:
    told: list[tuple[str, int]] = []
    office.published.listen(lambda event: told.append((event.step, len(chain.kinds))))
    hold = await office.put(ask())
    await approve(office, "alex", hold.id)
    assert chain.kinds == ["hold.asked", "hold.answered", "hold.ended"]
    assert told == [("asked", 1), ("answered", 2), ("ended", 3)]


async def test_l2_an_approval_that_cannot_be_recorded_lets_nothing_go(office: Office, chain: Chain) -> None:
    waiting = Waiting(office)
    async with asyncio.TaskGroup() as group:
        waits = group.create_task(answered(waiting, ask()))
        (hold,) = await until_waiting(office)
        while hold.id not in waiting._places:
            await asyncio.sleep(0)
        chain.fails = True
        with pytest.raises(StoreError):
            await approve(office, "alex", hold.id)
    assert (waits.result().state, waits.result().why) == (
        State.CANCELLED,
        "the session recorder is not available",
    )


async def test_l2_what_cannot_be_put_on_record_does_not_wait(office: Office, chain: Chain) -> None:
    chain.fails = True
    with pytest.raises(StoreError):
        await office.put(ask())
    assert office.published.waiting() == []


async def test_l1_what_is_not_on_the_chain_yet_is_nowhere(office: Office, chain: Chain) -> None:
    hold = await office.put(ask())
    answering = asyncio.get_running_loop().create_task(approve(office, "alex", hold.id))
    await asyncio.sleep(0)
    seen = office.published.find(hold.id)
    assert (chain.kinds, seen) == (["hold.asked"], hold)
    assert seen is not None
    assert seen.waits
    await answering
    ended = office.published.find(hold.id)
    assert ended is not None
    assert ended.state is State.APPROVED


async def test_t36_of_two_answers_in_the_same_moment_one_wins_and_the_other_is_told(office: Office) -> None:
    hold = await office.put(ask())
    both = await asyncio.gather(
        approve(office, "alex", hold.id), approve(office, "kim", hold.id), return_exceptions=True
    )
    (won,) = [one for one in both if isinstance(one, Hold)]
    (lost,) = [one for one in both if isinstance(one, AnswerRefused)]
    assert won.state is State.APPROVED
    assert lost.public == f"{hold.id} waits no more: approved by {won.answers[0].person}"


async def test_t36_an_approval_of_something_else_than_was_asked_lets_nothing_go(office: Office) -> None:
    class Confused(Office):
        """A desk that mixes up what it was asked."""

        async def put(self, ask: Ask) -> Hold:
            return await super().put(replace(ask, binding="e" * 64))

    confused = Confused(Chain(), CONFIG, lambda: 100.0)
    waiting = Waiting(confused)
    async with asyncio.TaskGroup() as group:
        waits = group.create_task(answered(waiting, ask()))
        (hold,) = await until_waiting(confused)
        await approve(confused, "alex", hold.id)
    assert (waits.result().state, waits.result().why) == (
        State.CANCELLED,
        "the approval is for another statement",
    )


async def test_t37_an_approval_is_weighed_again_by_the_policy_in_force_before_it_counts(
    office: Office,
) -> None:
    waiting, objections = Waiting(office), [""]
    async with asyncio.TaskGroup() as group:
        waits = group.create_task(answered(waiting, ask(), objection=lambda: objections[0]))
        (hold,) = await until_waiting(office)
        waiting.recheck()
        objections[0] = "the policy has changed and denies it"
        await approve(office, "alex", hold.id)
    assert (waits.result().state, waits.result().why) == (State.CANCELLED, objections[0])


async def test_t37_a_reload_that_objects_cancels_at_once_on_both_sides(office: Office, chain: Chain) -> None:
    waiting, objections = Waiting(office), [""]
    async with asyncio.TaskGroup() as group:
        waits = group.create_task(answered(waiting, ask(), objection=lambda: objections[0]))
        (hold,) = await until_waiting(office)
        while hold.id not in waiting._places:
            await asyncio.sleep(0)
        objections[0] = "the policy has changed and denies it"
        waiting.recheck()
    assert waits.result().state is State.CANCELLED
    with pytest.raises(AnswerRefused, match="cancelled: the policy has changed"):
        await approve(office, "alex", hold.id)


async def test_t37_who_stops_waiting_withdraws(office: Office) -> None:
    waiting = Waiting(office)
    waits = asyncio.get_running_loop().create_task(answered(waiting, ask()))
    (hold,) = await until_waiting(office)
    while hold.id not in waiting._places:
        await asyncio.sleep(0)
    waits.cancel()
    await asyncio.gather(waits, return_exceptions=True)
    ended = office.published.find(hold.id)
    assert ended is not None
    assert (ended.state, ended.why) == (State.WITHDRAWN, GONE)


async def test_a_hold_expires_when_its_time_has_come(chain: Chain) -> None:
    loop = asyncio.get_running_loop()
    office = Office(chain, CONFIG, loop.time)
    hold = await answered(Waiting(office), ask(terms(expires_s=1), within_s=0.05))
    assert (hold.state, hold.why) == (State.EXPIRED, "nobody has decided in time")
    assert chain.kinds == ["hold.asked", "hold.ended"]


async def test_t20_two_hundred_wait_and_fifty_follow(office: Office, chain: Chain) -> None:
    waiting, desk = Waiting(office), Desk(office, lambda: CONFIG, lambda: 100.0)
    followers = [Screen() for _ in range(50)]
    async with asyncio.TaskGroup() as group:
        for screen in followers:
            group.create_task(desk.serve(caller("alex"), ["approvals", "--follow", "--json"], screen))
        waits = [
            group.create_task(answered(waiting, ask(session=f"01S{number}", binding=f"{number:064}")))
            for number in range(200)
        ]
        for hold in await until_waiting(office, 200):
            await approve(office, "kim", hold.id)
        async with asyncio.timeout(30):
            while any(screen.out.count("\n") < 600 for screen in followers):
                await asyncio.sleep(0)
        for screen in followers:
            screen.gone.set()
    assert all(task.result().state is State.APPROVED for task in waits)
    assert chain.kinds.count("hold.ended") == 200
    assert {screen.out.count("\n") for screen in followers} == {600}


async def test_t44_a_follower_who_is_no_person_any_more_is_told_nothing_more(office: Office) -> None:
    config = [CONFIG]
    desk, screen = Desk(office, lambda: config[0], lambda: 100.0), Screen()
    async with asyncio.TaskGroup() as group:
        follows = group.create_task(desk.serve(caller("alex"), ["approvals", "--follow"], screen))
        hold = await office.put(ask())
        while not screen.out:
            await asyncio.sleep(0)
        config[0] = cast(Config, SimpleNamespace(persons=(), identities=(), policy=Policy()))
        before = screen.out
        await approve(office, "kim", hold.id)
    assert (follows.result(), screen.out) == (126, before)
    assert "no declared person's own" in screen.err


async def test_events_that_nobody_reads_end_a_follower_and_hold_up_nobody(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bastion.holds.commands.FOLLOWED", 2)
    desk = Desk(office, lambda: CONFIG, lambda: 100.0)
    go_on = asyncio.Event()

    class Slow(Screen):
        async def write(self, text: str, *, error: bool = False) -> None:
            await go_on.wait()
            await super().write(text, error=error)

    screen = Slow()
    async with asyncio.TaskGroup() as group:
        follows = group.create_task(desk.serve(caller("alex"), ["approvals", "--follow"], screen))
        await asyncio.sleep(0.01)
        for _ in range(5):
            await office.put(ask())
        go_on.set()
    assert follows.result() == 1
    assert "events came faster than they were read" in screen.err


# Locks.


def wish(kind: LockKind, name: str) -> Lock:
    return Lock(
        id="L-AAAA", subject=Subject(kind=kind, name=name), reason="", by=KIM, how=KIM, at=0.0, until=None
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (LockKind.IDENTITY, "deployer"),
        (LockKind.PERSON, DANA),
        (LockKind.TARGET, "web-1"),
        (LockKind.SESSION, "01SESSION"),
        (LockKind.RUN, "deployer/8412"),
    ],
)
async def test_t37_a_lock_cancels_what_it_stops_and_nothing_else_and_nothing_new_waits(
    chain: Chain, kind: LockKind, name: str
) -> None:
    book = Book(lambda: 100.0)
    office = Office(chain, CONFIG, lambda: 100.0, book)
    other = replace(
        ask(), identity="other", owner=KIM, target="web-2", session="01OTHER", run="other/1", binding="c" * 64
    )
    hold, kept = await office.put(ask()), await office.put(other)
    book.add(lock := wish(kind, name))
    await office.enforce(lock)
    with pytest.raises(AnswerRefused, match=r"waits no more: cancelled: .* is locked by"):
        await approve(office, "alex", hold.id)
    async with asyncio.timeout(10):
        while len(office.published.waiting()) > 1:
            await asyncio.sleep(0)
    assert office.published.waiting() == [kept]
    with pytest.raises(CannotHold, match="is locked by"):
        await office.put(ask())
    assert (await approve(office, "alex", kept.id)).state is State.APPROVED


async def test_l7_the_approvals_of_a_locked_person_count_no_more(chain: Chain) -> None:
    book = Book(lambda: 100.0)
    office = Office(chain, CONFIG, lambda: 100.0, book)
    hold = await office.put(ask(terms(count=2)))
    await approve(office, "alex", hold.id)
    lasting = ask(terms(for_session=True), binding="c" * 64)
    first = await office.put(lasting)
    await office.answer(caller("alex"), first.id, approve=True, reason="", for_session=True)
    book.add(lock := wish(LockKind.PERSON, ALEX))
    await office.enforce(lock)
    assert (await approve(office, "kim", hold.id)).waits, "one person is left of two"
    assert (await office.put(lasting)).waits, "what they approved for the session is forgotten"
    for approves in (True, False):
        with pytest.raises(AnswerRefused, match="so their answers have no effect"):
            await office.answer(caller("alex"), hold.id, approve=approves, reason="x", for_session=False)
