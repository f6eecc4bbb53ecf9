"""Laws of both taps: any split means the same, bytes come out as they went in, no bytes break it."""

from __future__ import annotations

import hashlib
import struct

from hypothesis import given
from hypothesis import strategies as st

from bastion.transfer import ScpTap, SftpTap, parse_scp_command
from bastion.transfer.scp import HELD_BYTES_MAX
from recorder.events import Kind
from tests.unit.bastion.transfer_talk import (
    GREETING,
    NO_ATTRIBUTES,
    Played,
    Talk,
    closed,
    data,
    merged,
    opened,
    packet,
    play,
    read,
    split,
    status,
    string,
    u32,
    u64,
    write,
)

numbers = st.integers(0, 4)
handles = st.sampled_from([b"g", b"h", b"k"])
payloads = st.binary(max_size=20)
offsets = st.integers(0, 30)

requests = st.one_of(
    st.builds(
        lambda n, f: packet(3, u32(n), string(b"f"), u32(f), NO_ATTRIBUTES), numbers, st.integers(0, 3)
    ),
    st.builds(lambda n: packet(11, u32(n), string(b"d")), numbers),
    st.builds(lambda n, h: packet(4, u32(n), string(h)), numbers, handles),
    st.builds(read, numbers, handles, offsets, st.integers(0, 20)),
    st.builds(write, numbers, handles, offsets, payloads),
    st.builds(lambda n: packet(13, u32(n), string(b"f")), numbers),
    st.builds(lambda n, h: packet(10, u32(n), string(h), u32(1), u64(0)), numbers, handles),
    st.builds(lambda n: packet(200, u32(n), string(b"x@y"), b"z"), numbers),
)
answers = st.one_of(
    st.builds(status, numbers, st.integers(0, 9)),
    st.builds(lambda n, h: packet(102, u32(n), string(h)), numbers, handles),
    st.builds(data, numbers, payloads),
)
noise = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda t, b: struct.pack(">IB", len(b) + 1, t) + b, st.integers(0, 255), payloads),
)
sftp_turns = st.one_of(
    st.tuples(st.just("client"), requests),
    st.tuples(st.just("target"), answers),
    st.tuples(st.sampled_from(["client", "target"]), noise),
)
sftp_talks = st.lists(sftp_turns, max_size=25).map(
    lambda turns: [
        *GREETING,
        *opened(b"f", b"h", 3, 9),
        *turns,
    ]  # some way in, so that most turns mean something
)

lines = st.sampled_from(
    [b"T1 0 2 0\n", b"C0644 5 a\n", b"hello\0", b"C0644 0 b\n", b"\0", b"D0755 0 d\n", b"E\n", b"\1warn\n"]
)
scp_turns = st.one_of(
    st.tuples(st.just("client"), st.lists(lines, max_size=4).map(b"".join)),
    st.tuples(st.just("target"), st.sampled_from([b"\0", b"\1no\n"])),
    st.tuples(st.sampled_from(["client", "target"]), st.binary(max_size=6)),
)
scp_talks = st.lists(scp_turns, max_size=25)
sizes = st.lists(st.integers(1, 12), min_size=1, max_size=5)

UPLOAD = parse_scp_command(b"scp -r -t x")
assert UPLOAD is not None


def same(whole: Played, pieces: Played) -> None:
    assert pieces.fault == whole.fault
    assert pieces.to_client == whole.to_client
    assert pieces.to_target == whole.to_target
    # What was refused is kept as far as it had come in, and that does depend on the split.
    assert released(pieces) == released(whole)


def released(it: Played) -> list[tuple[Kind, bytes, dict[str, object]]]:
    return [event for event in merged(it.events) if "released" not in event[2]]


def is_prefix(it: Played, talk: Talk) -> None:
    for side, out in (("client", it.to_target), ("target", it.to_client)):
        said = b"".join(data for who, data in talk if who == side)
        assert said.startswith(out)
        if not it.fault:
            kind = Kind.CLIENT_PROTOCOL if side == "client" else Kind.TARGET_PROTOCOL
            held = b"".join(e.data for e in it.events if e.kind is kind and e.detail)
            assert out + held == said


def all_is_accounted_for(it: Played) -> None:
    """What was released is protocol bytes on record plus payload that a digest covers, to the byte."""
    recorded = len(it.protocol(Kind.CLIENT_PROTOCOL)) + len(it.protocol(Kind.TARGET_PROTOCOL))
    payload = sum(close["length"] for close in it.files("close"))
    assert len(it.to_target) + len(it.to_client) == recorded + payload


@given(sftp_talks, sizes)
def test_l1_sftp_any_split_passes_and_means_the_same(talk: Talk, cuts: list[int]) -> None:
    whole = play(SftpTap(), talk)
    same(whole, play(SftpTap(), split(talk, cuts)))
    is_prefix(whole, talk)
    all_is_accounted_for(whole)


@given(scp_talks, sizes)
def test_l1_scp_any_split_passes_and_means_the_same(talk: Talk, cuts: list[int]) -> None:
    whole = play(ScpTap(UPLOAD), talk)
    same(whole, play(ScpTap(UPLOAD), split(talk, cuts)))
    is_prefix(whole, talk)
    all_is_accounted_for(whole)


@given(st.lists(st.tuples(st.sampled_from(["client", "target"]), st.binary(max_size=60)), max_size=8))
def test_any_bytes_give_effects_or_a_transfer_error(talk: Talk) -> None:
    for tap in (SftpTap(), ScpTap(UPLOAD)):
        it = play(tap, talk)
        is_prefix(it, talk)
        assert all(len(event.data) <= HELD_BYTES_MAX for event in it.events)


@given(
    st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=30)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
    sizes,
)
def test_downloads_answered_in_any_order_are_hashed_in_that_order(
    pieces: list[tuple[int, bytes]], random: object, cuts: list[int]
) -> None:
    order = list(enumerate(pieces))
    asked = b"".join(read(number, b"h", offset, 30) for number, (offset, _) in order)
    random.shuffle(order)  # type: ignore[attr-defined]
    answered = b"".join(data(number, content) for number, (_, content) in order)
    talk: Talk = [
        *GREETING,
        *opened(b"f", b"h", 1, 99),
        ("client", asked),
        ("target", answered),
        *closed(b"h", 99),
    ]
    it = play(SftpTap(), split(talk, cuts))
    (close,) = it.files("close")
    content = b"".join(content for _, (_, content) in order)
    assert (close["length"], close["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    ends = [offset + len(content) for _, (offset, content) in order]
    starts = [offset for _, (offset, _) in order]
    assert close["sequential"] == (starts[1:] == ends[:-1])
    if not close["sequential"]:
        assert sum(length for _, length in close["extents"]) == len(content)
    assert close["complete"]
