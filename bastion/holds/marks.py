"""Find in a statement what its rules have matched, so that people look there first.

Rules match what a shell makes of a statement, which says nothing of where it stands. So the words are looked for: where
they follow each other as the command has them, or each by itself. Too much may be marked, and what is written with
quotes or put together when it runs is not found: `held_for` names it in any case.

In      a statement as people see it; the labels in it; what was matched
Out     Mark, in order, none over another
Holds   MAX_MARKS of them; with more, all of the statement is marked
Source  docs/approvals.md
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from bastion.holds.hold import Mark
from bastion.masking import Span
from policies.held_parts import Part

MAX_MARKS = 64
MAX_WORDS = 32  # of one command are looked for
_BEFORE, _BEHIND = r"(?<![\w.-])", r"(?![\w-])"


def marks_of(
    statement: str, labels: Iterable[Span], parts: Iterable[Part], veil: Callable[[str], str]
) -> tuple[Mark, ...]:
    """Return where people should look; `veil` masks a word as the statement is masked."""
    found: set[Span] = set()
    for part in parts:
        words = [veil(word) for word in part.words[:MAX_WORDS]]
        for span in _spans(statement, words):
            found.add(span)
            if len(found) > MAX_MARKS:
                return (Mark(start=0, end=len(statement), what="matched"),)
    masked = [Mark(start=start, end=end, what="masked") for start, end in labels]
    matched = list(_apart(_joined(sorted(found)), [(mark.start, mark.end) for mark in masked]))
    return tuple(sorted([*masked, *matched], key=lambda mark: mark.start))


def _spans(statement: str, words: Sequence[str]) -> Iterator[Span]:
    """Yield where words follow each other; if they do nowhere, where each of them is."""
    written = [re.escape(word) for word in words if word.strip()]
    if not written:
        return
    whole = re.compile(_BEFORE + r"[ \t]+".join(written) + _BEHIND)
    spans = [found.span() for found in whole.finditer(statement)]
    if spans or len(written) == 1:
        yield from spans
        return
    for word in dict.fromkeys(written):
        yield from (found.span() for found in re.finditer(_BEFORE + word + _BEHIND, statement))


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans in order, those that overlap as one."""
    last: Span | None = None
    for start, end in spans:
        if last is not None and start < last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last is not None:
            yield last
        last = (start, end)
    if last is not None:
        yield last


def _apart(spans: Iterable[Span], holes: Sequence[Span]) -> Iterator[Mark]:
    """Yield the spans without what labels take of them."""
    for start, end in spans:
        for from_, to in holes:
            if start < to and from_ < end:
                if start < from_:
                    yield Mark(start=start, end=from_, what="matched")
                start = to
        if start < end:
            yield Mark(start=start, end=end, what="matched")
