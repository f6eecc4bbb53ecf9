"""What an identity's sessions let pass within an hour adds up, here and elsewhere, and rather early than late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from bastion import tallies
from bastion.tallies import SAMPLE_S, SPAN_S, Series, Tallies
from policies.limit import Limit, Measure, Per
from policies.model import VerdictKind
from recorder.counted import Counted
from recorder.errors import StoreError

LIMIT = Limit(id="bulk", measure=Measure.BYTES, at_most=100, per=Per.HOUR, verdict=VerdictKind.DENY)


class Elsewhere:
    """What the store says, and when it was asked."""

    def __init__(self) -> None:
        self.now = 10_000.0
        self.rows: list[Counted] = []
        self.asked: list[tuple[str, int, int]] = []
        self.failure: StoreError | None = None

    def read(self, identity: str, begun_us: int, since_us: int) -> Iterator[Counted]:
        self.asked.append((identity, begun_us, since_us))
        if self.failure is not None:
            raise self.failure
        yield from self.rows

    def holds(self, session: str, count: int) -> None:
        self.rows = [row for row in self.rows if row.session != session]
        self.rows.append(Counted(session=session, limit="bulk", counts={"bytes": count}))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "POLL_S", 0.0)


async def until(says: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not says():
            await asyncio.sleep(0)


def test_a_series_forgets_what_is_older_than_an_hour_and_nothing_younger() -> None:
    series = Series()
    for minute in range(180):
        series.reached(10 * (minute + 1), minute * 60.0)
    now = 179 * 60.0
    assert 10 * 60 <= series.lately(now) <= 10 * 62  # at most a sample too much
    assert series.lately(now + SPAN_S + SAMPLE_S + 1) <= 10


def test_a_series_that_is_seen_late_is_counted_whole() -> None:
    series = Series()
    series.reached(500, 9_000.0)
    assert series.lately(9_000.0) == 500


async def test_what_passes_here_counts_at_once_and_what_passed_elsewhere_once_it_is_read() -> None:
    elsewhere = Elsewhere()
    elsewhere.holds("other", 40)
    counts = Tallies(elsewhere.read, lambda: elsewhere.now)
    counts.join("bot", "mine", 3600)
    await counts.known("bot")
    assert counts.figure("bot", LIMIT) == 40
    counts.add("bot", "mine", LIMIT, 7)
    assert counts.figure("bot", LIMIT) == 47
    elsewhere.holds("other", 50)
    elsewhere.holds("mine", 5)  # its own, which is known better here
    await until(lambda: counts.figure("bot", LIMIT) == 57)
    identity, begun_us, since_us = elsewhere.asked[-1]
    assert identity == "bot"
    assert (elsewhere.now * 1e6 - since_us, since_us - begun_us) == (3600e6, 3600e6)
    await counts.close()


async def test_a_session_that_is_over_counts_on_by_its_row_and_never_twice() -> None:
    elsewhere = Elsewhere()
    counts = Tallies(elsewhere.read, lambda: elsewhere.now)
    counts.join("bot", "first", 3600)
    counts.join("bot", "second", 3600)
    await counts.known("bot")
    counts.add("bot", "first", LIMIT, 30)
    elsewhere.holds("first", 30)
    counts.leave("bot", "first")
    assert counts.figure("bot", LIMIT) == 30
    seen = len(elsewhere.asked)
    while len(elsewhere.asked) < seen + 10:
        assert counts.figure("bot", LIMIT) == 30
        await asyncio.sleep(0)
    elsewhere.now += SPAN_S + SAMPLE_S + 1
    elsewhere.rows.clear()  # it ended more than an hour ago
    await until(lambda: counts.figure("bot", LIMIT) == 0)
    await counts.close()


async def test_l2_a_store_that_cannot_be_read_is_told_to_whoever_asks_for_a_figure() -> None:
    elsewhere = Elsewhere()
    elsewhere.failure = StoreError("the disk is gone")
    counts = Tallies(elsewhere.read, lambda: elsewhere.now)
    counts.join("bot", "mine", 3600)
    await counts.known("bot")
    with pytest.raises(StoreError, match="the disk is gone"):
        counts.figure("bot", LIMIT)
    elsewhere.failure = None

    def readable() -> bool:
        try:
            return counts.figure("bot", LIMIT) == 0
        except StoreError:
            return False

    await until(readable)
    await counts.close()


async def test_nothing_is_read_for_an_identity_without_sessions() -> None:
    elsewhere = Elsewhere()
    counts = Tallies(elsewhere.read, lambda: elsewhere.now)
    counts.join("bot", "mine", 3600)
    await counts.known("bot")
    counts.leave("bot", "mine")
    await until(lambda: "bot" not in counts._accounts)
    seen = len(elsewhere.asked)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(elsewhere.asked) == seen
    await counts.close()
