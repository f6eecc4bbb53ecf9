"""Limits count what passes, stop what would exceed them before it does, and let more pass where people say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bastion.holds.errors import CannotHold
from bastion.holds.hold import Ask, Hold, State
from bastion.metering import ChannelMeter, LimitExceeded, Meters
from bastion.tallies import Tallies
from policies.limit import Limit, Measure, Per
from policies.masking.redactor import Hit
from policies.model import Approvers, VerdictKind
from recorder.events import Event, Kind
from recorder.recording import Recording
from tests.unit.bastion.relay_ends import Committed, open_recording, open_store

ASK = Ask(
    session="s",
    identity="bot",
    run="",
    owner="dana",
    claims={},
    target="web-1",
    login="deploy",
    statement="",
    facts=(),
    terms=(),
    reason="",
    stated="",
    policy="",
    binding="",
    within_s=1,
)


def limit(
    measure: Measure = Measure.BYTES, at_most: int = 10, per: Per = Per.SESSION, asks: bool = False
) -> Limit:
    return Limit(
        id=f"{measure.value}-{'asks' if asks else 'denies'}",
        measure=measure,
        at_most=at_most,
        per=per,
        verdict=VerdictKind.APPROVE if asks else VerdictKind.DENY,
        detectors=frozenset({"email"}),
        reason="it is a lot",
        approvers=Approvers(groups=("dba",)) if asks else None,
    )


@dataclass
class People:
    """What people say, in order, when they are asked."""

    answers: list[State | CannotHold] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, limit: Limit, counted: str) -> Hold:
        self.asked.append(f"{limit.id}: {counted}")
        await asyncio.sleep(0)
        answer = self.answers.pop(0)
        if isinstance(answer, CannotHold):
            raise answer
        return Hold(id="H-1", ask=ASK, asked_at=0, expires_at=0, state=answer, why="by alex")


class Scene:
    """A session's meters on a real recording."""

    def __init__(self, recording: Recording, committed: Committed) -> None:
        self.recording, self.committed, self.people = recording, committed, People()
        self.tallies = Tallies(lambda *_: (), lambda: 1000.0)
        self.joined: list[None] = []
        self.meters = Meters(
            recording,
            self.tallies,
            session_s=60,
            about="identity=bot",
            joined=lambda: self.joined.append(None),
        )

    def channel(self, *limits: Limit, number: int = 1) -> ChannelMeter:
        meter = self.meters.begin(number, limits, self.people)
        assert meter is not None
        return meter

    def events(self, kind: Kind) -> list[Event]:
        return [event for event in self.committed.events() if event.kind is kind]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    store = open_store(tmp_path)
    recording = await open_recording(store)
    committed = Committed(recording, store)
    made = Scene(recording, committed)
    yield made
    await made.tallies.close()
    committed.close()
    store.close()


def hits(*names: str) -> list[Hit]:
    return [Hit(name, "personal", "detect", 1, 1, 5, 0) for name in names]


async def test_without_limits_nothing_counts(scene: Scene) -> None:
    assert scene.meters.begin(1, (), scene.people) is None


async def test_what_reaches_a_limit_passes_and_what_exceeds_it_does_not(scene: Scene) -> None:
    meter = scene.channel(limit())
    await meter.take(b"12345")
    await meter.take(b"67890")
    with pytest.raises(LimitExceeded) as raised:
        await meter.take(b"x")
    assert raised.value.status == 126
    assert raised.value.public == (
        "limit bytes-denies: 11 bytes in this session, at most 10; it is a lot "
        f"(session {scene.recording.id})"
    )
    (event,) = scene.events(Kind.LIMIT)
    assert event.detail == {
        "counted": {"bytes-denies": {"bytes": 10}},
        "limit": "bytes-denies",
        "verdict": "deny",
        "measure": "bytes",
        "per": "session",
        "figure": 11,
        "at_most": 10,
        "reason": "it is a lot",
    }
    (marker,) = scene.events(Kind.MARKER)
    assert marker.detail["label"] == "limit bytes-denies: 11 bytes in this session, at most 10; it is a lot"


async def test_lines_and_hits_of_the_named_detectors_count(scene: Scene) -> None:
    meter = scene.channel(limit(Measure.LINES, 2), limit(Measure.HITS, 1))
    await meter.take(b"a\nb\n", hits("iban"))
    await meter.take(b"no line", hits("email"))
    with pytest.raises(LimitExceeded, match="hits-denies: 2 hits in this session, at most 1"):
        await meter.take(b"", hits("email"))
    with pytest.raises(LimitExceeded, match="lines-denies: 3 lines"):
        await meter.take(b"\n")


async def test_channels_of_a_session_count_together(scene: Scene) -> None:
    one, two = scene.channel(limit()), scene.channel(limit(), number=2)
    await one.take(b"12345678")
    with pytest.raises(LimitExceeded):
        await two.take(b"123")
    await two.take(b"12")


async def test_an_approval_lets_as_much_again_pass(scene: Scene) -> None:
    meter = scene.channel(limit(asks=True))
    scene.people.answers = [State.APPROVED, State.APPROVED, State.DENIED]
    for _ in range(2):
        await meter.take(b"1234567890")
    await meter.take(b"x" * 25)  # more than one more
    assert scene.people.asked == [
        "bytes-asks: 20 bytes in this session, at most 10",
        "bytes-asks: 45 bytes in this session, at most 10",
    ]
    await meter.take(b"12345")
    with pytest.raises(LimitExceeded, match="H-1 denied by alex") as raised:
        await meter.take(b"x")
    assert raised.value.status == 126
    assert [event.detail["verdict"] for event in scene.events(Kind.LIMIT)] == [
        *("approve", "approve", "approve", "deny")
    ]


async def test_an_answer_that_nobody_decides_ends_with_the_status_of_expired_holds(scene: Scene) -> None:
    scene.people.answers = [State.EXPIRED]
    with pytest.raises(LimitExceeded) as raised:
        await scene.channel(limit(asks=True)).take(b"x" * 11)
    assert raised.value.status == 124


async def test_what_cannot_wait_is_denied_and_says_so(scene: Scene) -> None:
    scene.people.answers = [CannotHold("300 statements wait already")]
    with pytest.raises(LimitExceeded, match="it cannot wait for an approval: 300 statements wait already"):
        await scene.channel(limit(asks=True)).take(b"x" * 11)


async def test_a_limit_that_asks_nobody_denies_and_says_so(scene: Scene) -> None:
    nobody = Limit(
        id="x", measure=Measure.BYTES, at_most=1, per=Per.SESSION, verdict=VerdictKind.APPROVE, approvers=None
    )
    with pytest.raises(LimitExceeded, match="at most 1; nobody can approve more: it names no approvers"):
        await scene.channel(nobody).take(b"xx")


async def test_a_limit_that_denies_comes_before_one_that_asks(scene: Scene) -> None:
    meter = scene.channel(limit(asks=True), limit())
    with pytest.raises(LimitExceeded, match="bytes-denies"):
        await meter.take(b"x" * 11)
    assert scene.people.asked == []


async def test_two_channels_that_exceed_a_limit_at_once_ask_once(scene: Scene) -> None:
    one, two = (scene.channel(limit(asks=True), number=number) for number in (1, 2))
    scene.people.answers = [State.APPROVED]
    await one.take(b"x" * 8)
    await asyncio.gather(one.take(b"1234"), two.take(b"1234"))
    assert len(scene.people.asked) == 1


async def test_a_limit_over_all_sessions_counts_by_identity_and_is_told_once(scene: Scene) -> None:
    meter = scene.channel(limit(per=Per.HOUR))
    again = scene.channel(limit(per=Per.HOUR), number=2)
    assert len(scene.joined) == 1
    await meter.take(b"12345")
    (event,) = scene.meters.counted()
    assert event.detail == {"counted": {"bytes-denies": {"bytes": 5}}}
    assert scene.meters.counted() == []
    with pytest.raises(LimitExceeded, match="11 bytes of this identity within an hour, at most 10"):
        await again.take(b"123456")
