"""The last lines of a session: bounded, escaped, and marked where something is left out (T36)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recorder.events import Event, Kind
from recorder.tail import LINE_CHARS, TAIL_BYTES, TAIL_LINES, TAIL_PIECES, Tail

KINDS = (Kind.STATEMENT, Kind.OUTPUT, Kind.ERROR, Kind.NOTICE, Kind.INPUT, Kind.EXIT)


def event(kind: Kind, data: bytes, channel: int = 1) -> Event:
    return Event(0, kind, channel, data)


def told(*events: Event) -> tuple[str, ...]:
    tail = Tail()
    for one in events:
        tail.add([one])
    return tail.lines()


def test_what_ran_and_what_it_printed_in_order_and_nothing_else() -> None:
    assert told(
        event(Kind.STATEMENT, b"echo a; false\n"),
        event(Kind.INPUT, b"echo a; false\n"),
        event(Kind.OUTPUT, b"a"),
        event(Kind.OUTPUT, b"b\r\nc"),
        event(Kind.ERROR, b"oh\n"),
        event(Kind.NOTICE, b"bastion: denied\r\n"),
        event(Kind.EXIT, b""),
    ) == ("$ echo a; false", "| ab", "| c", "! oh", "# bastion: denied")


def test_a_session_that_has_done_nothing_has_no_lines() -> None:
    assert told() == ()


def test_t36_what_an_output_has_in_it_is_escaped() -> None:
    (line,) = told(event(Kind.OUTPUT, "a\x1b[2J\u202e\u200b\x9b".encode() + b"\xff\r\n"))
    assert line == "| a\\x1b[2J\\u202e\\u200b\\x9b\\xff"


def test_t36_lines_that_are_cut_say_so() -> None:
    (long,) = told(event(Kind.OUTPUT, b"x" * 500))
    assert long == "| " + "x" * LINE_CHARS + "… (cut)"
    lines = told(event(Kind.OUTPUT, b"begin " + b"y\n" * TAIL_BYTES))
    assert len(lines) == TAIL_LINES
    (torn,) = told(event(Kind.OUTPUT, b"z" * 10 + b"y" * TAIL_BYTES))
    assert torn.startswith("| … y")


def test_only_the_last_lines_are_told() -> None:
    lines = told(*(event(Kind.STATEMENT, f"echo {number}\n".encode()) for number in range(100)))
    assert lines == tuple(f"$ echo {number}" for number in range(100 - TAIL_LINES, 100))


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=6000), st.integers(1, 3)), max_size=80))
def test_l11_the_tail_is_bounded_whatever_comes(given_: list[tuple[Kind, bytes, int]]) -> None:
    tail = Tail()
    for kind, data, channel in given_:
        tail.add([event(kind, data, channel)])
        held = tail._pieces
        assert sum(len(piece.data) for piece in held) == tail._bytes <= TAIL_BYTES
        assert len(held) <= TAIL_PIECES
    lines = tail.lines()
    assert len(lines) <= TAIL_LINES
    assert "".join(lines).isprintable()
