"""What is downloaded is looked into before it goes on: however it is read, nothing that must not pass does."""

from __future__ import annotations

import gzip
import os
import random
import struct
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.transfer import (
    Inspection,
    OperationDenied,
    ScpTap,
    SftpTap,
    TapEvent,
    parse_scp_command,
    scp_content,
    sftp_reads,
)
from bastion.transfer.sftp_looking import HELD_BYTES_MAX
from policies.masking.action import Action, ActionKind
from policies.masking.plan import MaskRule, Plan, chosen, plan
from recorder.events import Kind
from tests.unit.bastion.transfer_talk import GREETING, closed, opened, packet, read, string, u32, write

KEY_ID = b"AKIA" + b"Q3EGRZ7KPLMN2TXW"
MAIL = b"sam.doe@" + b"example.org"
LINE = b"10:00:01 info served /api/v1/items in 12 ms status=200 host=web-1 ok\n"
DETECT = Action(kind=ActionKind.DETECT)


@cache
def rules(*, spool: bool = False, deny: bool = False) -> Plan:
    """Return a plan that masks secrets and counts what is personal."""
    made = plan(
        [
            MaskRule(
                id="secrets",
                detectors=frozenset({"aws-access-key", "private-key"}),
                action=Action(),
                spool=spool,
                unreadable="deny" if deny else "count",
            ),
            MaskRule(id="people", detectors=chosen(None, ["email"]), action=DETECT),
        ]
    )
    assert made is not None
    return made


def inspection(**options: bool) -> Inspection:
    return Inspection(plan=rules(**options), session="01JD")


def text(size: int) -> bytes:
    return (LINE * (size // len(LINE) + 1))[:size]


@dataclass
class Server:
    """An sftp server of one open file behind a tap, and a client that reads it."""

    content: bytes
    tap: SftpTap
    most: int = 1 << 30  # bytes that it answers at once
    sizes: list[int] = field(default_factory=lambda: [1 << 20])
    got: dict[int, bytes | int] = field(default_factory=dict)
    events: list[TapEvent] = field(default_factory=list)
    told: bytes = b""
    own: int = 0
    _turn: int = 0
    _target: deque[bytes] = field(default_factory=deque)
    _rest: bytes = b""
    _left: bool = False

    def __post_init__(self) -> None:
        for side, said in [*GREETING, *opened(b"/srv/f", b"h", 1)]:
            tapped = self.tap.client(said) if side == "client" else self.tap.target(said)
            self.events += tapped.events

    def ask(self, *reads: tuple[int, int, int]) -> None:
        """Send READs (id, offset, length), and go on until nothing moves."""
        self._client(b"".join(read(number, b"h", offset, length) for number, offset, length in reads))
        while self._target or (self._left and self.tap.stalled is None):
            if self._target:
                self._from_target(self._target.popleft())
            else:
                self._client(b"")

    def close(self) -> list[dict[str, Any]]:
        for side, said in closed(b"h", 9_999_999):
            tapped = self.tap.client(said) if side == "client" else self.tap.target(said)
            self.events += tapped.events
        self.events += self.tap.finish().events
        return [event.detail for event in self.events if event.kind is Kind.FILE]

    def _client(self, data: bytes) -> None:
        tapped = self.tap.client(data)
        self._left = tapped.more
        self._took(tapped.events, tapped.told)
        self._serve(tapped.forward)
        if tapped.owes:
            self._from_target(b"")

    def _from_target(self, data: bytes) -> None:
        at = 0
        while True:
            size = self.sizes[self._turn % len(self.sizes)]
            self._turn += 1
            tapped = self.tap.target(data[at : at + size])
            self._took(tapped.events, tapped.told)
            self._serve(tapped.release)
            self._hear(tapped.forward)
            at += size
            if at >= len(data):
                return

    def _took(self, events: tuple[TapEvent, ...], told: bytes) -> None:
        self.events += events
        self.told += told

    def _serve(self, requests: bytes) -> None:
        """Answer READs, as a server does: in order."""
        while requests:
            (size,) = struct.unpack_from(">I", requests)
            number, offset, length = struct.unpack(">I5xQI", requests[5 : 4 + size])
            self.own += number >= 0xF0000000
            piece = self.content[offset : offset + min(length, self.most)]
            answer = packet(103, u32(number), string(piece))
            if not piece:
                answer = packet(101, u32(number), u32(1), string(b"eof"), string(b""))
            self._target.append(answer)
            requests = requests[4 + size :]

    def _hear(self, answers: bytes) -> None:
        self._rest += answers
        while len(self._rest) >= 4:
            (size,) = struct.unpack_from(">I", self._rest)
            if len(self._rest) < 4 + size:
                return
            number, word = struct.unpack_from(">II", self._rest, 5)
            self.got[number] = self._rest[13 : 4 + size] if self._rest[4] == 103 else word
            self._rest = self._rest[4 + size :]


def whole(server: Server, step: int = 32_768, at_once: int = 8) -> bytes:
    """Read as a client does: so many READs at once, until the file ends or is denied."""
    content, number, offset = b"", 10, 0
    while True:
        reads = [(number + turn, offset + turn * step, step) for turn in range(at_once)]
        server.ask(*reads)
        for each, place, _ in reads:
            got = server.got[each]
            if not isinstance(got, bytes):
                return content
            assert place == len(content)
            content += got
            if len(got) < step:
                break
        number, offset = number + at_once, len(content)


@pytest.mark.parametrize("at_once", [1, 3, 64])
def test_a_clean_file_arrives_as_it_is_with_its_digest(at_once: int) -> None:
    content = text(700_001) + MAIL
    server = Server(content, SftpTap(inspection=inspection()))
    assert whole(server, at_once=at_once) == content
    (close,) = [detail for detail in server.close() if detail["op"] == "close"]
    assert (close["length"], close["complete"], close["content"]) == (len(content), True, "hit")
    (hits,) = [event.detail for event in server.events if event.kind is Kind.MASK]
    assert (hits["stream"], [hit[:3] for hit in hits["hits"]]) == (
        "download",
        [["email", "personal", "detect"]],
    )


@settings(max_examples=40, deadline=None)
@given(
    place=st.integers(0, 200_000),
    step=st.integers(9_000, 70_000),
    at_once=st.integers(1, 5),
    sizes=st.lists(st.integers(1, 60_000), min_size=1, max_size=5),
)
def test_t38_a_secret_stops_the_file_before_the_chunk_that_holds_it_wherever_it_is(
    place: int, step: int, at_once: int, sizes: list[int]
) -> None:
    content = text(place) + b"\n" + KEY_ID + b"\n" + text(50_000)
    server = Server(content, SftpTap(inspection=inspection()), sizes=sizes)
    got = whole(server, step, at_once)
    assert got == content[: (place + 1) // step * step]
    details = server.close()
    (stop,) = [detail for detail in details if detail["op"] == "stop"]
    assert (stop["detector"], stop["offset"]) == ("aws-access-key", place + 1)
    close = details[-1]
    assert (close["content"], close["complete"]) == ("stopped", False)
    assert (
        server.told.count(b"bastion: stopped /srv/f: it holds what may not pass (aws-access-key at byte") == 1
    )


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    step=st.sampled_from([1, 7, 100, 4096]),
    most=st.sampled_from([900, 1 << 30]),
)
def test_t38_a_reader_that_reads_about_in_a_file_gets_nothing_of_a_secret(
    seed: int, step: int, most: int
) -> None:
    """Every other piece, backwards, at random: what holds a byte of it is denied, and what was got before had none."""
    chance = random.Random(seed)
    place = chance.randrange(70_000, 90_000)
    content = text(place) + b"\n" + KEY_ID + b"\n" + text(90_000)
    pieces = [(at, step) for at in range(place - 3 * step, place + 40, step)]
    chance.shuffle(pieces)
    for offset, length in pieces[:12]:
        server = Server(content, SftpTap(inspection=inspection()), most=most)
        server.ask((10, offset, length))
        touches = offset < place + 21 and offset + length > place + 1
        assert (server.got[10] == 3) is touches, (offset, length, place)
        if not touches:
            assert server.got[10] == content[offset : offset + min(length, most)]
    server = Server(content, SftpTap(inspection=inspection()))
    for number, (offset, length) in enumerate(pieces):
        server.ask((10 + number, offset, length))
    known = bytearray(content)
    for number, (offset, length) in enumerate(pieces):
        if isinstance(server.got[10 + number], bytes):
            known[offset : offset + length] = b"\0" * length
    assert KEY_ID in known


def test_t38_what_stands_in_the_middle_of_a_private_key_is_denied_too() -> None:
    body = b"".join(os.urandom(24).hex().encode() + b"\n" for _ in range(400))
    content = text(100_000) + b"\n-----BEGIN RSA PRIVATE KEY-----\n" + body + text(10_000)
    server = Server(content, SftpTap(inspection=inspection()))
    server.ask((10, 110_000, 4_000))
    assert server.got[10] == 3


def test_no_more_is_held_than_its_bound_however_much_is_asked_for() -> None:
    content = text(12_000_000)
    server = Server(content, SftpTap(inspection=inspection()))
    asked = [read(10 + turn, b"h", turn * 250_000, 250_000) for turn in range(48)]
    tapped = server.tap.client(b"".join(asked))
    assert len(tapped.forward) <= len(asked[0]) * (HELD_BYTES_MAX // 250_000)
    assert tapped.more
    assert server.tap.stalled == "client"
    server._left = True
    server._serve(tapped.forward)
    server.ask()
    assert b"".join(bytes(server.got[10 + turn]) for turn in range(48)) == content


def test_spool_looks_through_all_of_it_first() -> None:
    content = text(900_000) + b"\n" + KEY_ID + b"\n"
    server = Server(content, SftpTap(inspection=inspection(spool=True)), most=100_000)
    assert whole(server) == b""
    assert [detail["offset"] for detail in server.close() if detail["op"] == "stop"] == [900_001]
    clean = text(900_000)
    server = Server(clean, SftpTap(inspection=inspection(spool=True)))
    assert whole(server) == clean
    assert server.own


def test_spool_refuses_what_is_larger_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp_reads, "SPOOL_BYTES_MAX", 500_000)
    server = Server(text(900_000), SftpTap(inspection=inspection(spool=True)))
    assert whole(server) == b""
    assert b"larger than the 500000 bytes" in server.told


HIDDEN = gzip.compress(os.urandom(200_000))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (HIDDEN, "gzip"),
        (b"PK\x03\x04" + text(100), "zip"),
        (os.urandom(100_000), "looks encrypted or compressed"),
        (text(200_000) + os.urandom(100_000), "looks encrypted or compressed"),
        (b"age-encryption.org/v1\n-> X25519 x\n", "age"),
    ],
)
def test_what_cannot_be_read_counts_as_unread_or_is_refused(content: bytes, why: str) -> None:
    server = Server(content, SftpTap(inspection=inspection()))
    assert whole(server) == content
    close = server.close()[-1]
    assert (close["content"], close["unread"]) == ("unread", why)
    server = Server(content, SftpTap(inspection=inspection(deny=True)))
    got = whole(server)
    assert len(got) < len(content)
    assert content.startswith(got)
    assert f"it cannot be read ({why}), and the policy refuses what cannot".encode() in server.told


@pytest.mark.parametrize("size", [100, 5_000, 40_000, 300_000])
def test_t40_what_is_counted_is_told_once_and_no_later_than_it_goes_on(size: int) -> None:
    between = text(7_000)
    content = between.join([MAIL + b"\n"] * 12)
    server = Server(content, SftpTap(inspection=inspection()))
    for number, offset in enumerate(range(0, len(content), size)):
        server.ask((number, offset, size))
        passed = b"".join(data for data in server.got.values() if isinstance(data, bytes))
        assert _counted(server) >= passed.count(MAIL)
    assert passed == content
    server.close()
    assert _counted(server) == 12


def _counted(server: Server) -> int:
    return sum(len(event.detail["hits"]) for event in server.events if event.kind is Kind.MASK)


def test_what_goes_up_is_looked_into_and_not_stopped() -> None:
    tap = SftpTap(inspection=inspection())
    events: list[TapEvent] = []
    content = text(50_000) + b"\n" + KEY_ID + b"\n"
    for side, said in [*GREETING, *opened(b"/srv/f", b"h", 2)]:
        events += (tap.client(said) if side == "client" else tap.target(said)).events
    for number, at in enumerate(range(0, len(content), 1000)):
        asked = write(10 + number, b"h", at, content[at : at + 1000])
        assert tap.client(asked).forward == asked
        events += tap.target(packet(101, u32(10 + number), u32(0), string(b""), string(b""))).events
    for side, said in closed(b"h"):
        events += (tap.client(said) if side == "client" else tap.target(said)).events
    assert events[-1].detail["content"] == "hit"
    assert [event.detail["hits"][0][:3] for event in events if event.kind is Kind.MASK] == [
        ["aws-access-key", "secret", "detect"]
    ]


# The protocol of scp -O.


def scp(content: bytes, cuts: list[int], **options: bool) -> tuple[bytes, list[TapEvent], str]:
    """Have a file fetched; return what came of its payload, the events, and why it ended if it did."""
    command = parse_scp_command(b"scp -f /srv/f")
    assert command is not None
    tap = ScpTap(command, inspection=inspection(**options))
    tap.client(b"\0")
    events: list[TapEvent] = []
    out, said = b"", b"C0644 %d f\n" % len(content)
    try:
        events += tap.target(said).events
        events += tap.client(b"\0").events
        said = content + b"\0"
        places = sorted({0, len(said), *(cut % len(said) for cut in cuts)})
        for begin, end in pairwise(places):
            tapped = tap.target(said[begin:end])
            out += tapped.forward
            events += tapped.events
        events += tap.client(b"\0").events
    except OperationDenied as denied:
        out += denied.tapped.forward
        return out, [*events, *denied.tapped.events, *tap.finish().events], denied.public
    return out.removesuffix(b"\0"), [*events, *tap.finish().events], ""


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 120_000), cuts=st.lists(st.integers(0, 1 << 20), max_size=6))
def test_t38_any_split_of_an_scp_stream_ends_at_the_same_byte(place: int, cuts: list[int]) -> None:
    content = text(place) + b"\n" + KEY_ID + b"\n" + text(50_000)
    out, events, why = scp(content, cuts)
    assert out == content[: place + 1]
    assert f"aws-access-key at byte {place + 1}" in why
    (close,) = [event.detail for event in events if event.detail.get("op") == "close"]
    assert KEY_ID not in b"".join(event.data for event in events)
    assert (close["content"], close["length"], close["complete"]) == ("stopped", place + 1, False)


def test_scp_streams_that_are_clean_unread_refused_spooled(monkeypatch: pytest.MonkeyPatch) -> None:
    clean = text(300_000)
    out, events, why = scp(clean, [1, 5000, 100_000])
    assert (out, why, events[-1].detail["content"]) == (clean, "", "clean")
    out, events, why = scp(HIDDEN, [70_000])
    assert (out, why, events[-1].detail["content"]) == (HIDDEN, "", "unread")
    out, events, why = scp(HIDDEN, [70_000], deny=True)
    assert (out, "it cannot be read (gzip)" in why) == (b"", True)
    out, events, why = scp(clean, [70_000], spool=True)
    assert (out, why) == (clean, "")
    out, events, why = scp(clean + b"\n" + KEY_ID, [70_000], spool=True)
    assert (out, "aws-access-key" in why) == (b"", True)
    monkeypatch.setattr("bastion.transfer.scp.SPOOL_BYTES_MAX", 1000)
    out, events, why = scp(clean, [], spool=True)
    assert "larger than the 1000 bytes that scp -O can have looked through ahead: use sftp" in why
    assert scp_content.SPOOL_BYTES_MAX == 16 << 20
