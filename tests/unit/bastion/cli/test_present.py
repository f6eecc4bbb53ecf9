"""What is shown of evidence: all of it to machines, none of it as an act on a person's terminal (threat T45)."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bastion.cli import present
from recorder.events import Event, Kind
from recorder.evidence import SessionRow
from recorder.verify import Report

EVIL = "a\x1b]52;c;cm0gLXJm\x07\x1b]0;title\x07\x1b[31m\r\n\x9b2J\u202ebackwards\udcff"


def row(**changes: Any) -> SessionRow:
    fields: dict[str, Any] = {
        "id": "01JD0000000000000000000001",
        "state": "closed",
        "identity": "orders-deployer",
        "owner": "dana@acme.example",
        "target": "web-1",
        "login": "deploy",
        "access": "exec",
        "started_us": 1_700_000_000_000_000,
        "ended_us": 1_700_000_002_500_000,
        "exit_status": 3,
        "exit_signal": None,
        "end_reason": "the bot disconnected",
        "bytes_in": 7,
        "bytes_out": 2048,
        "claims": {"run_id": "42", "sub": "repo:acme/orders"},
        "exposure": {},
        "limits": {},
        "files": {},
        "sealed": True,
    }
    return SessionRow(**{**fields, **changes})


def shown_lines(text: str) -> list[str]:
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\udc80-\udcff]", text)
    return text.splitlines()


def test_an_object_has_the_fields_that_the_documentation_lists() -> None:
    shown = present.session_object(row())
    assert " ".join(shown) == (
        "id state identity owner target login access started_at ended_at exit_status bytes_in bytes_out claims"
        " exposure limits file_counts sealed"
    )
    assert shown["started_at"] == "2023-11-14T22:13:20.000000Z"
    assert shown["ended_at"] == "2023-11-14T22:13:22.500000Z"
    assert (shown["exit_status"], shown["bytes_in"], shown["bytes_out"], shown["sealed"]) == (
        3,
        7,
        2048,
        True,
    )
    assert shown["claims"] == {"run_id": "42", "sub": "repo:acme/orders"}


def test_a_table_has_a_line_for_each_session() -> None:
    rows = [
        row(),
        row(state="active", ended_us=None),
        row(exit_status=None, exit_signal="KILL"),
        row(exit_status=None),
    ]
    lines = present.session_table(rows).splitlines()
    assert "2.5s" in lines[1]
    assert all(
        word in line
        for line, word in zip(lines[1:], ["exit 3", "active", "SIGKILL", "no status"], strict=True)
    )
    assert present.session_table([]) == "no sessions"


def test_t45_nothing_of_a_row_acts_on_the_terminal() -> None:
    fields = ("id", "identity", "owner", "target", "login", "access", "exit_signal")
    for field in fields:
        assert len(shown_lines(present.session_table([row(**{field: EVIL})]))) == 2
    assert len(shown_lines(present.session_table([row(claims={"run_id": EVIL})]))) == 2


def events(text: str) -> list[Event]:
    certificate = {"serial": 1, "key_id": text, "key": text}
    return [
        Event(0, Kind.OPEN, 0, b"", {"certificate": certificate, "peer": text}),
        Event(1, Kind.REQUEST, 1, text.encode("utf-8", "surrogateescape"), {"type": "exec", "pty": False}),
        Event(2, Kind.VERDICT, 1, b"", {"verdict": "allow", "rules": [text], "reason": text}),
        Event(3, Kind.REFUSED, 0, b"", {"what": text, "reason": text}),
        Event(4, Kind.NOTICE, 1, text.encode("utf-8", "surrogateescape")),
        Event(
            5,
            Kind.FILE,
            1,
            b"",
            {"op": "close", "path": text, "direction": "upload", "length": 5, "sha256": "ab"},
        ),
        Event(6, Kind.FILE, 1, b"", {"op": "rename", "path": text, "to": text, "status": "ok"}),
        Event(7, Kind.EXIT, 1, b"", {"signal": "TERM", "message": text}),
    ]


def test_t45_nothing_of_a_session_acts_on_the_terminal() -> None:
    evil = row(owner=EVIL, end_reason=EVIL, claims={EVIL: EVIL})
    lines = shown_lines(present.details_text(present.session_details(evil, events(EVIL))))
    assert len(lines) == len(
        present.details_text(present.session_details(row(claims={"a": "b"}), events("x"))).splitlines()
    )


@given(st.text(max_size=20), st.binary(max_size=20))
def test_t45_no_text_at_all_acts_on_the_terminal(text: str, data: bytes) -> None:
    told = [
        *events(text),
        Event(8, Kind.REQUEST, 2, data, {"type": "exec", "pty": True, "cols": 80, "rows": 24}),
    ]
    shown_lines(present.details_text(present.session_details(row(identity=text, claims={text: text}), told)))
    report = Report()
    report.problem(text, text)
    assert len(shown_lines(present.report_text(report))) == 3


@given(st.binary(max_size=60))
def test_an_exact_export_gives_every_byte_back(data: bytes) -> None:
    (head, line) = present.event_lines(row(), [Event(5, Kind.OUTPUT, 1, data)])
    assert json.loads(head)["session"]["id"] == row().id
    told = json.loads(line)
    back = told.get("text", "").encode() if "base64" not in told else base64.b64decode(told["base64"])
    assert (back, told["at_us"], told["kind"], told["channel"]) == (data, 5, "output", 1)


def test_a_report_says_first_what_broke_then_what_cannot_be_proven_then_how_much_was_checked() -> None:
    report = Report(sessions=2, chunks=9, events=20, entries=5, head="5:ab")
    report.problem("session 01JD1", "chunk 2 was altered")
    report.note("session 01JD2", "is open")
    lines = present.report_text(report).splitlines()
    assert lines[0] == "BROKEN session 01JD1: chunk 2 was altered"
    assert lines[1].startswith("note ")
    assert lines[-1] == "1 problem found"
    assert present.report_object(report)["ok"] is False
    assert present.report_text(Report()).splitlines()[-1] == "everything holds"
