"""Make rows of styled text that fit a terminal: nothing that is not visible is in them, and what is cut is marked.

In      text from anybody; a function that says how many cells a character takes
Out     rows of (style, text)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from recorder.terminal import plain

Fragment = tuple[str, str]
Row = list[Fragment]
Measure = Callable[[str], int]

HIDDEN = "class:hidden"
ELLIPSIS = "…"


def escaped(text: str, style: str = "") -> Row:
    """Return untrusted text with what is not visible written out, and marked as such."""
    row: Row = []
    for char in text:
        shown = plain(char)
        kind = style if shown == char else f"{style} {HIDDEN}".strip()
        if row and row[-1][0] == kind:
            row[-1] = (kind, row[-1][1] + shown)
        else:
            row.append((kind, shown))
    return row


def wrapped(fragments: Iterable[Fragment], width: int, measure: Measure, *, words: bool = False) -> list[Row]:
    """Return the text in rows of at most `width` cells, or of one character that is wider; at least one row.

    They are broken anywhere; with `words` at a space near the end where there is one, which is then not shown.
    """
    chars = [(style, char) for style, text in fragments for char in text]
    rows: list[Row] = []
    start = used = 0
    space = -1  # the last one in this row
    at = 0
    while at < len(chars):
        char = chars[at][1]
        cells = max(0, measure(char))
        if used + cells > width and at > start:
            end = space if words and space > start and at - space <= width // 3 else at
            rows.append(_joined(chars[start:end]))
            start = at = end + 1 if end == space else end
            used, space = 0, -1
            continue
        if char == " ":
            space = at
        used += cells
        at += 1
    return [*rows, _joined(chars[start:])]


def _joined(chars: Iterable[Fragment]) -> Row:
    row: Row = []
    for style, char in chars:
        if row and row[-1][0] == style:
            row[-1] = (style, row[-1][1] + char)
        else:
            row.append((style, char))
    return row


def cut(fragments: Iterable[Fragment], width: int, measure: Measure) -> Row:
    """Return the text in one row of exactly `width` cells; what does not fit is cut, with a mark."""
    whole = list(fragments)
    first, *more = wrapped(whole, width, measure)
    if more or _cells(first, measure) > width:
        first, *_rest = wrapped(whole, width - 1, measure)
        if _cells(first, measure) >= width:
            first = []
        first.append((first[-1][0] if first else "", ELLIPSIS))
    used = _cells(first, measure)
    return [*first, ("", " " * max(0, width - used))]


def _cells(row: Row, measure: Measure) -> int:
    return sum(measure(char) for _style, text in row for char in text)
