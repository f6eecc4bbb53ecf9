"""A live recording: committed before it is released, ended by its first failed commit, sealed once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.errors import SessionBroken, StoreError
from recorder.events import Event, Kind
from recorder.evidence import Evidence, Filter, SessionRow
from recorder.recording import Recording
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store
from recorder.verify import verify
from tests.unit.recorder.archive import CLOSED, OPEN, Ticking, begin, finish, header

SIGNER = Signer(generate_seal_key())
KEYS = KeySet.of(SIGNER)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "recordings.sqlite", SIGNER, now_us=Ticking())
    yield made
    made.close()


def row(store: Store) -> SessionRow:
    evidence = Evidence(store.path, KEYS, live=True)
    try:
        return evidence.sessions(Filter())[0]
    finally:
        evidence.close()


def events(store: Store, session: str = CLOSED) -> list[Event]:
    evidence = Evidence(store.path, KEYS, live=True)
    try:
        return list(evidence.events(session))
    finally:
        evidence.close()


def read_only(store: Store, on: bool) -> None:
    store._connection.execute(f"PRAGMA query_only = {int(on)}")


async def test_l1_an_append_that_was_answered_is_on_disk_for_any_other_reader(store: Store) -> None:
    recording = await begin(store, outputs=0)
    for number in range(1, 6):
        await recording.append([recording.event(Kind.OUTPUT, 1, b"%d" % number)], bytes_out=number)
        assert events(store)[-1].data == b"%d" % number
    assert (row(store).state, row(store).bytes_out, row(store).sealed) == ("active", 15, False)


async def test_the_header_is_the_first_event_and_the_row_follows_the_events(store: Store) -> None:
    await finish(await begin(store))
    (opened, *_, closed) = events(store)
    assert (opened.kind, opened.detail["id"], opened.detail["claims"]["run_id"]) == (Kind.OPEN, CLOSED, "42")
    assert (closed.kind, closed.detail["reason"]) == (Kind.CLOSE, "the bot disconnected")
    found = row(store)
    assert (found.state, found.access, found.exit_status, found.sealed) == ("closed", "exec", 3, True)


async def test_appends_from_many_channels_keep_the_order_of_the_calls(store: Store) -> None:
    recording = await begin(store, outputs=0)
    await asyncio.gather(
        *(recording.append([recording.event(Kind.OUTPUT, n % 3, b"%d" % n)], bytes_out=1) for n in range(600))
    )
    await recording.close("done")
    told = [event for event in events(store) if event.kind is Kind.OUTPUT]
    assert [int(event.data) for event in told] == list(range(600))
    assert verify(store.path, KEYS).problems == []


async def test_what_goes_on_as_it_lands_does_so_in_the_order_of_the_record(store: Store) -> None:
    recording, gone_on = await begin(store, outputs=0), list[str]()
    notice, piece = recording.event(Kind.NOTICE, 1, b"bye"), recording.event(Kind.ERROR, 1, b"data")
    said = asyncio.ensure_future(recording.append([notice], landed=lambda _failure: gone_on.append("notice")))
    said.add_done_callback(lambda _said: gone_on.append("said"))
    await asyncio.sleep(0)
    await recording.begin([piece], landed=lambda _failure: gone_on.append("piece"))
    await said
    await asyncio.sleep(0)
    assert gone_on.index("notice") < gone_on.index("piece")
    assert [event.data for event in events(store)[-2:]] == [b"bye", b"data"]


async def test_t43_events_are_never_dated_before_those_they_follow(store: Store) -> None:
    recording = await begin(store, outputs=0)
    for at_us in (50_000, 7, 60_000, 0):
        await recording.append([Event(at_us, Kind.OUTPUT, 1, b"x")])
    await recording.close("done")
    assert [event.at_us for event in events(store)][2:6] == [50_000, 50_000, 60_000, 60_000]
    assert verify(store.path, KEYS).problems == []


async def test_a_recording_rests_when_nothing_was_appended_since_it_was_last_asked(store: Store) -> None:
    recording = Recording(store, header(store))
    assert not recording.rest()
    await recording.open()
    await recording.append([recording.event(Kind.OUTPUT, 1, b"x")])
    assert [recording.rest() for _ in range(3)] == [False, True, False]
    await recording.append([recording.event(Kind.OUTPUT, 1, b"y")])
    assert [event.data for event in events(store)][-2:] == [b"x", b"y"]


async def test_nothing_is_a_commit_of_nothing(store: Store) -> None:
    recording = await begin(store, outputs=0)
    before = len(events(store))
    await recording.append([])
    assert len(events(store)) == before


async def test_l2_an_event_that_cannot_be_recorded_ends_its_session_and_no_other(store: Store) -> None:
    recording, other = await begin(store, CLOSED), await begin(store, OPEN)
    with pytest.raises(SessionBroken, match="cannot be recorded"):
        await recording.append([recording.event(Kind.MARKER, label=object())])
    with pytest.raises(SessionBroken, match="takes no more events"):
        await recording.append([recording.event(Kind.OUTPUT, 1, b"later")])
    await recording.close("session ended")
    await finish(other)
    assert [event.kind for event in events(store)][-1] is Kind.CLOSE
    assert verify(store.path, KEYS).problems == []
    states = {found.id: found.state for found in Evidence(store.path, KEYS).sessions(Filter())}
    assert states == {CLOSED: "interrupted", OPEN: "closed"}


async def test_l2_of_appends_under_way_when_one_fails_none_that_follows_is_kept(store: Store) -> None:
    """What is on disk is a beginning of what happened: a later piece never follows a lost one."""
    recording = await begin(store, outputs=0)
    pieces = [recording.event(Kind.OUTPUT, 1, b"%d" % number) for number in range(20)]
    pieces[7] = recording.event(Kind.MARKER, label=object())
    results = await asyncio.gather(
        *(recording.append([piece], bytes_out=1) for piece in pieces), return_exceptions=True
    )
    assert [result is None for result in results] == [number < 7 for number in range(20)]
    await recording.close("session ended")
    assert [event.data for event in events(store) if event.kind is Kind.OUTPUT] == [
        b"%d" % n for n in range(7)
    ]
    assert row(store).bytes_out == 7


async def test_l2_a_session_whose_close_fails_is_sealed_as_interrupted_when_the_fault_is_gone(
    store: Store,
) -> None:
    recording = await begin(store)
    read_only(store, True)
    for _ in range(2):
        with pytest.raises(StoreError):
            await recording.close("the bot disconnected")
    assert not recording.sealed
    read_only(store, False)
    await recording.close("the session recorder was not available")
    assert recording.sealed
    assert (row(store).state, row(store).end_reason) == (
        "interrupted",
        "the session recorder was not available",
    )
    assert verify(store.path, KEYS).problems == []


async def test_a_session_is_sealed_once_however_often_it_is_closed(store: Store) -> None:
    recording = await begin(store)
    await asyncio.gather(*(recording.close("the bot disconnected") for _ in range(5)))
    await recording.close("again")
    broken = await begin(store, OPEN)
    with pytest.raises(SessionBroken):
        await broken.append([broken.event(Kind.MARKER, label=object())])
    await asyncio.gather(*(broken.close("session ended") for _ in range(5)))
    report = verify(store.path, KEYS)
    assert (report.problems, report.sessions) == ([], 2)
    with pytest.raises(SessionBroken):
        await recording.append([recording.event(Kind.OUTPUT, 1, b"late")])


async def test_l2_a_session_that_cannot_be_opened_leaves_nothing(store: Store) -> None:
    read_only(store, True)
    recording = Recording(store, header(store))
    with pytest.raises(StoreError):
        await recording.open()
    read_only(store, False)
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


async def test_the_audit_chain_says_who_opened_what_and_how_it_was_sealed(store: Store) -> None:
    await finish(await begin(store))
    evidence = Evidence(store.path, KEYS, live=True)
    opened, sealed = evidence.audit()
    evidence.close()
    assert (opened.kind, opened.detail["identity"], opened.detail["target"]) == (
        "session.opened",
        "orders-deployer",
        "web-1",
    )
    assert (sealed.kind, sealed.detail["chunks"], sealed.detail["state"]) == ("session.sealed", 7, "closed")
    with sqlite3.connect(store.path) as connection:
        first, last = (
            connection.execute("SELECT hex(hash) FROM chunks WHERE seq = ?", (seq,)).fetchone()[0].lower()
            for seq in (1, 7)
        )
        (claims,) = connection.execute("SELECT claims FROM sessions").fetchone()
    assert (opened.detail["first"], sealed.detail["head"]) == (first, last)
    assert json.loads(claims) == {"repository": "acme/orders", "run_id": "42"}


async def test_what_was_lost_is_not_counted(store: Store) -> None:
    recording = await begin(store, outputs=2)
    kept = row(store).bytes_out
    read_only(store, True)
    with pytest.raises(StoreError):
        await recording.append([recording.event(Kind.OUTPUT, 1, b"lost")], bytes_out=4)
    read_only(store, False)
    await recording.close("session ended")
    assert row(store).bytes_out == kept
    assert b"lost" not in b"".join(event.data for event in events(store))
