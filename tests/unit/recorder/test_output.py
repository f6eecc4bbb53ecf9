"""What may be drawn of a session, and the labels of its markers."""

from __future__ import annotations

import pytest

from recorder.events import Event, Kind
from recorder.output import LABEL_BOUND, SessionOutput, command, label, transferred


def request(data: bytes, *, channel: int = 1, pty: bool = False, kind: str = "exec") -> Event:
    return Event(0, Kind.REQUEST, channel, data, {"type": kind, "pty": pty})


def test_without_a_pty_lone_line_feeds_get_their_carriage_return() -> None:
    output = SessionOutput()
    assert output.feed(request(b"ls")) == b""
    assert output.feed(Event(1, Kind.OUTPUT, 1, b"a\nb\r")) == b"a\r\nb\r"
    assert output.feed(Event(2, Kind.OUTPUT, 1, b"\nc")) == b"\nc"


def test_with_a_pty_line_feeds_stay_and_notices_do_not() -> None:
    output = SessionOutput()
    output.feed(request(b"", pty=True, kind="shell"))
    assert output.feed(Event(1, Kind.OUTPUT, 1, b"a\nb")) == b"a\nb"
    assert output.feed(Event(2, Kind.NOTICE, 1, b"held\n")) == b"held\r\n"


def test_t45_each_stream_is_filtered_by_itself() -> None:
    output = SessionOutput()
    assert output.feed(Event(1, Kind.OUTPUT, 1, b"\x1b]52;c;")) == b""
    assert output.feed(Event(2, Kind.ERROR, 1, b"err")) == b"err"
    assert output.feed(Event(3, Kind.OUTPUT, 2, b"two")) == b"two"
    assert output.feed(Event(4, Kind.OUTPUT, 1, b"aGk=\x07one\xe2\x82")) == b"one"
    assert output.finish() == "\ufffd".encode()


def test_input_and_protocol_bytes_are_not_drawn() -> None:
    output = SessionOutput()
    for kind in set(Kind) - {Kind.OUTPUT, Kind.ERROR, Kind.NOTICE}:
        assert output.feed(Event(1, kind, 1, b"bytes")) == b""


def test_the_alternate_screen_is_known() -> None:
    output = SessionOutput()
    output.feed(Event(1, Kind.OUTPUT, 1, b"\x1b[?1049h"))
    assert output.alternate_screen
    output.feed(Event(1, Kind.OUTPUT, 1, b"\x1b[?1049l"))
    assert not output.alternate_screen


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (request(b"./deploy.sh --env prod"), "./deploy.sh --env prod"),
        (request(b"", kind="shell"), "shell"),
        (request(b"echo \x1b]0;x\x07\xff"), "echo \\x1b]0;x\\x07\\xff"),
        (Event(0, Kind.MARKER, detail={"label": "step\u202e 2"}), "step\\u202e 2"),
        (Event(0, Kind.OUTPUT, 1, b"x"), None),
    ],
)
def test_labels(event: Event, text: str | None) -> None:
    assert label(event) == text


def test_a_long_command_is_cut_in_the_label_only() -> None:
    event = request(b"x" * 9000)
    assert len(label(event) or "") == LABEL_BOUND
    assert len(command(event)) == 9000


def test_only_the_last_word_on_a_file_is_a_label() -> None:
    detail = {"op": "close", "path": "/srv/a\n.tgz", "direction": "upload", "length": 123, "sha256": "ab"}
    assert transferred(Event(0, Kind.FILE, 1, detail=detail)) == "upload /srv/a\\n.tgz 123 bytes"
    torn = detail | {"complete": False, "status": "not-closed"}
    assert (
        label(Event(0, Kind.FILE, 1, detail=torn))
        == "upload /srv/a\\n.tgz 123 bytes (incomplete: not-closed)"
    )
    assert label(Event(0, Kind.FILE, 1, detail=detail | {"op": "progress"})) is None
    assert label(Event(0, Kind.FILE, 1, detail={"op": "open", "path": "/srv/a"})) is None


def test_t45_a_hold_has_a_marker_when_it_begins_and_when_it_ends() -> None:
    waits = Event(1, Kind.HOLD, 1, b"", {"hold": "H-7K3Q", "state": "waiting"})
    ended = Event(2, Kind.HOLD, 1, b"", {"hold": "H-7K3Q", "state": "denied", "reason": "denied by a\x1b[2J"})
    assert [label(waits), label(ended)] == ["hold H-7K3Q waiting", "hold H-7K3Q denied by a\\x1b[2J"]
