"""What limits have counted is in a session's row, apart from what detectors found, and is read by identity."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.counted import Counted, counted
from recorder.errors import StoreError
from recorder.events import Event, Kind
from recorder.evidence import Evidence
from recorder.recording import Header, Recording
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store

NOW_US = 1_700_000_000_000_000


async def record(store: Store, name: str, identity: str, *totals: int, close: bool = True) -> Recording:
    recording = Recording(
        store,
        Header(
            id=name,
            identity=identity,
            owner="dana",
            target="web-1",
            login="deploy",
            started_us=store.now_us(),
            claims={},
            certificate={},
            peer="192.0.2.1",
        ),
    )
    await recording.open()
    hits = {"stream": "output", "hits": [["email", "personal", "detect", 1, 1, 9]]}
    await recording.append([Event(1, Kind.MASK, 1, b"", hits)])
    for total in totals:
        await recording.append([Event(2, Kind.LIMIT, 1, b"", {"counted": {"bulk": {"bytes": total}}})])
    if close:
        await recording.close("over")
    return recording


async def test_the_last_count_of_each_session_of_an_identity_is_read(tmp_path: Path) -> None:
    signer, now = Signer(generate_seal_key()), [NOW_US]
    store = Store(tmp_path / "recordings.sqlite", signer, now_us=lambda: now[0])
    await record(store, "01JD0000000000000000000001", "bot", 10, 25)
    await record(store, "01JD0000000000000000000002", "other", 7)
    await record(store, "01JD0000000000000000000003", "bot")
    await record(store, "01JD0000000000000000000004", "bot", 3, close=False)
    found = list(counted(store.path, "bot", begun_us=0, since_us=0))
    assert {(it.session[-1], it.limit, it.counts["bytes"]) for it in found} == {
        ("1", "bulk", 25),
        ("4", "bulk", 3),
    }
    assert list(counted(store.path, "nobody", begun_us=0, since_us=0)) == []
    assert list(counted(store.path, "bot", begun_us=NOW_US + 1, since_us=0)) == []
    # What ended before does not count, what lives does.
    later = list(counted(store.path, "bot", begun_us=0, since_us=NOW_US + 1_000_000))
    assert later == [Counted(session="01JD0000000000000000000004", limit="bulk", counts={"bytes": 3})]
    evidence = Evidence(store.path, KeySet.of(signer), live=True)
    row = evidence.session("01JD0000000000000000000001")
    assert row.limits == {"bulk": {"bytes": 25}}
    assert row.exposure == {"email": {"detect": 1}}
    evidence.close()
    store.close()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such file"):
        list(counted(tmp_path / "nothing.sqlite", "bot", begun_us=0, since_us=0))
