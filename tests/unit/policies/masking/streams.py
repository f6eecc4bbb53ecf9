"""Put streams through the redactor in pieces, and make the streams that its tests need."""

from __future__ import annotations

import random
from collections.abc import Iterable

from policies.masking import DETECTORS, HOLD_BACK, Hit, choose
from policies.masking.catalogue import compiled
from policies.masking.finder import Finder
from policies.masking.redactor import Redactor

KEY = b"a key for tests alone"
EVERYTHING = choose()

PREFIXES = (
    b"",
    b"  ",
    b"Nov 24 02:11:01 web-1 app[12]: ",
    b"\x1b[31merror\x1b[0m ",
    b"\xff\xfe\x00 ",
    b"\xc3\xa9t\xc3\xa9 ",
)
SUFFIXES = (b"\n", b"\r\n", b" ok\n", b"\x1b[0m\n", b" \n\n")


def redactor(names: Iterable[str] | None = None) -> Redactor:
    """Return the redactor of a new stream, with all detectors that are on by default unless some are named."""
    return Redactor(Finder(compiled(EVERYTHING if names is None else frozenset(names))), key=KEY)


def masked(
    data: bytes, cuts: Iterable[int] = (), names: Iterable[str] | None = None
) -> tuple[bytes, list[Hit]]:
    """Feed the data, cut at these places; check at each step that no more is held than the bound allows."""
    stream = redactor(names)
    out, hits, at = bytearray(), [], 0
    for cut in (*cuts, len(data)):
        step = stream.feed(data[at:cut])
        out += step.out
        hits += step.hits
        at = cut
        assert stream.held_bytes <= HOLD_BACK
    last = stream.finish()
    assert stream.held_bytes == 0
    return bytes(out + last.out), hits + last.hits


def planted(seed: int = 7) -> tuple[bytes, list[tuple[int, int]]]:
    """Return a stream with every example of every detector that is on, and where each lies."""
    chance = random.Random(seed)
    samples = [(text.encode(), it) for it in DETECTORS if it.default for text in it.matches]
    chance.shuffle(samples)
    stream, places = bytearray(), []
    for sample, detector in samples:
        alone = not detector.pattern or "^" in detector.pattern[:5] or detector.pattern.endswith("$")
        if not alone:
            stream += chance.choice(PREFIXES)
        places.append((len(stream), len(stream) + len(sample)))
        stream += sample + (b"\n" if alone else chance.choice(SUFFIXES))
    return bytes(stream), places
