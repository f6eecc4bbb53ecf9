"""Follow a table whose header names a secret, so that its column is masked line by line.

In      the header line, then the lines under it
Out     spans of the telling columns' cells; None once a line is no row of the table
Holds   the telling columns' places; nothing of the text
Source  psql, mysql and kubectl output; RFC 4180; Kubernetes environment lists
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from policies.masking.plausible import is_bare_password, is_given, is_random
from policies.masking.secrets_named import MAYBE, SURE

_SURE_CELL = re.compile(
    rf"(?i)(?:[\w.-]*(?:{SURE})|(?:password|passwd|pw|pass|pwd)(?:[_ -]?(?:hash|digest|salt|enc(?:rypted)?))?"
    rf"|[\w.-]*(?:password|passwd|secret)[_-](?:hash|digest|salt|key|value)|rolpassword|authentication_string)".encode()
)
_MAYBE_CELL = re.compile(rf"(?i)[\w.-]*(?:{MAYBE}|token|hash)".encode())
_CELL = re.compile(rb"[\w .#/()-]{1,48}")
_RULE = re.compile(rb"[-+=|:\s]{3,}")
_WORDS = re.compile(rb"\S+(?: \S+)*")
_VALUE_LINE = re.compile(rb"""\s*["']?value["']?\s*[:=]\s*["']?(?P<v>[^\s"',][^"'\n]*?)["']?,?\s*$""")
_NAME_LINE = re.compile(
    rf"(?i)[\s{{-]*[\"']?name[\"']?\s*[:=]\s*[\"']?[\w.-]*(?:{SURE}|{MAYBE})[\"']?,?\s*$".encode()
)

# Found in any line that may head a table; the line itself decides.
GATE = (
    r"(?i)(?:^|[|,;\t\"]|\s\s)\s{0,8}[\w.]{0,32}"
    r"(?:passw(?:or)?d|passwd|pwd|secret|token|api_?key|access_?key|private_?key"
    r"|auth|hash|rolpassword|authentication_string|credentials?|salt|psk)"
    r"(?:[_ -](?:hash|digest|salt|key|value))?(?:$|[|,;\t\"\r]|\s\s|\s\|)"
)
NAME_GATE = (
    r"(?i)name[\"']?\s{0,4}[:=]\s{0,4}[\"']?[\w.-]{0,48}(?:passw(?:or)?d|pass|pwd|secret|token|key|credentials?|auth)"
    r"[\"']?,?\s{0,4}$"
)
MAX_LINE = 4096  # bytes of a line that may name what the next one has

Judge = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Table:
    """One table: how its cells are told apart, and the telling columns with what judges their values."""

    sign: (
        bytes  # b"|", b",", b";", b"\t"; b" " for aligned columns; b"-" for one column; b":" for a value line
    )
    columns: tuple[tuple[int, int, Judge], ...]  # (number, or place in the line; its end; judge)
    cells: int
    ruled: bool = True  # whether the line under the header must be, or was, a rule

    def row(self, line: bytes) -> tuple[Table | None, list[tuple[int, int]]]:
        """Return the table as it goes on after this line (None if it does not), and the spans to mask in it."""
        body = line.rstrip(b"\r\n")
        if self.sign == b":":
            found = _VALUE_LINE.match(body[:MAX_LINE])
            return None, [found.span("v")] if found is not None and is_given(found["v"]) else []
        if not body.strip():
            return None, []
        if _RULE.fullmatch(body):
            return (Table(self.sign, self.columns, self.cells) if not self.ruled else self), []
        if not self.ruled:
            return None, []
        cells = _cells(body, self.sign)
        if self.sign == b" ":
            spans = [
                span for start, end, judge in self.columns if (span := _aligned(body, start, end, judge))
            ]
            return (self if all(self._fits(body, start) for start, _, _ in self.columns) else None), spans
        if len(cells) != self.cells:
            return None, []
        spans = []
        for number, _, judge in self.columns:
            start, end = cells[number]
            if judge(body[start:end]):
                spans.append((start, end))
        return self, spans

    def reached(self, line: bytes) -> int | None:
        """Return where, in a line that is not at its end, the first telling cell has begun."""
        if self.sign == b":" or not line.strip() or not self.columns:
            return None
        number, _, judge = self.columns[0]
        if self.sign == b" ":
            return number if len(line) > number and not line[number:].endswith(b" ") else None
        cells = _cells(line, self.sign)
        if len(cells) <= number:
            return None
        start, end = cells[number]
        return start if start < end and judge(line[start:end] + b"0a") else None

    @staticmethod
    def _fits(body: bytes, start: int) -> bool:
        return len(body) <= start or start == 0 or body[start - 1 : start] == b" "


def table_under(line: bytes) -> Table | None:
    """Return the table that this line heads, None if it is no header or names no secret."""
    body = line.rstrip(b"\r\n")
    if len(body) > MAX_LINE:
        return None
    if _NAME_LINE.match(body):
        return Table(b":", (), 0)
    for sign in (b"|", b"\t", b",", b";"):
        if sign in body:
            spans = _cells(body, sign)
            names = [body[start:end] for start, end in spans]
            if not all(_CELL.fullmatch(name) for name in names if name) or (sign != b"|" and not all(names)):
                return None
            columns = tuple(
                (number, 0, judge)
                for number, name in enumerate(names)
                if (judge := _judge(name, sign == b"|")) is not None
            )
            return Table(sign, columns, len(spans)) if columns else None
    words = list(_WORDS.finditer(body))
    if len(words) == 1:
        judge = _judge(words[0][0], True)
        return Table(b"-", ((0, 0, judge),), 1, ruled=False) if judge is not None else None
    if len(words) < 2 or not all(_CELL.fullmatch(word[0]) for word in words):
        return None
    if sum(word[0].isupper() for word in words) < len(words) and not all(
        word[0].islower() and b" " not in word[0] for word in words
    ):
        return None
    ends = [*(word.start() for word in words[1:]), 1 << 16]
    columns = tuple(
        (word.start(), end, judge)
        for word, end in zip(words, ends, strict=True)
        if (judge := _judge(word[0], False)) is not None
    )
    return Table(b" ", columns, len(words)) if columns else None


def is_cell(value: bytes) -> bool:
    """Judge a cell under a header that nothing but a secret has."""
    return is_given(value) and value not in (b"(null)", b"(none)", b"\\N")


def _judge(name: bytes, certain: bool) -> Judge | None:
    if _SURE_CELL.fullmatch(name):
        return is_cell if certain else is_bare_password
    return is_random if _MAYBE_CELL.fullmatch(name) else None


def _cells(body: bytes, sign: bytes) -> list[tuple[int, int]]:
    """Return the span of each cell, without its margins and quotes; a pipe at either end of the line is a border."""
    cuts, inside = [], False
    for at, byte in enumerate(body):
        if byte == 0x22 and sign in (b",", b";"):
            inside = not inside
        elif byte == sign[0] and not inside:
            cuts.append(at)
    spans = list(zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(body)], strict=True))
    if sign == b"|" and body.strip().startswith(b"|") and len(spans) > 2:
        spans = spans[1:-1] if body.rstrip().endswith(b"|") else spans[1:]
    return [_trimmed(body, start, end) for start, end in spans]


def _trimmed(body: bytes, start: int, end: int) -> tuple[int, int]:
    while start < end and body[start] in b" \t":
        start += 1
    while end > start and body[end - 1] in b" \t\r":
        end -= 1
    if end - start >= 2 and body[start] == body[end - 1] and body[start] in b"\"'":
        start, end = start + 1, end - 1
    return start, end


def _aligned(body: bytes, start: int, end: int, judge: Judge) -> tuple[int, int] | None:
    if len(body) <= start or body[start : start + 1].isspace() or not Table._fits(body, start):
        return None
    found = _WORDS.match(body, start)
    if found is None or b" " in found[0] or not judge(found[0]):
        return None
    return found.span()
