"""Show one hold as rows that fit a width: first what decides, then all that is known of it.

No row of a statement can pass for one of ours: each begins with `| `, and what goes on from the row above with `: `.

In      Hold; a width; why the reader cannot approve it
Out     Page: rows, and which of them are the statement's
Source  docs/approvals.md; docs/security.md, T36
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from bastion.approval_screen.rows import Fragment, Measure, Row, escaped, wrapped
from bastion.holds.hold import Ask, Hold
from bastion.holds.shown import answer_text, claims_text, labels, place, wanted

LABEL_CELLS = 11
STYLES = {"matched": "class:matched", "masked": "class:masked"}
UNKNOWN = "is being asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The rows of one hold; those from `begin` up to `end` are its statement's."""

    rows: list[Row]
    begin: int
    end: int


def page(hold: Hold, width: int, measure: Measure, *, objection: str | None) -> Page:
    """Return a hold as rows; `objection` is None while it is not known, empty if they may approve it."""
    ask = hold.ask
    made = _Rows(width, measure)
    for part in ask.held_for:
        made.add("held for", escaped(part, "class:matched"))
    begin = len(made.rows)
    for row in _statement(ask):
        made.add("what", row, mark="| ", more=": ")
    end = len(made.rows)
    if masked := labels(ask):
        made.text("masked", f"{', '.join(masked)} for what is not shown")
    made.text("where", place(ask))
    made.text("who", f"{ask.identity}, owned by {ask.owner}")
    for claim in claims_text(ask.claims):
        made.text("who", claim)
    made.text("rule", f"{', '.join(ask.rules)}: {ask.reason}")
    for line in wanted(hold):
        made.text("rule", line)
    made.text("bot says", ask.stated or "nothing")
    for answer in hold.answers:
        made.text("answers", answer_text(answer))
    if hold.waits:
        made.add("you", _you(objection))
    for line in ask.before or ("nothing in this session",):
        made.text("before", line)
    for fact in ask.facts or ("none",):
        made.text("facts", fact)
    return Page(rows=made.rows, begin=begin, end=end)


class _Rows:
    """Rows as they are added: a label before the first of each kind."""

    def __init__(self, width: int, measure: Measure) -> None:
        self.rows: list[Row] = []
        self._width = max(8, width - LABEL_CELLS - 3)
        self._measure = measure
        self._last = ""

    def text(self, label: str, text: str) -> None:
        self.add(label, escaped(text))

    def add(self, label: str, fragments: Iterable[Fragment], *, mark: str = "", more: str = "  ") -> None:
        for at, row in enumerate(wrapped(fragments, self._width, self._measure, words=not mark)):
            shown = label if at == 0 and label != self._last else ""
            self._last = label
            lead = mark if at == 0 else more
            self.rows.append([("class:label", f" {shown:<{LABEL_CELLS}}"), ("class:label", lead), *row])


def _statement(ask: Ask) -> list[Row]:
    """Return the lines of a statement, what rules have matched and what is masked marked."""
    text = ask.statement.removesuffix("\n")
    lines: list[Row] = [[]]
    edges = sorted(
        {0, len(text), *(min(edge, len(text)) for mark in ask.marks for edge in (mark.start, mark.end))}
    )
    for start, end in itertools.pairwise(edges):
        style = next(
            (STYLES[mark.what] for mark in ask.marks if mark.start <= start < mark.end), "class:statement"
        )
        for number, piece in enumerate(text[start:end].split("\n")):
            if number:
                lines.append([])
            lines[-1] += escaped(piece, style)
    return lines


def _you(objection: str | None) -> Row:
    if objection is None:
        return [("", UNKNOWN)]
    if objection:
        return escaped(f"cannot approve: {objection}", "class:warning")
    return [("class:good", "may approve and deny")]
