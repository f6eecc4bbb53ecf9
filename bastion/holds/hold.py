"""Say what waits for people: what is asked, who has answered what, and how it ended.

In      a statement that a verdict holds
Out     Ask, Answer, Hold: values, and the same as JSON for the link between processes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

from policies.model import Approvers

MAX_STATEMENT_BYTES = 8 * 1024  # nobody judges more than that on a screen


class State(StrEnum):
    """How a hold stands; only one that waits can be answered."""

    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  # the bot is gone
    CANCELLED = "cancelled"  # the bastion has given it up: a reload, a shutdown, the recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one rule asks for."""

    rule: str
    approvers: Approvers


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Characters of a statement, from `start` on and up to `end`: what a rule has matched, or a label for a value."""

    start: int
    end: int
    what: Literal["matched", "masked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One statement of one session, and what people must know of it to answer.

    `statement` keeps bytes that are no UTF-8 by surrogateescape. `facts` are words, one line each. `stated` is what the
    bot itself says it is for. `run` is IDENTITY/RUN, as in the certificate's key id. `binding` is what an approval is
    good for, `grant` the same for any session of the run; one that is asked ahead is for that, `good_until` then.
    `within_s` is how long the session may last, or the question stand. `held_for` names what of it the rules have
    matched, `marks` says where that is, as far as it could be found, and `before` has the last lines of what the
    session did until then, escaped.
    """

    session: str
    identity: str
    run: str
    owner: str
    claims: Mapping[str, str]
    target: str
    login: str
    statement: str
    facts: tuple[str, ...]
    terms: tuple[Terms, ...]
    reason: str
    stated: str
    policy: str
    binding: str
    within_s: float
    grant: str = ""
    good_until: float = 0.0
    held_for: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    before: tuple[str, ...] = ()

    @property
    def ahead(self) -> bool:
        """Say whether it is asked ahead: no session waits for it, and its approval is a grant for a later one."""
        return not self.session

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(one.rule for one in self.terms)

    @property
    def groups(self) -> frozenset[str]:
        """Return the groups that are asked, of all rules."""
        return frozenset(group for terms in self.terms for group in terms.approvers.groups)

    @property
    def for_session(self) -> bool:
        """Say whether every rule lets an approval hold for the rest of the session."""
        return not self.ahead and all(one.approvers.for_session for one in self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one person said; `groups` are those they had then of the ones asked, `how` the door they came by."""

    person: str
    groups: tuple[str, ...]
    how: str
    approve: bool
    reason: str
    for_session: bool
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An Ask on the desk; times are seconds since 1970. `why` says how it came to its end, or by whom.

    `grant` is the id of the hold that was asked ahead, where its grant has ended this one. `spent` says what became of
    the grant that this one gave, empty while there is one.
    """

    id: str
    ask: Ask
    asked_at: float
    expires_at: float
    state: State = State.WAITING
    answers: tuple[Answer, ...] = ()
    why: str = ""
    grant: str = ""
    spent: str = ""

    @property
    def waits(self) -> bool:
        return self.state is State.WAITING

    @property
    def outcome(self) -> str:
        """Return how it ended, in words."""
        return f"{self.state.value}{' ' if self.why.startswith('by ') else ': '}{self.why}"

    def approvals(self) -> tuple[Answer, ...]:
        """Return the answers that approve."""
        return tuple(answer for answer in self.answers if answer.approve)


def ask_to_json(ask: Ask) -> dict[str, Any]:
    """Return an Ask as JSON has it."""
    return asdict(ask)


def ask_from_json(value: Mapping[str, Any]) -> Ask:
    """Return what `ask_to_json` was given."""
    terms = tuple(Terms(rule=one["rule"], approvers=_approvers(one["approvers"])) for one in value["terms"])
    marks = tuple(Mark(**one) for one in value["marks"])
    lists = {name: tuple(value[name]) for name in ("facts", "held_for", "before")}
    return Ask(**{**value, **lists, "terms": terms, "marks": marks})


def hold_to_json(hold: Hold) -> dict[str, Any]:
    """Return a Hold as JSON has it."""
    return asdict(hold)


def hold_from_json(value: Mapping[str, Any]) -> Hold:
    """Return what `hold_to_json` was given."""
    answers = tuple(Answer(**{**one, "groups": tuple(one["groups"])}) for one in value["answers"])
    state, ask = State(value["state"]), ask_from_json(value["ask"])
    return Hold(**{**value, "ask": ask, "state": state, "answers": answers})


def _approvers(value: Mapping[str, Any]) -> Approvers:
    return Approvers(**{**value, "groups": tuple(value["groups"])})
