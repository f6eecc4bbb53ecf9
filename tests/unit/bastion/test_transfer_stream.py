"""bastion.transfer.StreamTap passes every byte on, and says of each piece how much has passed, and its digest."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bastion.transfer import StreamCommand, StreamTap, Tapped
from recorder.events import Kind

RSYNC = StreamCommand(program="rsync")
talk = st.lists(st.tuples(st.booleans(), st.binary(max_size=50)), max_size=20)


def said(tapped: Tapped) -> list[dict[str, Any]]:
    assert all(event.kind is Kind.DIGEST and not event.data for event in tapped.events)
    return [event.detail for event in tapped.events]


def digest(stream: str, data: bytes, **more: Any) -> dict[str, Any]:
    return {
        "stream": stream,
        "of": "rsync",
        "length": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        **more,
    }


@given(talk)
def test_l1_every_piece_has_its_running_length_and_digest(talk: list[tuple[bool, bytes]]) -> None:
    tap = StreamTap(RSYNC)
    passed = {"input": b"", "output": b""}
    for is_client, data in talk:
        tapped = tap.client(data) if is_client else tap.target(data)
        assert (tapped.forward, tapped.release, tap.stalled) == (data, b"", None)
        stream = "input" if is_client else "output"
        passed[stream] += data
        assert said(tapped) == ([digest(stream, passed[stream])] if data else [])
    end = tap.finish()
    assert (end.forward, end.release) == (b"", b"")
    assert said(end) == [digest(stream, data, ended=True) for stream, data in passed.items() if data]
    assert tap.finish() == Tapped()


@given(talk)
def test_any_split_has_the_same_end(talk: list[tuple[bool, bytes]]) -> None:
    pieces, whole = StreamTap(RSYNC), StreamTap(RSYNC)
    for is_client, data in talk:
        for at in range(len(data)):
            (pieces.client if is_client else pieces.target)(data[at : at + 1])
        (whole.client if is_client else whole.target)(data)
    assert pieces.finish() == whole.finish()
