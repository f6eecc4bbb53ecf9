"""A request that is denied is answered by the bastion, between the target's packets, and never reaches the target."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.transfer import Judged, OperationDenied, ScpTap, SftpTap, TapEvent, parse_scp_command
from bastion.transfer.operation import place, stream_facts
from bastion.transfer.stream_command import parse_stream_command
from policies.facts import Facts
from recorder.events import Kind
from tests.unit.bastion.transfer_talk import (
    GREETING,
    NO_ATTRIBUTES,
    Talk,
    closed,
    data,
    opened,
    packet,
    play,
    read,
    split,
    string,
    u32,
)

READ, WRITE = 1, 2
PATHS = ["/srv/a", "b", "~/c"]


def judge(facts: Facts) -> Judged:
    """Deny whatever has to do with a path that says so."""
    denied = "no" in facts.statement
    event = TapEvent(kind=Kind.STATEMENT, data=facts.statement.encode())
    return Judged(event=event, denied="denied by rule" if denied else "")


def remove(number: int, path: bytes) -> bytes:
    return packet(13, u32(number), string(path))


def answer(number: int) -> bytes:
    return packet(101, u32(number), u32(3), string(b"denied by rule"), u32(0))


def ok(number: int) -> bytes:
    return packet(101, u32(number), u32(0), string(b""), string(b""))


TALK: Talk = [
    *GREETING,
    *opened(b"f", b"h", READ),
    (
        "client",
        read(2, b"h", 0, 6) + remove(3, b"/no") + remove(4, b"/yes") + packet(17, u32(5), string(b"no")),
    ),
    ("target", data(2, b"abc" + b"def")),
    ("target", ok(4)),
    *closed(b"h", 6),
]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_t23_the_answer_stands_between_two_packets_whatever_the_split(sizes: list[int]) -> None:
    played = play(SftpTap(judge), split(TALK, sizes))
    assert played.fault == ""
    assert remove(3, b"/no") not in played.to_target
    assert played.to_target == b"".join(said for side, said in TALK if side == "client").replace(
        remove(3, b"/no"), b""
    ).replace(packet(17, u32(5), string(b"no")), b"")
    rest = played.to_client
    found = []
    while rest:
        size = 4 + int.from_bytes(rest[:4], "big")
        found.append(rest[:size])
        rest = rest[size:]
    assert sorted(found) == sorted([said for side, said in TALK if side == "target"] + [answer(3), answer(5)])
    assert [event.detail["status"] for event in played.events if event.detail.get("path") == "/no"] == [
        "denied"
    ]


def test_t23_an_id_that_was_denied_may_be_used_again() -> None:
    talk = [*GREETING, ("client", remove(3, b"/no")), ("target", b""), ("client", remove(3, b"/yes"))]
    played = play(SftpTap(judge), [*talk, ("target", ok(3))])
    assert played.fault == ""
    assert played.to_client.endswith(answer(3) + ok(3))


def test_t23_a_file_that_may_be_read_and_not_written_is_not_opened_for_both() -> None:
    told: list[str] = []

    def never_up(facts: Facts) -> Judged:
        told.append(f"{facts.operation} {facts.statement}")
        denied = "no" if facts.operation == "upload" else ""
        return Judged(event=TapEvent(kind=Kind.STATEMENT), denied=denied)

    both = packet(3, u32(1), string(b"/f"), u32(READ | WRITE), NO_ATTRIBUTES)
    played = play(SftpTap(never_up), [*GREETING, ("client", both), ("target", b"")])
    assert told == ["download download /f", "upload upload /f"]
    assert both not in played.to_target


@pytest.mark.parametrize("line", [b"C0644 1 no\n", b"D0755 0 no\n"])
def test_t23_scp_is_ended_at_the_file_that_is_denied(line: bytes) -> None:
    command = parse_scp_command(b"scp -r -t /srv/")
    assert command
    tap = ScpTap(command, judge)
    tap.target(b"\0")
    with pytest.raises(OperationDenied):
        tap.client(line)
    assert play(tap, []).to_target == b""


@pytest.mark.parametrize(
    ("path", "word", "form"),
    [
        ("/srv/a", "/srv/a", "literal"),
        ("//srv//./a/", "/srv/a", "literal"),
        ("a/b", "~/a/b", "literal"),
        (".", "~", "literal"),
        ("~", "~", "literal"),
        ("~/a", "~/a", "literal"),
        ("~root/a", "~root/a", "computed"),
        ("/srv/../etc", "/srv/../etc", "computed"),
        ("..", "..", "computed"),
    ],
)
def test_t46_paths_are_made_plain_or_not_known(path: str, word: str, form: str) -> None:
    assert (place(path).text, place(path).form) == (word, form)


@pytest.mark.parametrize(
    ("command", "operation", "touched"),
    [
        ("rsync --server -e.Lsfx . /srv/", "upload", {"/srv", "/srv/**/*"}),
        (
            "rsync --server --sender -e.Lsfx . /srv/a b",
            "download",
            {"/srv/a", "/srv/a/**/*", "~/b", "~/b/**/*"},
        ),
        ("git-receive-pack '/srv/a.git'", "upload", {"/srv/a.git", "/srv/a.git/**/*"}),
        ("git-upload-pack 'a.git'", "download", {"~/a.git", "~/a.git/**/*"}),
    ],
)
def test_t23_streams_are_operations_on_all_below_a_path(
    command: str, operation: str, touched: set[str]
) -> None:
    stream = parse_stream_command(command.encode())
    assert stream
    facts = stream_facts(stream, command.encode())
    assert facts.operation == operation
    assert {touch.value.text for touch in facts.reads} == touched
    assert {touch.value.text for touch in facts.writes} == (touched if operation == "upload" else set())
