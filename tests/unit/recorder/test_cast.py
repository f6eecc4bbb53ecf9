"""asciicast export and its reader: exact times, safe text, errors that name the line."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.cast import CastEvent, Version, read_cast, start, write_cast
from recorder.errors import CastDecodeError
from recorder.events import Event, Kind

SESSION = {
    "id": "01JD3X",
    "identity": "orders-deployer",
    "owner": "dana@acme.example",
    "target": "web-1",
    "login": "deploy",
    "started_us": 1_760_000_000_123_456,
}
PTY = {"type": "shell", "pty": True, "cols": 132, "rows": 50, "term": "xterm-256color"}
BOTH = pytest.mark.parametrize("version", [2, 3])


def cast(*events: Event, version: Version = 2) -> bytes:
    return b"".join(write_cast(SESSION, events, version=version))


def events_of(*events: Event, version: Version = 2) -> list[tuple[int, str, str]]:
    return [
        (event.at_us, event.code, event.text) for event in read_cast(cast(*events, version=version)).events
    ]


def test_header_of_version_2() -> None:
    header = json.loads(cast(Event(0, Kind.OPEN), Event(5, Kind.REQUEST, 1, b"", PTY)).split(b"\n")[0])
    assert header == {
        "version": 2,
        "width": 132,
        "height": 50,
        "timestamp": 1_760_000_000,
        "title": "orders-deployer deploy@web-1 01JD3X",
        "env": {"TERM": "xterm-256color"},
    }


def test_header_of_version_3() -> None:
    header = json.loads(cast(Event(5, Kind.REQUEST, 1, b"", PTY), version=3).split(b"\n")[0])
    assert header == {
        "version": 3,
        "term": {"cols": 132, "rows": 50, "type": "xterm-256color"},
        "timestamp": 1_760_000_000,
        "title": "orders-deployer deploy@web-1 01JD3X",
    }


def test_header_without_a_pty() -> None:
    whole = read_cast(cast(Event(5, Kind.REQUEST, 1, b"ls", {"pty": False})))
    assert (whole.cols, whole.rows) == (80, 24)
    assert "env" not in whole.header


def test_start_returns_header_and_writer() -> None:
    line, writer = start(SESSION, version=2, cols=90, rows=30)
    assert json.loads(line)["width"] == 90
    assert list(writer.feed(Event(1_500_000, Kind.OUTPUT, 1, b"hi\n"))) == [b'[1.500000, "o", "hi\\r\\n"]\n']
    assert list(writer.finish()) == []


@BOTH
def test_every_kind_of_line(version: Version) -> None:
    told = events_of(
        Event(0, Kind.OPEN),
        Event(10, Kind.REQUEST, 1, b"./deploy.sh", {"type": "exec", "pty": False}),
        Event(11, Kind.VERDICT, 1, detail={"verdict": "allow", "rules": ["ci"]}),
        Event(20, Kind.OUTPUT, 1, b"out\n"),
        Event(30, Kind.ERROR, 1, b"err\n"),
        Event(40, Kind.NOTICE, 1, b"held\n"),
        Event(50, Kind.INPUT, 1, b"in\n"),
        Event(60, Kind.RESIZE, 1, detail={"cols": 100, "rows": 40}),
        Event(70, Kind.MARKER, 1, detail={"label": "half way"}),
        Event(75, Kind.FILE, 1, detail={"op": "open", "path": "/a"}),
        Event(
            80,
            Kind.FILE,
            1,
            detail={"op": "close", "path": "/a", "direction": "upload", "length": 3, "sha256": "f"},
        ),
        Event(90, Kind.EXIT, 1, detail={"status": 7}),
        Event(100, Kind.CLOSE, detail={"reason": "done"}),
        version=version,
    )
    assert told == [
        (10, "m", "./deploy.sh"),
        (20, "o", "out\r\n"),
        (30, "o", "err\r\n"),
        (40, "o", "held\r\n"),
        (50, "i", "in\n"),
        (60, "r", "100x40"),
        (70, "m", "half way"),
        (80, "m", "upload /a 3 bytes"),
        *([(100, "x", "7")] if version == 3 else []),
    ]


@BOTH
def test_a_second_size_is_a_resize(version: Version) -> None:
    second = Event(9, Kind.REQUEST, 2, b"", PTY | {"cols": 100, "rows": 40})
    told = events_of(Event(5, Kind.REQUEST, 1, b"", PTY), second, version=version)
    assert told == [(5, "m", "shell"), (9, "r", "100x40"), (9, "m", "shell")]


@BOTH
def test_t45_escapes_in_an_export_draw_and_no_more(version: Version) -> None:
    told = events_of(
        Event(1, Kind.OUTPUT, 1, b"a\x1b]52;c;"),
        Event(2, Kind.OUTPUT, 1, b"aGk=\x07b\x1b[6nc"),
        version=version,
    )
    assert [text for _, _, text in told] == ["a", "bc"]


@BOTH
def test_t45_a_file_can_be_read_in_a_terminal(version: Version) -> None:
    body = cast(
        Event(1, Kind.INPUT, 1, "\x1b]0;x\x07\u009b31m\u202e\u2028".encode()),
        Event(2, Kind.REQUEST, 1, "\u009b\u202e".encode()),
        version=version,
    ).decode()
    assert not set(body) & {"\x1b", "\x07", "\u009b", "\u202e", "\u2028"}
    assert body.count("\n") == 3


@BOTH
def test_characters_cut_between_events_are_whole_again(version: Version) -> None:
    euro = "€".encode()
    told = events_of(
        Event(1, Kind.OUTPUT, 1, euro[:1]),
        Event(2, Kind.INPUT, 1, euro[:2]),
        Event(3, Kind.OUTPUT, 1, euro[1:]),
        Event(4, Kind.INPUT, 1, euro[2:]),
        Event(5, Kind.OUTPUT, 2, euro[:2]),
        Event(6, Kind.INPUT, 2, b"\xf0"),
        version=version,
    )
    assert told == [(3, "o", "€"), (4, "i", "€"), (6, "o", "\ufffd"), (6, "i", "\ufffd")]


@given(gaps=st.lists(st.integers(0, 10**7), min_size=1, max_size=60), version=st.sampled_from([2, 3]))
def test_times_are_exact_and_do_not_drift(gaps: list[int], version: Version) -> None:
    at_us = [sum(gaps[: count + 1]) for count in range(len(gaps))]
    told = events_of(*(Event(at, Kind.OUTPUT, 1, b"x") for at in at_us), version=version)
    assert [at for at, _, _ in told] == at_us


def test_version_3_writes_intervals() -> None:
    body = cast(*(Event(at, Kind.OUTPUT, 1, b"x") for at in (1, 333_334, 666_667)), version=3)
    assert [line.split(b",")[0] for line in body.splitlines()[1:]] == [
        b"[0.000001",
        b"[0.333333",
        b"[0.333333",
    ]


@given(
    pieces=st.lists(st.binary(max_size=30), max_size=12),
    kinds=st.lists(st.sampled_from(list(Kind)), min_size=12, max_size=12),
    version=st.sampled_from([2, 3]),
)
def test_any_events_give_a_cast_that_reads_back(
    pieces: list[bytes], kinds: list[Kind], version: Version
) -> None:
    events = [
        Event(at, kind, at % 3, data) for at, (data, kind) in enumerate(zip(pieces, kinds, strict=False))
    ]
    lines = list(write_cast(SESSION, events, version=version))
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines)
    told = read_cast(b"".join(lines)).events
    assert all(one.at_us <= other.at_us for one, other in pairwise(told))


def test_read_version_3_with_comments() -> None:
    body = b'{"version":3,"term":{"cols":80,"rows":24}}\n# hi\n[0.25,"o","a"]\n#\n[1.5,"x","0"]\n'
    assert read_cast(body).events == (
        CastEvent(at_us=250_000, code="o", text="a"),
        CastEvent(at_us=1_750_000, code="x", text="0"),
    )


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", 1),
        (b"[]\n", 1),
        (b'{"version":1,"width":80,"height":24}', 1),
        (b'{"version":2,"width":80}', 1),
        (b'{"version":2,"width":true,"height":24}', 1),
        (b'{"version":3,"width":80,"height":24}', 1),
        (b'{"version":3,"term":[80,24]}', 1),
        (b"# not first\n", 1),
        (b"{" * 100_000, 1),
        (b"[" * 100_000, 1),
        (b'{"version":2,"width":80,"height":24}\n[1,"o"]', 2),
        (b'{"version":2,"width":80,"height":24}\n[1,"o","a"]\n\n[2,"o","b"]', 3),
        (b'{"version":2,"width":80,"height":24}\n["1","o","a"]', 2),
        (b'{"version":2,"width":80,"height":24}\n[true,"o","a"]', 2),
        (b'{"version":2,"width":80,"height":24}\n[-1,"o","a"]', 2),
        (b'{"version":2,"width":80,"height":24}\n[NaN,"o","a"]', 2),
        (b'{"version":2,"width":80,"height":24}\n[1e999999999,"o","a"]', 2),
        (b'{"version":2,"width":80,"height":24}\n[' + b"9" * 5000 + b',"o","a"]', 2),
        (b'{"version":2,"width":80,"height":24}\n[1,"o",2]', 2),
        (b'{"version":2,"width":80,"height":24}\n[1,"o","\xff"]', 2),
        (b'{"version":2,"width":80,"height":24}\n# comment', 2),
    ],
)
def test_a_broken_file_names_its_line(body: bytes, line: int) -> None:
    with pytest.raises(CastDecodeError, match=f"^line {line}: "):
        read_cast(body)


@given(body=st.binary(max_size=200))
def test_reading_is_total(body: bytes) -> None:
    prefix = b'{"version":2,"width":80,"height":24}\n'
    for candidate in (body, prefix + body):
        with suppress(CastDecodeError):
            read_cast(candidate)
