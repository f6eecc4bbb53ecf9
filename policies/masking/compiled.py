"""Compile detectors once, for all streams: one scan for candidates, one expression each to confirm them.

In      detectors
Out     Compiled: candidates of a text, confirmed spans, openings of what may still become a match
Holds   RE2 programs, and what finds candidates
Errors  DetectorInvalid, with the detector and what is wrong with it
Source  RE2: linear time, no backtracking
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import re2

from policies.masking.candidates import scanner
from policies.masking.detector import Detector
from policies.masking.errors import DetectorFault, DetectorInvalid
from policies.masking.expression import MAX_EDGE, Expression
from policies.masking.key_block import HEADER
from policies.masking.table import GATE, NAME_GATE

MAX_MATCH = 8192  # bytes that a match within a line may take, its context included
MAX_GATE = 64  # bytes that tell that a match has begun take fewer
MAX_LEAD = 256  # bytes of a match before its mark, for detectors that are found by a mark in the middle
MAX_AFTER_LEAD = 640  # and from it on
KEY, TABLE, NAME_LINE = -1, -2, -3

LATIN = re2.Options()
LATIN.encoding = re2.Options.Encoding.LATIN1
LATIN.max_mem = 256 << 20
LATIN.log_errors = False


class Compiled:
    """Detectors, ready to search; it does not change, and all streams share it."""

    def __init__(self, detectors: Sequence[Detector], structures: Mapping[int, Detector]) -> None:
        self.detectors = tuple(detectors)
        self.structures = dict(structures)  # what goes over many lines: KEY and TABLE
        expressions = [_parsed(detector) for detector in self.detectors]
        self._confirm = [_program(detector, f"(?m:{detector.pattern})") for detector in self.detectors]
        self._group = [
            program.groupindex.get(b"v", program.groupindex.get("v", 0)) for program in self._confirm
        ]
        self._lead = [_characters(detector.lead) for detector in self.detectors]
        gates = [
            (number, detector.gate or expression.gate())
            for number, (detector, expression) in enumerate(zip(self.detectors, expressions, strict=True))
        ]
        marks = {KEY: [(KEY, HEADER)], TABLE: [(TABLE, GATE), (NAME_LINE, NAME_GATE)]}
        gates_of_structures = [mark for structure in structures for mark in marks[structure]]
        self.scan = scanner(gates + gates_of_structures)
        self.wrapping = [number for number, detector in enumerate(self.detectors) if detector.wraps]
        values = {number: expressions[number].value() for number in self.wrapping}
        gates_of_values = {number: value.gate() for number, value in values.items()}
        self.scan_wrapping = scanner(list(gates_of_values.items()))
        plain = [e.opening() for e, d in zip(expressions, self.detectors, strict=True) if not e.has_context]
        # The more of them are one expression, the longer RE2 keeps everybody waiting over a text that is new to it.
        self._openings = [
            re2.compile(_either(some), LATIN)
            for some in (plain[at : at + 8] for at in range(0, len(plain), 8))
        ]
        self._openings_in_context = [
            re2.compile(f"(?m:{e.opening()})\\z".encode(), LATIN) for e in expressions if e.has_context
        ]
        # One expression for all of them would be so large that RE2 spends milliseconds on each text that is new to it.
        self._opening_of_value = {
            number: re2.compile(_either([value.opening()]), LATIN) for number, value in values.items()
        }
        of_gates = _either([Expression(gate).opening() for gate in gates_of_values.values()])
        self._opening_of_gate = re2.compile(of_gates, LATIN) if values else None
        self._header = re2.compile(HEADER.encode(), LATIN)

    @staticmethod
    def structured(hits: Sequence[tuple[int, int]]) -> bool:
        """Say whether keys or tables are among the candidates."""
        return any(number < 0 for number, _ in hits)

    @staticmethod
    def without_line_ends(text: bytes) -> bytes:
        """Return the text in one line."""
        if b"\r" not in text:
            return text.replace(b"\n", b"")
        return re.sub(rb"[ ]?\r+\n?|\n", b"", text)

    def key_header_end(self, text: bytes, start: int) -> int:
        """Return where the header of a key that begins here ends."""
        found = self._header.search(text, start, min(len(text), start + 128))
        return int(found.end()) if found is not None else start + 1

    def confirm(self, number: int, text: bytes, start: int, end: int) -> tuple[int, int] | None:
        """Return the span to mask of a candidate that begins here, None if it is no match."""
        lead, program = self._lead[number], self._confirm[number]
        if not lead:
            match = program.match(text, start, end)
        else:
            before = text[max(0, start - MAX_LEAD) : start]
            at = max(0, start - len(before) + len(before.rstrip(lead)) - MAX_EDGE)
            end = min(end, start + MAX_AFTER_LEAD)
            match = program.search(text, at, end)
            while match is not None and match.end() <= start:
                match = program.search(text, match.end(), end)
            if match is not None and match.start() > start:
                return None
        if match is None:
            return None
        span: tuple[int, int] = match.span(self._group[number])
        if span[0] == span[1]:
            return None
        detector = self.detectors[number]
        if detector.check is not None:
            try:
                if not detector.check(text[span[0] : span[1]]):
                    return None
            except (
                ArithmeticError,
                AttributeError,
                LookupError,
                TypeError,
                ValueError,
                AssertionError,
            ) as error:
                raise DetectorFault(detector.name, error) from error
        return span

    def opening(self, text: bytes) -> tuple[int, bool]:
        """Return from where the text may still become a match (its length for nowhere), and if a name tells so."""
        tail_from = max(0, len(text) - MAX_MATCH)
        tail = text[tail_from:]
        best, is_value = len(tail), False
        for program in self._openings:
            if (match := program.search(tail)) is not None:
                best = min(best, match.start())
        for program in self._openings_in_context:
            match = program.search(tail)
            if match is None:
                continue
            starts = [match.start(group) for group in range(1, program.groups + 1) if match.start(group) >= 0]
            start = min(starts, default=len(tail))
            if start <= best and start < len(tail):
                best, is_value = start, True
        return tail_from + best, is_value

    def opening_of_wrapping(self, text: bytes) -> int | None:
        """Return from where the text, which ends a line, may become a match that goes on in the next."""
        if self._opening_of_gate is None:
            return None
        tail_from = max(0, len(text) - MAX_MATCH)
        tail = text[tail_from:]
        edge = max(0, len(tail) - MAX_GATE)
        match = self._opening_of_gate.search(tail[edge:])
        best = len(tail) if match is None else edge + int(match.start())
        for number, start in sorted(self.scan_wrapping(tail), key=itemgetter(1)):
            if start >= best:
                break
            if self._opening_of_value[number].match(tail[start:]) is not None:
                best = start
        return tail_from + best if best < len(tail) else None


def check_examples(detector: Detector) -> None:
    """Raise DetectorInvalid for the first of its own examples that the detector fails."""
    if not detector.pattern:
        return  # keys and tables go over lines: their examples are held against the redactor
    only = Compiled([detector], {})
    for text, expected in [
        *((it, True) for it in detector.matches),
        *((it, False) for it in detector.misses),
    ]:
        raw = text.encode()
        found = any(only.confirm(number, raw, start, len(raw)) for number, start in only.scan(raw))
        if found is not expected:
            what = "is not found" if expected else "is found and must not be"
            raise DetectorInvalid(detector.name, "matches" if expected else "misses", f"{text!r} {what}")


def _parsed(detector: Detector) -> Expression:
    try:
        parsed = Expression(detector.pattern)
    except ValueError as error:
        raise DetectorInvalid(detector.name, "pattern", str(error)) from error
    if parsed.width < 1:
        raise DetectorInvalid(detector.name, "pattern", "may match nothing")
    return parsed


def _program(detector: Detector, pattern: str) -> Any:
    try:
        return re2.compile(pattern.encode(), LATIN)
    except re2.error as error:
        raise DetectorInvalid(detector.name, "pattern", str(error)) from error


def _characters(members: str) -> bytes:
    """Return the characters of a class, given by its members."""
    one = re.compile(f"[{members}]".encode()) if members else None
    return bytes(byte for byte in range(256) if one is not None and one.match(bytes([byte])))


def _either(openings: Sequence[str]) -> bytes:
    return f"(?m:{'|'.join(openings)})\\z".encode()
