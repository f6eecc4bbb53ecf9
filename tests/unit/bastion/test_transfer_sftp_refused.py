"""What bastion.transfer.SftpTap refuses: the stream ends, and nothing of the offending packet goes on."""

from __future__ import annotations

import struct

import pytest

from bastion.transfer import SftpTap, TransferError, sftp
from bastion.transfer.sftp_wire import PACKET_BYTES_MAX, PATH_BYTES_MAX, PAYLOAD_BYTES_MAX
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

OPEN: Talk = [*GREETING, *opened(b"f", b"h", 3)]
ASKED: Talk = [*OPEN, ("client", read(9, b"h", 0, 4))]

# Why each must end the session: the tap would otherwise read the stream in another way than the target does.
CLIENT_FAULTS: dict[str, tuple[Talk, bytes]] = {
    "length 0": (GREETING, u32(0) + b"\x0d"),
    "a type without an id": (GREETING, u32(1) + b"\x0d"),
    "length over the bound": (GREETING, struct.pack(">IB", PACKET_BYTES_MAX + 1, 13)),
    "length of 2 GiB": (GREETING, struct.pack(">IB", 2**31, 13)),
    "payload over the bound": (
        OPEN,
        write(5, b"h", 0, b"")[:-4].replace(u32(22), u32(22 + PAYLOAD_BYTES_MAX + 1), 1)
        + u32(PAYLOAD_BYTES_MAX + 1),
    ),
    "payload that says less than the packet": (
        OPEN,
        packet(6, u32(5), string(b"h"), u64(0), string(b"abc"), b"more"),
    ),
    "a string past the packet": (GREETING, packet(13, u32(1), u32(99), b"a")),
    "bytes behind the last field": (GREETING, packet(13, u32(1), string(b"a"), b"x")),
    "attributes of another version": (GREETING, packet(9, u32(1), string(b"a"), u32(0x10), u32(0))),
    "a path over the bound": (GREETING, packet(13, u32(1), string(b"a" * (PATH_BYTES_MAX + 1)))),
    "a handle over the bound": (GREETING, packet(4, u32(1), string(b"h" * 257))),
    "a handle over the bound in a write": (GREETING, write(1, b"h" * 257, 0, b"abc")),
    "an unknown type": (GREETING, packet(21, u32(1))),
    "an answer": (GREETING, status(1)),
    "a second INIT": (GREETING, packet(1, u32(3))),
    "a request before the version": (GREETING[:1], packet(13, u32(1), string(b"a"))),
    "a write to a handle that is not open": (OPEN, write(5, b"g", 0, b"abc")),
    "a write after close": ([*OPEN, *closed(b"h")], write(5, b"h", 0, b"abc")),
    "a read of a handle that is not open": (OPEN, read(5, b"g", 0, 4)),
    "a copy to a handle that is not open": (
        OPEN,
        packet(200, u32(5), string(b"copy-data"), string(b"h"), u64(0), u64(0), string(b"g"), u64(0)),
    ),
    "a read of a directory": (
        [
            *GREETING,
            ("client", packet(11, u32(1), string(b"d"))),
            ("target", packet(102, u32(1), string(b"h"))),
        ],
        read(5, b"h", 0, 4),
    ),
    "an id in use": (ASKED, packet(13, u32(9), string(b"a"))),
}

TARGET_FAULTS: dict[str, tuple[Talk, bytes]] = {
    "a shell's greeting": (GREETING[:1], b"Welcome to web-1\n"),
    "a version before the client's": ([], packet(2, u32(3))),
    "another version": (GREETING[:1], packet(2, u32(6))),
    "a second version": (GREETING, packet(2, u32(3))),
    "an answer to nothing": (OPEN, status(9)),
    "an answer twice": ([*ASKED, ("target", data(9, b"abcd"))], data(9, b"abcd")),
    "payload for a stat": ([*OPEN, ("client", packet(17, u32(9), string(b"a")))], data(9, b"abcd")),
    "payload for an unknown extension": (
        [*OPEN, ("client", packet(200, u32(9), string(b"x")))],
        data(9, b"a"),
    ),
    "a handle for an unknown extension": (
        [*OPEN, ("client", packet(200, u32(9), string(b"x")))],
        packet(102, u32(9), string(b"k")),
    ),
    "a handle for a read": (ASKED, packet(102, u32(9), string(b"k"))),
    "more than was asked for": (ASKED, data(9, b"abcde")),
    "bytes behind the payload": (ASKED, packet(103, u32(9), string(b"abcd"), b"\x01")),
    "a handle that is still open": (
        [*OPEN, ("client", packet(3, u32(9), string(b"g"), u32(1), NO_ATTRIBUTES))],
        packet(102, u32(9), string(b"h")),
    ),
    "an answer before the write is whole": (
        [*OPEN, ("client", write(9, b"h", 0, b"abcd")[:-1])],
        status(9),
    ),
    "a request": (OPEN, packet(13, u32(9), string(b"a"))),
}


@pytest.mark.parametrize("name", CLIENT_FAULTS)
def test_l2_a_client_at_fault_ends_the_session(name: str) -> None:
    before, at_fault = CLIENT_FAULTS[name]
    played = play(SftpTap(), [*before, ("client", at_fault)])
    assert "sftp from the client" in played.fault
    assert played.to_target == b"".join(said for side, said in before if side == "client")
    assert played.events[-1].data == at_fault
    assert played.events[-1].detail == {"released": False}


@pytest.mark.parametrize("name", TARGET_FAULTS)
def test_l2_a_target_at_fault_ends_the_session(name: str) -> None:
    before, at_fault = TARGET_FAULTS[name]
    played = play(SftpTap(), [*before, ("target", at_fault)])
    assert played.fault.startswith("sftp ")
    assert played.to_client == b"".join(said for side, said in before if side == "target")
    assert played.events[-1].data == at_fault
    assert played.events[-1].detail == {"released": False}


def test_l2_nothing_passes_after_a_fault() -> None:
    tap = SftpTap()
    with pytest.raises(TransferError) as first:
        tap.client(u32(0) + b"\x0d")
    for call in (tap.client, tap.target):
        with pytest.raises(TransferError, match=first.value.public):
            call(packet(1, u32(3)))


def test_what_came_before_the_fault_may_still_pass() -> None:
    tap = SftpTap()
    good = packet(1, u32(3))
    with pytest.raises(TransferError) as fault:
        tap.client(good + u32(0) + b"\x0d")
    assert fault.value.tapped.forward == good
    assert [event.data for event in fault.value.tapped.events] == [good]


def test_a_shells_greeting_is_named_as_the_likely_cause() -> None:
    assert "greeting" in play(SftpTap(), [*GREETING[:1], ("target", b"Welcome to web-1\n")]).fault


def test_outstanding_operations_are_bounded() -> None:
    removes: Talk = [
        ("client", packet(13, u32(number), string(b"a"))) for number in range(sftp.OPERATIONS_MAX + 1)
    ]
    played = play(SftpTap(), [*GREETING, *removes])
    assert played.fault == "sftp from the client has too many requests outstanding"
    assert len(played.files("remove")) == sftp.OPERATIONS_MAX


def test_outstanding_reads_stall_the_client_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp, "OUTSTANDING_STALL", 10)
    monkeypatch.setattr(sftp, "OUTSTANDING_MAX", 20)
    tap = SftpTap()
    for side, said in OPEN:
        tap.client(said) if side == "client" else tap.target(said)
    for number in range(20):
        assert tap.stalled == ("client" if number >= 10 else None)
        tap.client(read(100 + number, b"h", 0, 4))
    with pytest.raises(TransferError, match="too many requests outstanding"):
        tap.client(read(200, b"h", 0, 4))


def test_open_handles_are_bounded() -> None:
    talk = [*GREETING]
    for number in range(sftp.HANDLES_MAX + 1):
        talk += opened(b"f", u32(number), 1, number)
    assert play(SftpTap(), talk).fault == "sftp from the client has too many files open"


def test_t18_a_client_that_dribbles_holds_no_more_than_one_packet() -> None:
    tap = SftpTap()
    for side, said in GREETING:
        tap.client(said) if side == "client" else tap.target(said)
    largest = packet(200, u32(1), string(b"x"), b"z" * (PACKET_BYTES_MAX - 10))
    assert len(largest) == PACKET_BYTES_MAX + 4
    passed = [tap.client(largest[at : at + 1]).forward for at in range(len(largest))]
    assert not any(passed[:-1])
    assert passed[-1] == largest
