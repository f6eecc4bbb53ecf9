"""A session that is recorded, sealed and read back is the same, and verifies."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.errors import SessionBroken, StoreError
from recorder.events import Event, Kind
from recorder.evidence import Evidence, Filter
from recorder.recording import Header, Recording
from recorder.recovery import checkpoint, recover
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store
from recorder.verify import verify


class Ticking:
    """A clock that moves a millisecond each time it is read."""

    def __init__(self) -> None:
        self.us = 1_700_000_000_000_000

    def __call__(self) -> int:
        self.us += 1_000
        return self.us


def header(store: Store, name: str = "01JD0000000000000000000001") -> Header:
    return Header(
        id=name,
        identity="orders-deployer",
        owner="dana@acme.example",
        target="web-1",
        login="deploy",
        started_us=store.now_us(),
        claims={"repository": "acme/orders", "run_id": "42"},
        certificate={"serial": 7},
        peer="127.0.0.1",
    )


@pytest.fixture
def signer() -> Signer:
    return Signer(generate_seal_key())


@pytest.fixture
def store(tmp_path: Path, signer: Signer) -> Store:
    return Store(tmp_path / "recordings.sqlite", signer, now_us=Ticking())


async def record(store: Store, name: str = "01JD0000000000000000000001") -> Recording:
    recording = Recording(store, header(store, name))
    await recording.open()
    await recording.append([recording.event(Kind.REQUEST, 1, b"./deploy.sh", access="exec", pty=False)])
    await recording.append([recording.event(Kind.OUTPUT, 1, b"done\n")], bytes_out=5)
    await recording.append([recording.event(Kind.EXIT, 1, status=3)])
    await recording.close("the bot disconnected")
    return recording


async def test_a_recorded_session_reads_back_and_verifies(store: Store, signer: Signer) -> None:
    recording = await record(store)
    store.close()
    keys = KeySet.of(signer)
    evidence = Evidence(store.path, keys)
    (row,) = evidence.sessions(Filter())
    assert (row.id, row.state, row.exit_status, row.bytes_out, row.sealed) == (
        recording.id,
        "closed",
        3,
        5,
        True,
    )
    kinds = [event.kind for event in evidence.events(row.id)]
    assert kinds == [Kind.OPEN, Kind.REQUEST, Kind.OUTPUT, Kind.EXIT, Kind.CLOSE]
    evidence.close()
    report = verify(store.path, keys)
    assert report.problems == []
    assert (report.sessions, report.chunks) == (1, 5)
    assert not store.path.with_name(store.path.name + "-wal").exists()


async def test_l2_a_failed_commit_ends_the_recording_and_seals_it_as_interrupted(
    store: Store, signer: Signer
) -> None:
    recording = Recording(store, header(store))
    await recording.open()
    await recording.append([recording.event(Kind.OUTPUT, 1, b"kept")], bytes_out=4)
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError):
        await recording.append([recording.event(Kind.OUTPUT, 1, b"lost")], bytes_out=4)
    store._connection.execute("PRAGMA query_only = OFF")
    with pytest.raises(SessionBroken):
        await recording.append([recording.event(Kind.OUTPUT, 1, b"later")], bytes_out=5)
    await recording.close("the recorder failed")
    store.close()
    keys = KeySet.of(signer)
    evidence = Evidence(store.path, keys)
    (row,) = evidence.sessions(Filter())
    assert (row.state, row.bytes_out, row.sealed) == ("interrupted", 4, True)
    evidence.close()
    assert verify(store.path, keys).problems == []


async def test_t42_recovery_seals_as_interrupted_and_does_not_bless_a_cut_tail(
    store: Store, signer: Signer
) -> None:
    keys = KeySet.of(signer)
    whole = Recording(store, header(store, "01JD0000000000000000000001"))
    cut = Recording(store, header(store, "01JD0000000000000000000002"))
    for recording in (whole, cut):
        await recording.open()
        await recording.append([Event(5, Kind.OUTPUT, 1, b"x")], bytes_out=1)
    await store.commit(lambda transaction: checkpoint(transaction, [whole.id, cut.id], {}))
    store.close()
    store = Store(store.path, signer, now_us=store.now_us)
    store.run_now(
        lambda transaction: transaction.connection.execute(
            "DELETE FROM chunks WHERE session = ? AND seq = 2", (cut.id,)
        )
    )
    assert store.run_now(lambda transaction: recover(transaction, keys, "the bastion stopped")) == [
        whole.id,
        cut.id,
    ]
    store.close()
    report = verify(store.path, keys)
    assert {problem.where for problem in report.problems} == {f"session {cut.id}"}
    assert "interrupted" in report.notes[0].what
    states = {row.id: row.state for row in Evidence(store.path, keys).sessions(Filter())}
    assert states == {whole.id: "interrupted", cut.id: "damaged"}
