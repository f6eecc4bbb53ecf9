"""What bastion.transfer.SftpTap says of uploads, downloads and operations."""

from __future__ import annotations

import hashlib

import pytest

from bastion.transfer import SftpTap
from bastion.transfer.flow import EXTENTS_MAX
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
    status,
    string,
    u32,
    u64,
    write,
)

READ, WRITE = 1, 2


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_an_upload_is_recorded_by_length_and_digest() -> None:
    talk = [
        *GREETING,
        *opened(b"/srv/app.tgz", b"h", WRITE | 8 | 16),
        ("client", write(5, b"h", 0, b"hello ")),
        ("client", write(6, b"h", 6, b"world")),
        ("target", status(5) + status(6)),
        *closed(b"h"),
    ]
    played = play(SftpTap(), talk)
    assert played.files("open", "close") == [
        {"op": "open", "path": "/srv/app.tgz", "flags": ["write", "create", "truncate"], "status": "ok"},
        {
            "op": "close",
            "path": "/srv/app.tgz",
            "direction": "upload",
            "offset": 0,
            "length": 11,
            "sha256": sha256(b"hello world"),
            "sequential": True,
            "complete": True,
            "status": "ok",
        },
    ]
    assert played.to_target == b"".join(said for side, said in talk if side == "client")
    assert played.to_client == b"".join(said for side, said in talk if side == "target")


def test_l1_payload_is_left_out_of_the_protocol_bytes_and_the_rest_is_kept() -> None:
    packets = write(5, b"h", 0, b"secret content")
    played = play(SftpTap(), [*GREETING, *opened(b"f", b"h", WRITE), ("client", packets)])
    recorded = played.protocol(Kind.CLIENT_PROTOCOL)
    assert recorded.endswith(packets.removesuffix(b"secret content"))
    assert b"secret" not in b"".join(event.data for event in played.events)


def test_l1_every_released_piece_of_payload_has_its_running_length_and_digest() -> None:
    tap = SftpTap()
    for side, said in [*GREETING, *opened(b"f", b"h", WRITE)]:
        tap.client(said) if side == "client" else tap.target(said)
    whole = write(5, b"h", 100, b"0123456789")
    head, payload = whole[:-10], whole[-10:]
    assert tap.client(head[:20]).forward == b""
    assert tap.client(head[20:]).forward == head
    for end in range(1, 11):
        tapped = tap.client(payload[end - 1 : end])
        assert tapped.forward == payload[end - 1 : end]
        assert [event.detail for event in tapped.events] == [
            {
                "op": "progress",
                "path": "f",
                "direction": "upload",
                "offset": 99 + end,
                "length": end,
                "sha256": sha256(payload[:end]),
            }
        ]


def test_l3_a_request_goes_on_only_when_it_is_whole() -> None:
    tap = SftpTap()
    for side, said in GREETING:
        tap.client(said) if side == "client" else tap.target(said)
    remove = packet(13, u32(1), string(b"/srv/data"))
    for at in range(len(remove) - 1):
        assert tap.client(remove[at : at + 1]).forward == b""
    assert tap.client(remove[-1:]).forward == remove


def test_a_download_answered_out_of_order_is_hashed_in_the_order_it_passed() -> None:
    talk = [
        *GREETING,
        *opened(b"f", b"h", READ),
        ("client", read(10, b"h", 0, 4) + read(11, b"h", 4, 4) + read(12, b"h", 8, 4)),
        ("target", data(11, b"4567") + data(10, b"0123") + status(12, 1)),
        *closed(b"h"),
    ]
    (close,) = play(SftpTap(), talk).files("close")
    assert close["sha256"] == sha256(b"45670123")
    assert (close["sequential"], close["extents"]) == (False, [[4, 4], [0, 4]])
    assert (close["length"], close["eof"], close["complete"]) == (8, True, True)


def test_short_reads_and_resumed_transfers_stay_sequential() -> None:
    talk = [
        *GREETING,
        *opened(b"f", b"h", READ),
        ("client", read(10, b"h", 50, 10)),
        ("target", data(10, b"abc")),
        ("client", read(11, b"h", 53, 7)),
        ("target", data(11, b"defghij")),
        *closed(b"h"),
    ]
    (close,) = play(SftpTap(), talk).files("close")
    assert (close["offset"], close["length"], close["sequential"]) == (50, 10, True)
    assert close["sha256"] == sha256(b"abcdefghij")
    assert close["eof"] is False


def test_a_handle_for_reading_and_writing_has_both_directions() -> None:
    talk = [
        *GREETING,
        *opened(b"f", b"h", READ | WRITE),
        ("client", read(10, b"h", 0, 9) + write(11, b"h", 0, b"new")),
        ("target", data(10, b"old") + status(11)),
        *closed(b"h"),
    ]
    closes = {it["direction"]: it["sha256"] for it in play(SftpTap(), talk).files("close")}
    assert closes == {"download": sha256(b"old"), "upload": sha256(b"new")}


def test_an_empty_file_has_the_digest_of_nothing() -> None:
    (close,) = play(SftpTap(), [*GREETING, *opened(b"f", b"h", WRITE), *closed(b"h")]).files("close")
    assert (close["length"], close["sha256"], close["complete"]) == (0, sha256(b""), True)


def test_a_refused_write_leaves_the_file_incomplete() -> None:
    talk = [
        *GREETING,
        *opened(b"f", b"h", WRITE),
        ("client", write(5, b"h", 0, b"abc")),
        ("target", status(5, 4)),
        *closed(b"h"),
    ]
    (close,) = play(SftpTap(), talk).files("close")
    assert (close["complete"], close["failed"], close["status"]) == (False, 1, "ok")


def test_a_close_that_overtakes_an_answer_is_reported_after_it() -> None:
    talk = [
        *GREETING,
        *opened(b"f", b"h", READ),
        ("client", read(10, b"h", 0, 4) + packet(4, u32(11), string(b"h"))),
        ("target", status(11) + data(10, b"0123")),
    ]
    (close,) = play(SftpTap(), talk).files("close")
    assert (close["length"], close["complete"], close["status"]) == (4, True, "ok")


def test_a_read_that_is_never_answered_leaves_the_file_incomplete() -> None:
    talk = [*GREETING, *opened(b"f", b"h", READ), ("client", read(10, b"h", 0, 4)), *closed(b"h")]
    (close,) = play(SftpTap(), talk).files("close")
    assert (close["status"], close["complete"]) == ("ok", False)


def test_payload_of_no_bytes_is_asked_and_answered_like_any_other() -> None:
    talk = [
        *GREETING,
        *opened(b"f", b"h", READ | WRITE),
        ("client", write(10, b"h", 0, b"") + read(11, b"h", 0, 4)),
        ("target", status(10) + data(11, b"")),
        *closed(b"h"),
    ]
    played = play(SftpTap(), talk)
    assert not played.fault
    assert [(it["length"], it["complete"]) for it in played.files("close")] == [(0, True)] * 2


def test_a_handle_may_be_given_out_again_once_its_close_was_asked_for() -> None:
    talk = [*GREETING, *opened(b"a", b"h", WRITE), *closed(b"h"), *opened(b"b", b"h", WRITE), *closed(b"h")]
    played = play(SftpTap(), talk)
    assert not played.fault
    assert [it["path"] for it in played.files("close")] == ["a", "b"]


def test_the_end_of_the_channel_reports_open_files_and_unanswered_operations() -> None:
    whole = write(5, b"h", 0, b"0123456789")
    talk: Talk = [
        *GREETING,
        *opened(b"up", b"h", WRITE),
        *opened(b"down", b"g", READ),
        ("client", packet(13, u32(7), string(b"gone")) + packet(4, u32(8), string(b"g"))),
        ("client", whole[:-4]),
    ]
    played = play(SftpTap(), talk)
    remove, down, up = played.files("remove", "close")
    assert remove == {"op": "remove", "path": "gone", "status": "unanswered"}
    assert (down["path"], down["complete"], down["status"]) == ("down", False, "unanswered")
    assert (up["path"], up["complete"], up["status"]) == ("up", False, "not-closed")
    assert (up["length"], up["sha256"]) == (6, sha256(b"012345"))


def test_what_was_held_at_the_end_is_recorded_as_not_released() -> None:
    played = play(SftpTap(), [*GREETING, ("client", packet(13, u32(7), string(b"gone"))[:9])])
    last = played.events[-1]
    assert (last.kind, len(last.data), last.detail) == (Kind.CLIENT_PROTOCOL, 9, {"released": False})


def test_finish_twice_says_nothing_new() -> None:
    tap = SftpTap()
    for side, said in [*GREETING, *opened(b"f", b"h", WRITE)]:
        tap.client(said) if side == "client" else tap.target(said)
    assert tap.finish().events
    assert not [event for event in tap.finish().events if event.detail.get("op")]


PATHS = string(b"a") + string(b"b")
OPERATIONS = {
    "remove": (packet(13, u32(9), string(b"a")), {"path": "a"}),
    "mkdir": (packet(14, u32(9), string(b"a"), NO_ATTRIBUTES), {"path": "a"}),
    "rmdir": (packet(15, u32(9), string(b"a")), {"path": "a"}),
    "rename": (packet(18, u32(9), PATHS), {"path": "a", "to": "b"}),
    "symlink": (packet(20, u32(9), PATHS), {"path": "a", "to": "b"}),
    "setstat": (packet(9, u32(9), string(b"a"), u32(4), u32(0o4755)), {"path": "a", "mode": 0o4755}),
    "fsetstat": (packet(10, u32(9), string(b"h"), u32(1), u64(0)), {"path": "f", "size": 0}),
    "list": (packet(11, u32(9), string(b"a")), {"path": "a"}),
    "posix-rename": (
        packet(200, u32(9), string(b"posix-rename@openssh.com"), PATHS),
        {"path": "a", "to": "b"},
    ),
    "hardlink": (packet(200, u32(9), string(b"hardlink@openssh.com"), PATHS), {"path": "a", "to": "b"}),
    "lsetstat": (
        packet(200, u32(9), string(b"lsetstat@openssh.com"), string(b"a"), u32(2), u32(1), u32(2)),
        {"path": "a", "uid": 1, "gid": 2},
    ),
    "copy-data": (
        packet(200, u32(9), string(b"copy-data"), string(b"h"), u64(1), u64(2), string(b"h"), u64(3)),
        {"path": "f", "to": "f", "offset": 1, "length": 2, "to_offset": 3},
    ),
    "extended": (packet(200, u32(9), string(b"new@acme.example"), b"anything"), {"name": "new@acme.example"}),
}


@pytest.mark.parametrize("op", OPERATIONS)
@pytest.mark.parametrize(("code", "text"), [(0, "ok"), (3, "permission-denied"), (77, "status-77")])
def test_an_operation_is_recorded_with_its_status(op: str, code: int, text: str) -> None:
    request, expected = OPERATIONS[op]
    talk: Talk = [*GREETING, *opened(b"f", b"h", WRITE), ("client", request), ("target", status(9, code))]
    assert play(SftpTap(), talk).files(op) == [{"op": op, **expected, "status": text}]


def test_a_failed_open_is_recorded() -> None:
    talk: Talk = [
        *GREETING,
        ("client", packet(3, u32(1), string(b"/etc/shadow"), u32(READ), NO_ATTRIBUTES)),
        ("target", status(1, 3)),
    ]
    assert play(SftpTap(), talk).files() == [
        {"op": "open", "path": "/etc/shadow", "flags": ["read"], "status": "permission-denied"}
    ]


def test_a_path_that_is_not_utf8_is_shown_by_its_bytes() -> None:
    (it,) = play(SftpTap(), [*GREETING, *opened(b"caf\xe9", b"h", READ)]).files("open")
    assert it["path"] == "caf\\xe9"


def test_extents_are_bounded() -> None:
    talk: Talk = [*GREETING, *opened(b"f", b"h", WRITE)]
    for number in range(EXTENTS_MAX + 10):
        talk += [("client", write(100 + number, b"h", number * 10, b"x")), ("target", status(100 + number))]
    (close,) = play(SftpTap(), [*talk, *closed(b"h")]).files("close")
    assert len(close["extents"]) == EXTENTS_MAX
    assert (close["extents_truncated"], close["length"]) == (True, EXTENTS_MAX + 10)
