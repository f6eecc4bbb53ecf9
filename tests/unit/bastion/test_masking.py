"""Streams of a channel are masked off the event loop wherever that may take long, a turn at a time."""

from __future__ import annotations

import threading

import pytest

from bastion import masking
from bastion.masking import ON_LOOP_BYTES, PIECE_BYTES, SHORT_BYTES, ChannelMask, Masking, Stream
from policies.masking import open_finder
from policies.masking.plan import Plan
from policies.masking.redactor import Redactor
from recorder.events import Event, Kind

PLAN = Plan(finder=open_finder(), actions={})
TOKEN = b"ghp_" + b"0123456789abcdefghijABCDEFGHIJ" + b"012345"


@pytest.fixture
def mask() -> ChannelMask:
    return ChannelMask(PLAN, b"key")


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where a redactor was at work, call by call: on the loop or off it."""
    found: list[str] = []
    for name in ("feed", "flush_idle", "finish"):
        work = getattr(Redactor, name)

        def noted(self: Redactor, *args: bytes, work: object = work) -> object:
            loop = threading.current_thread() is threading.main_thread()
            found.append("on" if loop else "off")
            return work(self, *args)  # type: ignore[operator]

        monkeypatch.setattr(Redactor, name, noted)
    return found


async def taken(mask: ChannelMask, stream: Stream, data: bytes) -> bytes:
    """Have all of the data taken; return what was released."""
    out = b""
    while data:
        passed, left = await mask.taken(stream, data)
        assert len(left) < len(data)
        out, data = out + passed.released, left
    return out


async def test_what_is_short_is_masked_on_the_loop_and_what_is_long_is_not(
    mask: ChannelMask, places: list[str]
) -> None:
    assert await taken(mask, "output", b"token " + TOKEN + b" (new)\n") == b"token [github-token] (new)\n"
    assert places == ["on"]
    await taken(mask, "output", b"x" * ON_LOOP_BYTES + b"\n")
    assert places == ["on", "off"]


async def test_l11_one_byte_more_of_a_long_line_is_not_looked_through_on_the_loop(
    mask: ChannelMask, places: list[str]
) -> None:
    # A byte that ends a line has all of it looked through that was held back: a third of a second of digits.
    line = b"4111 1111 " * (ON_LOOP_BYTES // 10 + 1)
    for at in range(0, len(line), SHORT_BYTES // 2):
        await mask.taken("output", line[at : at + SHORT_BYTES // 2])
    del places[:]
    await mask.taken("output", b" 4111")
    await mask.taken("output", b"\n")
    assert places == ["off", "off"]


async def test_l11_what_is_held_back_is_let_out_off_the_loop(mask: ChannelMask, places: list[str]) -> None:
    await mask.taken("output", b"password: ")
    assert (await mask.idle("output")).released == b"password: "
    await mask.taken("error", b"4111 1111 " * ON_LOOP_BYTES)
    await mask.end("error")
    assert places == ["on", "off", "off", "off"]


async def test_nothing_is_asked_of_a_stream_that_holds_nothing_back(
    mask: ChannelMask, places: list[str]
) -> None:
    assert (await mask.idle("output")).released == b""
    assert places == []


@pytest.mark.parametrize("stream", ["input", "output"])
async def test_the_pieces_of_one_turn_go_on_together_as_they_would_by_themselves(
    mask: ChannelMask, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "TURN_S", 60.0)
    data = (b"plain line\n" * 100 + b"token " + TOKEN + b" (new)\n") * 250
    assert len(data) > 4 * PIECE_BYTES
    one = ChannelMask(PLAN, b"key")
    parts = [one.take(stream, data[at : at + PIECE_BYTES]) for at in range(0, len(data), PIECE_BYTES)]
    passed, left = await mask.taken(stream, data)
    assert left == b""
    assert passed.recorded == b"".join(part.recorded for part in parts)
    assert passed.released == b"".join(part.released for part in parts)
    assert passed.hits == tuple(hit for part in parts for hit in part.hits)
    assert TOKEN not in passed.recorded
    assert len(passed.hits) == 250


async def test_a_turn_ends_with_the_first_piece_that_takes_too_long(
    mask: ChannelMask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "TURN_S", 0.0)
    data = b"plain line\n" * 20_000
    passed, left = await mask.taken("output", data)
    assert left == data[PIECE_BYTES:]
    assert data.startswith(passed.released)


@pytest.mark.parametrize("kind", [Kind.STATEMENT, Kind.HOLD])
async def test_l11_a_long_statement_is_masked_off_the_loop_before_it_is_recorded(
    kind: Kind, places: list[str]
) -> None:
    made = Masking()
    made.begin(1, PLAN)
    text = "x " * SHORT_BYTES + TOKEN.decode()
    detail = {"reason": text} if kind is Kind.HOLD else {}
    data = b"" if kind is Kind.HOLD else text.encode()
    long, short = Event(0, kind, 1, data, detail), Event(0, kind, 1, b"", {"reason": "it is short"})
    assert made.ahead([short]) is None
    done = made.ahead([long, short])
    assert done is not None
    await done
    assert set(places) == {"off"}
    places.clear()
    masked = made.events([long])
    assert places == [], "what was done ahead is not done again"
    assert "[github-token]" in str(masked)
    assert TOKEN.decode() not in str(masked)


async def test_l11_long_input_that_was_judged_is_masked_off_the_loop(
    mask: ChannelMask, places: list[str]
) -> None:
    for size, place in ((10, "on"), (2 * SHORT_BYTES, "off")):
        event = Event(0, Kind.INPUT, 1, b"x " * size + TOKEN)
        (masked, *_hits) = await mask.input(event)
        assert masked.data.endswith(b"[github-token]")
        assert set(places) == {place}
        places.clear()


async def test_what_is_masked_ahead_may_outlive_its_channel() -> None:
    made = Masking()
    made.begin(1, PLAN)
    done = made.ahead([Event(0, Kind.NOTICE, 0, b"x " * SHORT_BYTES)])
    assert done is not None
    made.end(1)
    await done
    assert not made.events([])
