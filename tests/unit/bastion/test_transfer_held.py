"""An operation that waits holds what is behind it, and nothing else; what people say is answered in its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.transfer import Judged, OperationDenied, ScpTap, SftpTap, Tap, TapEvent, parse_scp_command
from policies.facts import Facts
from recorder.events import Kind
from tests.unit.bastion.transfer_talk import (
    GREETING,
    NO_ATTRIBUTES,
    Played,
    Talk,
    data,
    opened,
    packet,
    read,
    split,
    status,
    string,
    u32,
    write,
)

READ, WRITE = 1, 2


async def nobody() -> Judged:
    raise AssertionError


def judge(facts: Facts) -> Judged:
    """Let whatever has to do with a path that says so wait."""
    if "ask" in facts.statement:
        return Judged(event=None, wait=nobody)
    return Judged(event=TapEvent(kind=Kind.STATEMENT, data=facts.statement.encode()))


def remove(number: int, path: bytes) -> bytes:
    return packet(13, u32(number), string(path))


def play(tap: Tap, talk: Talk, answers: list[Judged]) -> tuple[Played, list[bytes]]:
    """Play what both sides say; each operation that waits is answered at once. Return also what was out before."""
    played, before = Played(), []
    for side, said in talk:
        tapped = tap.client(said) if side == "client" else tap.target(said)
        played.add(side, tapped)
        while tapped.wait is not None:
            before.append(played.to_target)
            tapped = tap.answered(side, answers.pop(0))
            played.add(side, tapped)
    played.events += tap.finish().events
    return played, before


APPROVED = Judged(event=None)
DENIED = Judged(event=None, denied="H-7K3Q denied by kim", told=b"bastion: H-7K3Q denied by kim\r\n")
TALK: Talk = [
    *GREETING,
    *opened(b"f", b"h", READ | WRITE),
    ("client", write(2, b"h", 0, b"before") + remove(3, b"/ask") + write(4, b"h", 6, b"behind")),
    ("target", status(2)),
]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_l3_what_waits_goes_on_in_its_place_and_nothing_of_it_before(sizes: list[int]) -> None:
    talk = split(TALK, sizes)
    played, (before,) = play(SftpTap(judge), talk, [APPROVED])
    assert before.endswith(b"before")
    assert remove(3, b"/ask")[:5] not in before[before.index(b"before") :]
    assert played.to_target == b"".join(said for side, said in TALK if side == "client")


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_l3_what_was_not_approved_is_answered_and_what_is_behind_it_goes_on(sizes: list[int]) -> None:
    talk = [*split(TALK, sizes), ("target", b"")]
    played, _ = play(SftpTap(judge), talk, [DENIED])
    asked = remove(3, b"/ask")
    assert played.to_target == b"".join(said for side, said in TALK if side == "client").replace(asked, b"")
    assert packet(101, u32(3), u32(3), string(b"H-7K3Q denied by kim"), u32(0)) in played.to_client
    assert [it["status"] for it in played.files("remove")] == ["denied"]
    (told,) = [event.data for event in played.events if event.kind is Kind.NOTICE]
    assert told == DENIED.told


def test_answers_of_the_target_go_on_while_an_operation_waits() -> None:
    tap = SftpTap(judge)
    for side, said in [*GREETING, *opened(b"f", b"h", READ)]:
        _ = tap.client(said) if side == "client" else tap.target(said)
    tapped = tap.client(read(2, b"h", 0, 6) + remove(3, b"/ask"))
    assert tapped.forward == read(2, b"h", 0, 6)
    assert tapped.wait is not None
    assert tap.target(data(2, b"abcdef")).forward == data(2, b"abcdef")
    assert tap.answered("client", APPROVED).forward == remove(3, b"/ask")


def test_a_file_opened_for_both_waits_twice_and_is_opened_once() -> None:
    both = packet(3, u32(1), string(b"/ask"), u32(READ | WRITE), NO_ATTRIBUTES)
    played, before = play(SftpTap(judge), [*GREETING, ("client", both)], [APPROVED, APPROVED])
    assert len(before) == 2
    assert played.to_target.endswith(both)
    assert played.to_target.count(both) == 1
    played, before = play(SftpTap(judge), [*GREETING, ("client", both)], [APPROVED, DENIED])
    assert both not in played.to_target


UPLOAD: Talk = [
    ("target", b"\0"),
    ("client", b"C0644 3 ask\nabc\0"),
    ("target", b"\0\0"),
]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.booleans())
@settings(max_examples=100, deadline=None)
def test_l3_a_file_of_legacy_scp_waits_before_it_is_announced(sizes: list[int], late: bool) -> None:
    """Whoever's bytes bring the file before the judge: with a late greeting it is the target's."""
    command = parse_scp_command(b"scp -t /srv/")
    assert command
    talk = split(UPLOAD, sizes)
    if late:
        talk = [*[it for it in talk if it[0] == "client"], *[it for it in talk if it[0] == "target"]]
    played, (before,) = play(ScpTap(command, judge), talk, [APPROVED])
    assert before == b""
    assert played.to_target == b"C0644 3 ask\nabc\0"
    assert played.to_client == b"\0\0\0"


def test_legacy_scp_ends_with_the_status_of_what_people_said() -> None:
    command = parse_scp_command(b"scp -t /srv/")
    assert command
    tap = ScpTap(command, judge)
    tap.target(b"\0")
    assert tap.client(b"C0644 3 ask\n").wait is not None
    assert tap.stalled == "client"
    expired = Judged(event=None, denied="H-7K3Q expired", status=124)
    with pytest.raises(OperationDenied, match="expired") as ended:
        tap.answered("client", expired)
    assert ended.value.status == 124
