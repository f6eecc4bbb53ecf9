"""Say what people must know of a statement that asks for their approval, and when it may not be decided any more.

In      a ruling; who asks, for where, in which session or ahead of any
Out     an Ask; an objection
Source  docs/approvals.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bastion.gate import Gate, Ruling
from bastion.holds.hold import Ask, Terms
from bastion.holds.marks import marks_of
from bastion.holds.shown import CLAIMS
from bastion.holds.waiting import Waiting
from bastion.masking import Masking
from bastion.principal import Principal
from policies.facts import Facts, Word
from policies.model import Access, Verdict, VerdictKind
from recorder.terminal import plain

REASON_CHARS = 200
FACT_LINES = 24
FACT_CHARS = 160
WHOLE = "whatever it is: the rule speaks of every statement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who asks: somebody on a target."""

    principal: Principal
    target: str
    login: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What else is known: the session, empty where it is asked ahead, and then until when a grant is `good_until`."""

    session: str
    within_s: float
    stated: str = ""
    before: tuple[str, ...] = ()
    good_until: float = 0.0


def question(
    author: Author,
    told: Told,
    *,
    waiting: Waiting,
    statement: str,
    facts: tuple[str, ...],
    terms: tuple[Terms, ...],
    reason: str,
    policy: str,
    bound: tuple[bytes, Mapping[str, Any]],
) -> Ask:
    """Return a question; `bound` is the bytes and the facts that an approval is good for."""
    principal, claims = author.principal, author.principal.claims
    source, known = bound
    return Ask(
        session=told.session,
        identity=principal.name,
        run=principal.login.key_id,
        owner=principal.owner,
        claims={name: claims[name] for name in (*CLAIMS, "issuer_name") if name in claims},
        target=author.target,
        login=author.login,
        statement=statement,
        facts=facts,
        terms=terms,
        reason=reason,
        stated=told.stated,
        policy=policy,
        binding=waiting.binder.bind(
            session=told.session,
            target=author.target,
            login=author.login,
            policy=policy,
            statement=source,
            facts=known,
        ),
        within_s=told.within_s,
        before=told.before,
    )


def ask_of(
    ruling: Ruling,
    access: Access,
    author: Author,
    told: Told,
    channel: int,
    *,
    gate: Gate,
    masking: Masking,
    waiting: Waiting,
) -> Ask:
    """Return the question of a ruling, masked as its channel is."""
    verdict, facts = ruling.verdict, ruling.facts.as_json()
    veil = partial(masking.text, channel)
    statement, labels = masking.labelled(channel, ruling.source.decode("utf-8", "surrogateescape"))
    parts = gate.held_parts(ruling, access)
    ask = question(
        author,
        replace(told, stated=veil(told.stated)[:REASON_CHARS]),
        waiting=waiting,
        statement=statement,
        facts=facts_in_words(ruling.facts, veil),
        terms=tuple(
            Terms(rule=rule, approvers=approvers)
            for rule, approvers in zip(verdict.rules, verdict.approvers, strict=True)
        ),
        reason=verdict.reason,
        policy=verdict.policy,
        bound=(ruling.source, facts),
    )
    return replace(
        ask,
        grant=waiting.grants.bind(
            session=author.principal.login.key_id,
            target=author.target,
            login=author.login,
            policy=verdict.policy,
            statement=ruling.source.removesuffix(b"\n"),
            facts=facts,
        ),
        good_until=told.good_until,
        held_for=tuple(_fitting(plain(veil(part.said))) for part in parts) or (WHOLE,),
        marks=marks_of(statement, labels, parts, veil),
    )


def objection(ruling: Ruling, now: Verdict) -> str:
    """Say why the policy in force, whose verdict is `now`, would not let these people decide this any more."""
    if now.kind is VerdictKind.DENY:
        by = f" by {', '.join(now.rules)}" if now.rules else ""
        return f"the policy has changed and denies it{by}: {now.reason}"
    asked = (now.rules, now.approvers) == (ruling.verdict.rules, ruling.verdict.approvers)
    if now.kind is VerdictKind.APPROVE and not asked:
        return "the policy has changed and asks for something else: try again"
    return ""


def facts_in_words(facts: Facts, veil: Callable[[str], str] = str) -> tuple[str, ...]:
    """Return what is known of a statement, a line each, masked; lines that are left out, or cut, are marked."""
    lines = [f"{flag.value}: {facts.why.get(flag, 'yes')}" for flag in sorted(facts.flags)]
    lines += [
        f"{'runs' if one.parent is None else '  which runs'} {_words(one.words)}" for one in facts.commands
    ]
    for verb, touched in (("reads", facts.reads), ("writes", facts.writes), ("contacts", facts.contacts)):
        lines += [f"{verb} {_words([one.value])}" for one in dict.fromkeys(touched)]
    lines += [f"sets {name}" for name in facts.defines]
    masked = [
        plain(veil(line)) for line in lines[: FACT_LINES + 1]
    ]  # before it is cut: half a secret is not found
    cut = [_fitting(line) for line in masked]
    if len(lines) > FACT_LINES:
        cut[FACT_LINES - 1 :] = [f"… and {len(lines) - FACT_LINES + 1} more: read the statement itself"]
    return tuple(cut)


def _fitting(line: str) -> str:
    return f"{line[:FACT_CHARS]}… (cut)" if len(line) > FACT_CHARS else line


def _words(words: tuple[Word, ...] | list[Word]) -> str:
    return " ".join(word.text if word.literal else f"<{word.text}: known when it runs>" for word in words)
