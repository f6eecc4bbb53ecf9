"""Find what detectors look for in a stretch of bytes, in time that grows with its length alone.

In      raw bytes; where a table or a key was under way before them
Out     Found: spans of raw bytes; what is under way after them; from where more bytes could change the answer
Holds   nothing between two calls
Errors  DetectorFault, which names the detector that threw
Source  Hyperscan finds candidates, RE2 confirms them: neither backtracks
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from policies.masking.compiled import KEY, MAX_MATCH, TABLE, Compiled
from policies.masking.detector import Detector
from policies.masking.key_block import KeyBlock
from policies.masking.plausible import entropy
from policies.masking.sight import Reading, joined, readings, readings_of_file
from policies.masking.table import Table, table_under

FOLDED = 2  # full lines after the first that show that a text was broken at one width
MAX_WRAPS = 4  # line ends at which a match is looked at as if it ended there


@dataclass(frozen=True, slots=True)
class Span:
    """Raw bytes that a detector found."""

    start: int
    end: int
    detector: Detector


@dataclass(slots=True)
class Found:
    """What a stretch of bytes has."""

    spans: list[Span]
    tables: list[tuple[int, Table | None]]  # (from this byte on, the table that is under way)
    key: KeyBlock | None = None  # under way at the end
    key_begin: int = 0
    key_wait: int = 0

    def table_at(self, at: int) -> Table | None:
        """Return the table that was under way when the line with this byte began."""
        table = None
        for place, there in self.tables:
            if place <= at:
                table = there
        return table


class Finder:
    """All chosen detectors, ready to search."""

    def __init__(self, compiled: Compiled, read: Callable[[bytes], Iterator[Reading]] = readings) -> None:
        """`read` yields the ways in which bytes may be read."""
        self._compiled = compiled
        self._readings = read
        self.detectors = compiled.detectors

    def of_files(self) -> Finder:
        """Return what finds the same in files."""
        return Finder(self._compiled, readings_of_file)

    def find(
        self, raw: bytes, *, key: KeyBlock | None = None, table: Table | None = None, final: bool = False
    ) -> Found:
        """Search the bytes, which begin at a line, or inside of what is under way."""
        found = Found([], [(0, table)])
        primary: Reading | None = None
        for number, reading in enumerate(self._readings(raw)):
            hits = self._compiled.scan(reading.text)
            found.spans += self._spans(reading, hits)
            if number == 0:
                first = hits
            if number <= 1:
                primary, first = reading, hits
        if primary is None:
            return found
        if key is not None or table is not None or self._compiled.structured(first):
            self._structure(primary, first, found, key, final)
        if self._compiled.wrapping:
            found.spans += self._across_lines(primary)
        return found

    def undecided(self, raw: bytes) -> tuple[int, bool]:
        """Return from where the bytes may still become a match (their length for nowhere), and if a name tells so."""
        if raw.endswith(b"\n"):
            return self.undecided_wrap(raw), False
        line = raw.rfind(b"\n") + 1
        best, is_value = len(raw), False
        for reading in self._readings(raw[line:]):
            at, named = self._compiled.opening(reading.text)
            if at < len(reading.text) and line + reading.raw(at) <= best:
                best, is_value = line + reading.raw(at), named
        if self._compiled.wrapping and line:
            best = min(best, self.undecided_wrap(raw))
        return best, is_value

    def undecided_wrap(self, raw: bytes) -> int:
        """Return from where the bytes, which end a line, may become a match that goes on in the next."""
        if not self._compiled.wrapping:
            return len(raw)
        end = len(raw.rstrip(b" \r\n"))
        tail_from = max(0, len(raw) - MAX_MATCH, raw.rfind(b" ", 0, end) + 1, raw.rfind(b"\t", 0, end) + 1)
        tail = raw[tail_from:]
        *_, reading = self._readings(tail)
        text, _ = joined(reading)
        at = self._compiled.opening_of_wrapping(text.text)
        return len(raw) if at is None else tail_from + text.raw(at)

    def _spans(self, reading: Reading, hits: Sequence[tuple[int, int]]) -> Iterator[Span]:
        text = reading.text
        seen: set[tuple[int, int]] = set()
        for number, start in hits:
            if number < 0 or (number, start) in seen:
                continue
            seen.add((number, start))
            line_end = text.find(
                b"\n", start + (text[start] == 10)
            )  # what comes before a match may be a line end
            end = min(len(text) if line_end < 0 else line_end, start + MAX_MATCH)
            span = self._compiled.confirm(number, text, start, end)
            if span is not None:
                yield Span(*reading.span(*span), self.detectors[number])

    def _across_lines(self, reading: Reading) -> Iterator[Span]:
        """Yield what begins in one line and goes on in the next, as where a terminal or a mail program breaks lines."""
        if b"\n" not in reading.text and b"\r" not in reading.text:
            return
        flat = self._compiled.without_line_ends(reading.text)
        hits = self._compiled.scan_wrapping(flat)
        if not hits:
            return
        text, seams = joined(reading)
        covered: dict[int, int] = {}
        for number, start in dict.fromkeys(hits):
            after = bisect_right(seams, start)
            if start < covered.get(number, 0) or after == len(seams) or seams[after] - start > MAX_MATCH:
                continue
            # What was in the line before must not matter: the line that it begins in is the first.
            line = seams[after - 1] if after else 0
            flat = text.text[line : start + MAX_MATCH]
            span = self._confirmed(number, flat, start - line)
            if span is None or not span[0] < seams[after] - line < span[1]:
                continue
            breaks = [at - line for at in seams[after : bisect_right(seams, line + span[1]) + 1]]
            span = self._wrapped(number, flat, span, breaks)
            if span is not None:
                covered[number] = line + span[1]
                yield Span(*text.span(line + span[0], line + span[1]), self.detectors[number])

    def _wrapped(
        self, number: int, flat: bytes, span: tuple[int, int], breaks: list[int]
    ) -> tuple[int, int] | None:
        """Return how far a match goes over line ends, None if it ends with its first line.

        A match goes on while it is not complete without the next line, and beyond that if the next line looks drawn
        and begins nothing else: a list of tokens is not one token. After that only full lines are followed by more, as
        where all of a text was broken at one width.
        """
        begin, end = span
        for index, seam in enumerate(breaks):
            if seam >= end:
                break
            if index < MAX_WRAPS:
                alone = self._confirmed(number, flat[:seam], begin)
                complete = alone is not None and alone[1] == seam
            else:
                complete = True
            begins = self._begins(flat[seam : breaks[index + 1] if index + 1 < len(breaks) else len(flat)])
            if not complete:
                if begins:
                    return None
                continue
            rest = flat[seam : min(end, breaks[index + 1]) if index + 1 < len(breaks) else end]
            width = seam - (breaks[index - 1] if index else 0)
            full = index == 0 or width == breaks[0]
            folded = index >= FOLDED  # whatever its last line looks like
            if begins or not full or not (folded or _goes_on(rest)):
                return (begin, seam) if index else None
        return span

    def _begins(self, rest: bytes) -> bool:
        """Say whether a match of its own begins with this line, at its first character: only that is held back too."""
        return any(
            number >= 0 and start == 0 and self._confirmed(number, rest, 0) is not None
            for number, start in self._compiled.scan(rest)
        )

    def _confirmed(self, number: int, text: bytes, start: int) -> tuple[int, int] | None:
        """Return the span of a match whose masked part begins here, whatever escape is before it."""
        for edge in (0, 2, 3, 6):
            if (
                edge <= start
                and (span := self._compiled.confirm(number, text, start - edge, len(text))) is not None
            ):
                return span if span[0] == start else None
        return None

    def _structure(
        self,
        reading: Reading,
        hits: Sequence[tuple[int, int]],
        found: Found,
        key: KeyBlock | None,
        final: bool,
    ) -> None:
        """Follow keys and tables, which go over many lines."""
        text, at, table = reading.text, 0, found.tables[0][1]
        marks = iter(sorted((start, number) for number, start in hits if number < 0))
        mark = next(marks, None)
        if key is not None:
            at = self._key(reading, 0, replace(key), found, final)
            if at < 0:
                return
        while True:
            while mark is not None and mark[0] < at:
                mark = next(marks, None)
            if table is not None and table_begins_line(text, at):
                line_end = text.find(b"\n", at) + 1
                if not line_end and not final:
                    line_end = len(text)
                line_end = line_end or len(text)
                if at >= len(text):
                    return
                if mark is None or mark[1] != KEY or mark[0] >= line_end:
                    table, spans = table.row(text[at:line_end])
                    found.spans += [
                        Span(*reading.span(at + start, at + end), self._compiled.structures[TABLE])
                        for start, end in spans
                    ]
                else:
                    table, spans = None, []
                if table is None:
                    found.tables.append((reading.raw(line_end - 1) + 1, None))
                if table is not None or spans:
                    at = line_end
                    continue
                # This line is no row: it may head a table itself, or a key.
            if mark is None:
                return
            if mark[1] == KEY:
                begin = self._compiled.key_header_end(text, mark[0])
                at = self._key(reading, begin, KeyBlock(), found, final)
                if at < 0:
                    return
                continue
            line = (
                text.rfind(b"\n", 0, mark[0] + 1) + 1 if text[mark[0] : mark[0] + 1] != b"\n" else mark[0] + 1
            )
            line_end = text.find(b"\n", line) + 1
            if not line_end:
                at = mark[0] + 1
                continue
            table = table_under(text[line:line_end])
            at = mark[0] + 1
            if table is not None:
                at = line_end
                found.tables.append((reading.raw(line_end - 1) + 1, table))

    def _key(self, reading: Reading, at: int, key: KeyBlock, found: Found, final: bool) -> int:
        """Follow a key; return where it ended, -1 where it is under way at the end."""
        start, end, wait, ended = key.follow(reading.text, at, final=final)
        if end > start:
            found.spans.append(Span(*reading.span(start, end), self._compiled.structures[KEY]))
        if ended or final:
            return max(end, at)
        found.key, found.key_begin = (
            key,
            reading.raw(at) if at < len(reading.text) else reading.raw(at - 1) + 1 if at else 0,
        )
        found.key_wait = reading.raw(wait) if wait < len(reading.text) else -1
        return -1


def table_begins_line(text: bytes, at: int) -> bool:
    """Say whether a line begins here."""
    return at == 0 or text[at - 1 : at] == b"\n"


def _goes_on(rest: bytes) -> bool:
    """Say whether what follows a line end looks drawn, and so like the rest of a token, not like `x=1`."""
    if b"=" in rest.rstrip(b"="):
        return False
    digits = any(48 <= byte <= 57 for byte in rest)
    letters = any(byte > 57 for byte in rest)
    return len(rest) >= 6 and digits and letters and entropy(rest) > 2.2
