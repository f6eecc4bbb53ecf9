"""Cut the planted stream in every way that is asked for, and hold what comes out against what must.

In      the stream and what was planted in it
Out     the splits, or cuts, that let something through or changed anything
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from policies.masking import HOLD_BACK, Hit, choose
from policies.masking.catalogue import compiled
from policies.masking.finder import Finder
from policies.masking.redactor import Redactor
from tests.planted.stream import Planted

KEY = b"a key for tests alone"
REACH = 64  # bytes before and after each end of a secret at which it is cut
AROUND = 300  # bytes of the stream on either side that go with it
PIECES = (1, 2, 5, 20, 100, 400)  # how many cuts a split of the whole has


def masked(data: bytes, cuts: Iterable[int] = ()) -> tuple[bytes, list[Hit]]:
    """Feed the data, cut at these places; raise AssertionError where more is held than the bound allows."""
    stream = Redactor(Finder(compiled(choose())), key=KEY)
    out, hits, at = bytearray(), [], 0
    for cut in (*cuts, len(data)):
        step = stream.feed(data[at:cut])
        out += step.out
        hits += step.hits
        at = cut
        if stream.held_bytes > HOLD_BACK:
            raise AssertionError(f"{stream.held_bytes} bytes are held after {cut}")
    last = stream.finish()
    return bytes(out + last.out), hits + last.hits


def let_through(data: bytes, hits: Sequence[Hit], places: Iterable[Planted]) -> list[Planted]:
    """Return what was planted and is not wholly within what was found."""
    lines = [0, *(at + 1 for at, byte in enumerate(data) if byte == 0x0A)]
    spans = sorted(
        (lines[hit.line - 1] + hit.column - 1, lines[hit.line - 1] + hit.column - 1 + hit.length)
        for hit in hits
    )
    starts = [start for start, _ in spans]
    lost = []
    for place in places:
        at, number = place.start, max(0, bisect_right(starts, place.start) - 1)
        while number < len(spans) and spans[number][0] <= at < place.end:
            at, number = max(at, spans[number][1]), number + 1
        if at < place.end:
            lost.append(place)
    return lost


def splits(size: int, count: int, seed: int = 11) -> Iterator[list[int]]:
    """Yield so many ways to cut a stream of this size."""
    chance = random.Random(seed)
    for number in range(count):
        yield sorted(chance.sample(range(1, size), PIECES[number % len(PIECES)]))


def cuts_that_fail(data: bytes, place: Planted, step: int = 1) -> Iterator[int]:
    """Yield the cuts near the ends of a planted value after which other bytes come out, or other hits."""
    begin, stop = max(0, place.start - AROUND), min(len(data), place.end + AROUND)
    window = data[begin:stop]
    expected = masked(window)
    near = {at for edge in (place.start, place.end) for at in range(edge - REACH, edge + REACH + 1, step)}
    for cut in sorted(near):
        if begin < cut < stop and masked(window, [cut - begin]) != expected:
            yield cut
