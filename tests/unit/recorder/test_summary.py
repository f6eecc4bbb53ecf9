"""The row of a session is made of its events, and of nothing else."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from recorder.events import Event, Kind
from recorder.summary import ROW_KINDS, State, Summary

OPEN = Event(
    0,
    Kind.OPEN,
    detail={
        "id": "01JD1",
        "identity": "orders-deployer",
        "owner": "dana@acme.example",
        "target": "web-1",
        "login": "deploy",
        "started_us": 1_000_000,
        "claims": {"run_id": "42"},
    },
)
CLOSE = Event(
    7, Kind.CLOSE, detail={"state": "closed", "reason": "the bot disconnected", "bytes_in": 3, "bytes_out": 5}
)


def told(*events: Event) -> Summary:
    summary = Summary(id="01JD1")
    for event in events:
        summary.apply(event)
    return summary


def test_a_session_from_its_opening_to_its_close() -> None:
    summary = told(OPEN)
    assert (summary.state, summary.ended_us, json.loads(summary.row()["claims"])) == (
        State.ACTIVE,
        None,
        {"run_id": "42"},
    )
    summary = told(OPEN, Event(2, Kind.EXIT, 1, detail={"status": 3}), CLOSE)
    assert summary.row() == {
        "id": "01JD1",
        "state": "closed",
        "identity": "orders-deployer",
        "owner": "dana@acme.example",
        "target": "web-1",
        "login": "deploy",
        "access": "",
        "started_us": 1_000_000,
        "ended_us": 1_000_007,
        "exit_status": 3,
        "exit_signal": None,
        "end_reason": "the bot disconnected",
        "bytes_in": 3,
        "bytes_out": 5,
        "claims": '{"run_id": "42"}',
        "exposure": "{}",
    }


def test_each_kind_of_access_is_named_once_in_the_order_of_asking() -> None:
    asked = [
        Event(1, Kind.REQUEST, 1, b"x", {"access": access}) for access in ("exec", "sftp", "exec", "shell")
    ]
    assert (
        told(OPEN, *asked, Event(2, Kind.REQUEST, 2, b"odd", {"access": None})).row()["access"]
        == "exec,sftp,shell"
    )


def test_the_last_command_to_end_gives_the_status() -> None:
    killed = Event(3, Kind.EXIT, 2, detail={"signal": "TERM", "core": False})
    row = told(OPEN, Event(2, Kind.EXIT, 1, detail={"status": 0}), killed).row()
    assert (row["exit_status"], row["exit_signal"]) == (None, "TERM")


@given(st.sampled_from(sorted(set(Kind) - ROW_KINDS)), st.binary(max_size=9))
def test_no_other_event_changes_the_row(kind: Kind, data: bytes) -> None:
    summary = told(OPEN)
    before = summary.row()
    assert summary.apply(Event(1, kind, 1, data, {"state": "closed", "identity": "x"})) is False
    assert summary.row() == before


def test_hits_are_counted_by_detector_and_by_what_became_of_them() -> None:
    hits = [["email", "personal", "detect", 1, 1, 9], ["aws-access-key", "secret", "redact", 2, 1, 20]]
    masks = [Event(at, Kind.MASK, 1, detail={"stream": "output", "hits": hits}) for at in (1, 2)]
    assert json.loads(told(OPEN, *masks).row()["exposure"]) == {
        "aws-access-key": {"redact": 2},
        "email": {"detect": 2},
    }
