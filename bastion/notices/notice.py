"""Say what people are told of: a hold that was asked or has ended, a denial, an alert.

All texts of a notice are as a display may have them: masked as the session's record is, and escaped, so that nothing in
them acts on whoever reads. A statement that is too long to be carried keeps its beginning and its end, and a count of
what is not there stands between them.

In      steps of holds; statements and requests as they are recorded; what left-out ones there were
Out     Notice, and the same as JSON for the outbox and for the link between processes
Holds   STATEMENT_CHARS of a statement that is held, SEEN_CHARS of another
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from bastion.holds import shown
from bastion.holds.desk import Event
from recorder.terminal import plain

NoticeKind = Literal["hold.asked", "hold.ended", "denial", "alert", "left-out", "test"]

STATEMENT_CHARS = 12_000  # of one that is held: all of it, escaped as text usually is
SEEN_CHARS = 4000  # of others: a notice must fit into one message of the link between processes
TEXT_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement as people may see it; `cut` characters are missing between `head` and `tail`."""

    head: str
    cut: int = 0
    tail: str = ""

    @property
    def whole(self) -> bool:
        return not self.cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that people are told of; `at` is seconds since 1970.

    `kinds` has more than one where a denial is an alert as well. `hold` is the object that `approvals --json` shows.
    `left_out` says how many of its kind were not told of before this one.
    """

    kinds: tuple[NoticeKind, ...]
    at: float
    identity: str = ""
    owner: str = ""
    groups: tuple[str, ...] = ()
    session: str = ""
    target: str = ""
    login: str = ""
    statement: Statement | None = None
    verdict: str = ""
    rules: tuple[str, ...] = ()
    reason: str = ""
    severity: str = ""
    attack: tuple[str, ...] = ()
    claims: Mapping[str, str] | None = None
    hold: Mapping[str, Any] | None = None
    left_out: int = 0

    @property
    def kind(self) -> NoticeKind:
        return self.kinds[0]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Notice:
        """Return what `to_json` came from."""
        statement = value["statement"]
        lists = {name: tuple(value[name]) for name in ("kinds", "groups", "rules", "attack")}
        return cls(**{**value, **lists, "statement": None if statement is None else Statement(**statement)})


def notice_of_hold(event: Event, at: float) -> Notice | None:
    """Return what is told of a step of a hold, None if that is nothing."""
    if event.step not in ("asked", "ended"):
        return None
    ask, told = event.hold.ask, shown.hold_object(event.hold)
    return Notice(
        kinds=("hold.asked",) if event.step == "asked" else ("hold.ended",),
        at=at,
        identity=ask.identity,
        owner=told["owner"],
        session=ask.session,
        target=ask.target,
        login=told["login"],
        statement=cut_statement(told["statement"], STATEMENT_CHARS),
        verdict="approve",
        rules=ask.rules,
        reason=told["reason"],
        claims=told["claims"],
        hold={key: value for key, value in told.items() if key not in ("statement", "claims")},
    )


def cut_statement(text: str, most: int) -> Statement:
    """Return a text, cut in its middle if it is longer than that."""
    if len(text) <= most:
        return Statement(head=text)
    head = most * 2 // 3
    tail = most - head
    return Statement(head=text[:head], cut=len(text) - most, tail=text[len(text) - tail :])


def seen_statement(data: bytes) -> Statement:
    """Return a statement or a request as people may see it; the work does not grow with its length."""
    rough = cut_statement(data.decode("utf-8", "surrogateescape"), SEEN_CHARS)
    shown = replace(rough, head=_lines_shown(rough.head), tail=_lines_shown(rough.tail))
    return recut(shown, SEEN_CHARS)


def recut(statement: Statement, most: int) -> Statement:
    """Return a statement that takes no more than so many characters, cut some more if need be."""
    if len(statement.head) + len(statement.tail) <= most:
        return statement
    head = min(len(statement.head), most * 2 // 3)
    tail_of = statement.tail or statement.head[head:]
    tail = tail_of[max(0, len(tail_of) - (most - head)) :]
    gone = len(statement.head) - head + len(statement.tail) - len(tail)
    return replace(statement, head=statement.head[:head], cut=statement.cut + gone, tail=tail)


def _lines_shown(text: str) -> str:
    """Return a text of several lines with all but its line feeds escaped."""
    return "\n".join(map(plain, text.split("\n")))


def short(text: str, most: int = TEXT_CHARS) -> str:
    """Return one line, escaped, with a mark if it was cut."""
    told = plain(text[: most + 1])
    return told if len(told) <= most else f"{told[:most]}… (cut)"
