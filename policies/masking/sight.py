"""Read bytes as an eye would: without what only moves nothing, with a way back to the bytes themselves.

In      raw bytes of a stream
Out     Reading: the text to search, and for each span of it the span of raw bytes
Source  ECMA-48; XTerm control sequences; Unicode zero-width and bidi controls
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from policies.masking.readable import is_binary

_CONTROLS = bytes([*range(1, 9), *range(14, 32), 127])
_MARKS = (b"\xef\xbb\xbf", b"\xc2\xad", b"\xc2\x9b")
_WIDTHLESS = re.compile(rb"\xe2(?:\x80[\x8b-\x8f\xaa-\xae]|\x81[\xa0-\xa4\xa6-\xaf])")
_UNSEEN = re.compile(
    rb"""(?xs)
      (?P<gone> (?:\x1b\[|\xc2\x9b)[0-?]*[ -/]*[mKJhlnqst]       # colours, erasing, modes: the cursor stays
      | \x1b\][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)               # titles, links
      | \x1b[()*+][0-9A-B] | \x1b[=>7]
      | [^\n\x1b]\x08                                            # struck over
      | [\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]
      | \xe2\x80[\x8b-\x8f\xaa-\xae] | \xe2\x81[\xa0-\xa4\xa6-\xaf] | \xef\xbb\xbf | \xc2\xad
      )
    | (?:\x1b\[|\xc2\x9b)[0-?]*[ -/]*[@-~] | \x1b[ -/]*[0-~]     # the cursor moves: what follows is elsewhere
    | (?P<lone>\x1b)
    """
)
_WIDE = re.compile(rb"(?:[\x01-\x09\x0b-\x7e]\0){8,}|(?:\0[\x01-\x09\x0b-\x7e]){8,}")
_WIDE_RUN = 8
_NARROW = bytes(not (0 < byte < 127 and byte != 10) for byte in range(256))  # 0 for what _WIDE takes
_LINE_END = re.compile(rb"[ ]?\r+\n?|\n")


class Reading:
    """Text to search; `pieces` are (where in the text, where in the raw bytes), each going on to the next."""

    __slots__ = ("_raw", "_text", "text")

    def __init__(self, text: bytes, pieces: list[tuple[int, int]]) -> None:
        self.text = text
        self._text = [at for at, _ in pieces]
        self._raw = [at for _, at in pieces]

    def raw(self, at: int) -> int:
        """Return where the character at this place of the text is in the raw bytes."""
        index = bisect_right(self._text, at) - 1
        return self._raw[index] + at - self._text[index]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the raw bytes from the first to the last character of a span that is not empty."""
        return self.raw(start), self.raw(end - 1) + 1


def as_is(raw: bytes) -> Reading:
    """Return the bytes themselves as the text."""
    return Reading(raw, [(0, 0)])


def readings(raw: bytes) -> Iterator[Reading]:
    """Yield each way in which the bytes may be read, the bytes themselves first."""
    yield as_is(raw)
    if len(raw.translate(None, _CONTROLS)) != len(raw) or (not raw.isascii() and _is_marked(raw)):
        yield _seen(raw)
    if b"\0" in raw and (wide := _narrowed(raw)) is not None:
        yield wide


def readings_of_file(raw: bytes) -> Iterator[Reading]:
    """Yield the ways in which bytes of a file may be read: a terminal's own only if they are text."""
    if not is_binary(raw):
        yield from readings(raw)
        return
    yield as_is(raw)
    if b"\0" in raw and (wide := _narrowed(raw)) is not None:
        yield wide


def _is_marked(raw: bytes) -> bool:
    """Say whether something is in it that no eye sees, and that is no ASCII."""
    if any(mark in raw for mark in _MARKS):
        return True
    return b"\xe2" in raw and _WIDTHLESS.search(raw) is not None


def joined(reading: Reading) -> tuple[Reading, list[int]]:
    """Return the text without its line ends, and the places in it where they were."""
    text = reading.text
    if b"\r" not in text:
        return _lines_joined(reading)
    parts, pieces, seams, at, size = [], [(0, 0)], [], 0, 0
    for found in _LINE_END.finditer(text):
        parts.append(text[at : found.start()])
        size += found.start() - at
        at = found.end()
        if at < len(text):
            seams.append(size)
            pieces.append((size, at))
    parts.append(text[at:])
    # Composed: a place of the joined text, then of the reading, then of the raw bytes.
    return _Composed(b"".join(parts), pieces, reading), seams


def _lines_joined(reading: Reading) -> tuple[Reading, list[int]]:
    """Join lines that end in LF alone: what `joined` does, at once for all of them."""
    lines = reading.text.split(b"\n")
    seams = list(accumulate(map(len, lines[:-1])))
    if seams and not lines[-1]:
        seams.pop()  # nothing follows the last line end
    begins = (size + number for number, size in enumerate(seams, 1))
    return _Composed(b"".join(lines), [(0, 0), *zip(seams, begins, strict=True)], reading), seams


class _Composed(Reading):
    __slots__ = ("_under",)

    def __init__(self, text: bytes, pieces: list[tuple[int, int]], under: Reading) -> None:
        super().__init__(text, pieces)
        self._under = under

    def raw(self, at: int) -> int:
        return self._under.raw(super().raw(at))


def _seen(raw: bytes) -> Reading:
    parts: list[bytes] = []
    pieces: list[tuple[int, int]] = [(0, 0)]
    at = size = 0
    for found in _UNSEEN.finditer(raw):
        start, end = found.span()
        parts.append(raw[at:start])
        size += start - at
        if found.lastgroup is None:
            parts.append(b" ")
            pieces.append((size, end - 1))
            size += 1
        at = end
        if pieces[-1][0] == size:
            pieces[-1] = (size, at)
        else:
            pieces.append((size, at))
    parts.append(raw[at:])
    return Reading(b"".join(parts), pieces)


def _has_wide(raw: bytes) -> bool:
    """Say whether there is a run of two-byte characters, at once for all of it: in binaries a search takes long."""
    for begin in (0, 1):
        first, second = raw[begin::2], raw[begin + 1 :: 2]
        size = min(len(first), len(second))
        for text, zeros in ((first, second), (second, first)):
            odd = int.from_bytes(text[:size].translate(_NARROW)) | int.from_bytes(zeros[:size])
            if bytes(_WIDE_RUN) in odd.to_bytes(size):
                return True
    return False


def _narrowed(raw: bytes) -> Reading | None:
    """Return the text with each run of two-byte characters as if it were of one; None without such a run."""
    if not _has_wide(raw):
        return None
    parts: list[bytes] = []
    pieces: list[tuple[int, int]] = [(0, 0)]
    at = size = 0
    for found in _WIDE.finditer(raw):
        start, end = found.span()
        parts.append(raw[at:start])
        size += start - at
        odd = raw[start] == 0
        parts.append(raw[start + odd : end : 2])
        pieces += [(size + number, start + odd + 2 * number) for number in range((end - start) // 2)]
        size += (end - start) // 2
        at = end
        pieces.append((size, at))
    if not parts:
        return None
    parts.append(raw[at:])
    return Reading(b"".join(parts), pieces)
