"""Sessions that were cut off: sealed as interrupted as far as they are proven, and never as whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.audit import Entry
from recorder.events import Event, Kind
from recorder.evidence import Evidence, Filter, open_readonly
from recorder.recovery import Survey, checkpoint, close_surveyed, recover, survey
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store
from recorder.verify import verify
from tests.unit.recorder.archive import CLOSED, INTERRUPTED, OPEN, Ticking, alter, begin, finish

SIGNER = Signer(generate_seal_key())
KEYS = KeySet.of(SIGNER)
REASON = "the bastion stopped without closing this session"


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def stores(tmp_path: Path, clock: Ticking) -> Iterator[list[Store]]:
    made: list[Store] = []
    yield made
    for store in made:
        store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.sqlite"


def start(stores: list[Store], path: Path, clock: Ticking, signer: Signer = SIGNER) -> Store:
    """Start on the file as a bastion does, after the one before has stopped."""
    for store in stores:
        store.close()
    stores.append(Store(path, signer, now_us=clock))
    return stores[-1]


def recovered(store: Store, keys: KeySet = KEYS) -> list[str]:
    return store.run_now(lambda transaction: recover(transaction, keys, REASON))


def states(path: Path, keys: KeySet = KEYS) -> dict[str, str]:
    evidence = Evidence(path, keys, live=True)
    try:
        return {row.id: row.state for row in evidence.sessions(Filter())}
    finally:
        evidence.close()


def chain(path: Path) -> list[Entry]:
    evidence = Evidence(path, KEYS, live=True)
    try:
        return list(evidence.audit())
    finally:
        evidence.close()


async def test_what_was_open_is_sealed_as_interrupted_and_what_was_closed_is_left(
    stores: list[Store], path: Path, clock: Ticking
) -> None:
    store = start(stores, path, clock)
    await finish(await begin(store, CLOSED))
    await begin(store, OPEN)
    store = start(stores, path, clock)
    assert recovered(store) == [OPEN]
    assert states(path) == {CLOSED: "closed", OPEN: "interrupted"}
    last = list(Evidence(path, KEYS, live=True).events(OPEN))[-1]
    assert (last.kind, last.detail["reason"], last.detail["state"]) == (Kind.CLOSE, REASON, "interrupted")
    assert chain(path)[-1].detail["witnessed_chunks"] == 0
    assert recovered(start(stores, path, clock)) == []
    assert verify(path, KEYS).problems == []


async def test_the_end_is_dated_by_the_last_event_not_by_the_restart(
    stores: list[Store], path: Path, clock: Ticking
) -> None:
    store = start(stores, path, clock)
    recording = await begin(store, OPEN)
    await recording.append([Event(5_000_000, Kind.OUTPUT, 1, b"x")])
    clock.us += 3_600_000_000
    recovered(start(stores, path, clock))
    (row,) = Evidence(path, KEYS, live=True).sessions(Filter())
    assert row.ended_us == row.started_us + 5_000_000


async def test_the_last_checkpoint_says_how_much_is_vouched_for(
    stores: list[Store], path: Path, clock: Ticking
) -> None:
    store = start(stores, path, clock)
    recording = await begin(store, OPEN)
    known = await store.commit(lambda transaction: checkpoint(transaction, [OPEN, CLOSED], {}))
    assert known == {OPEN: 5}
    again = await store.commit(lambda transaction: checkpoint(transaction, [OPEN], known))
    assert (again, len(chain(path))) == (known, 2)  # nothing has grown, so there is nothing to say
    await recording.append([Event(900_000, Kind.OUTPUT, 1, b"x")])
    await recording.append([Event(900_000, Kind.OUTPUT, 1, b"y")])
    recovered(start(stores, path, clock))
    assert chain(path)[-1].detail["witnessed_chunks"] == 5
    (note,) = verify(path, KEYS).notes
    assert "the last 2 before the end were seen by no checkpoint" in note.what


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            "DELETE FROM chunks WHERE session = ? AND seq > 3",
            "it ends at chunk 3, but a checkpoint saw chunk 5",
        ),
        ("DELETE FROM chunks WHERE session = ? AND seq = 2", "chunk 2 is missing"),
        ("DELETE FROM chunks WHERE session = ?", "it ends at chunk 0, but a checkpoint saw chunk 5"),
        ("UPDATE chunks SET body = x'00' WHERE session = ? AND seq = 5", "chunk 5 was altered"),
        ("UPDATE chunks SET signature = x'' WHERE session = ? AND seq = 5", "chunk 5"),
    ],
)
async def test_t42_what_does_not_hold_is_named_and_never_sealed(
    stores: list[Store], path: Path, clock: Ticking, change: str, problem: str
) -> None:
    store = start(stores, path, clock)
    await begin(store, OPEN)
    await begin(store, INTERRUPTED)
    await store.commit(lambda transaction: checkpoint(transaction, [OPEN], {}))
    store.close()
    alter(path, change, OPEN)
    assert recovered(start(stores, path, clock)) == [INTERRUPTED, OPEN]
    assert states(path) == {OPEN: "damaged", INTERRUPTED: "interrupted"}
    told = next(entry for entry in chain(path) if entry.kind == "session.damaged")
    assert (told.detail["session"], problem in told.detail["problem"]) == (OPEN, True)
    entries = len(chain(path))
    assert recovered(start(stores, path, clock)) == []  # told once
    assert len(chain(path)) == entries
    assert {found.where for found in verify(path, KEYS).problems} == {f"session {OPEN}"}


async def test_t42_a_tail_cut_off_together_with_the_checkpoint_that_saw_it_is_not_blessed(
    stores: list[Store], path: Path, clock: Ticking
) -> None:
    store = start(stores, path, clock)
    await begin(store, OPEN)
    await store.commit(lambda transaction: checkpoint(transaction, [OPEN], {}))
    store.close()
    alter(path, "DELETE FROM chunks WHERE session = ? AND seq > 3", OPEN)
    alter(path, "UPDATE audit SET jws = 'nothing' WHERE kind = 'recording.checkpoint'")
    recovered(start(stores, path, clock))
    assert states(path) == {OPEN: "damaged"}
    told = " ".join(problem.what for problem in verify(path, KEYS).problems)
    assert "audit entry 2, which may vouch for more of it, was altered" in told


async def test_a_session_begun_under_a_retired_key_is_recovered(
    stores: list[Store], path: Path, clock: Ticking
) -> None:
    old, new = Signer(generate_seal_key()), Signer(generate_seal_key())
    store = start(stores, path, clock, old)
    await begin(store, OPEN)
    await store.commit(lambda transaction: checkpoint(transaction, [OPEN], {}))
    both = KeySet.of(new, old)
    assert recovered(start(stores, path, clock, new), both) == [OPEN]
    assert verify(path, both).problems == []


async def test_a_crash_during_recovery_leaves_all_or_nothing(
    stores: list[Store], path: Path, clock: Ticking
) -> None:
    store = start(stores, path, clock)
    for session in (CLOSED, OPEN):
        await begin(store, session)
    store = start(stores, path, clock)

    def cut_off(transaction: object) -> None:
        recover(transaction, KEYS, REASON)  # type: ignore[arg-type]
        raise ValueError("the power failed")

    with pytest.raises(Exception, match="the power failed"):
        store.run_now(cut_off)
    assert states(path) == {CLOSED: "active", OPEN: "active"}
    assert recovered(store) == [CLOSED, OPEN]
    assert verify(path, KEYS).problems == []


# While others go on.


def surveyed(path: Path, session: str) -> Survey | None:
    connection = open_readonly(path, live=True)
    try:
        return survey(connection, session, KEYS)
    finally:
        connection.close()


async def test_l2_one_dead_process_leaves_sessions_that_are_sealed_while_others_write_theirs(
    stores: list[Store], path: Path, clock: Ticking
) -> None:
    store = start(stores, path, clock)
    await begin(store, INTERRUPTED)
    goes_on = await begin(store, OPEN)
    found = surveyed(path, INTERRUPTED)
    assert found is not None
    await goes_on.append([goes_on.event(Kind.OUTPUT, 1, b"meanwhile")], bytes_out=9)
    await store.commit(lambda transaction: close_surveyed(transaction, found, REASON))
    assert states(path) == {INTERRUPTED: "interrupted", OPEN: "active"}
    await store.commit(lambda transaction: close_surveyed(transaction, found, REASON))  # once is enough
    await goes_on.close("done")
    assert states(path) == {INTERRUPTED: "interrupted", OPEN: "closed"}
    assert verify(path, KEYS).problems == []


async def test_there_is_nothing_to_say_of_sessions_that_are_not_there_or_sealed(
    stores: list[Store], path: Path, clock: Ticking
) -> None:
    store = start(stores, path, clock)
    await finish(await begin(store, CLOSED))
    assert [surveyed(path, session) for session in (CLOSED, OPEN)] == [None, None]


async def test_l8_damage_that_a_survey_finds_is_named_and_nothing_is_sealed(
    stores: list[Store], path: Path, clock: Ticking
) -> None:
    store = start(stores, path, clock)
    await begin(store, INTERRUPTED)
    alter(path, "UPDATE chunks SET body = x'00' WHERE seq = 2")
    found = surveyed(path, INTERRUPTED)
    assert found is not None
    await store.commit(lambda transaction: close_surveyed(transaction, found, REASON))
    assert states(path) == {INTERRUPTED: "damaged"}
