"""Explain a verdict: the rules that speak of a statement, and those that nearly do.

In      a policy; a request, or none, when every `when` is taken as met; Facts
Out     Explanation
Source  docs/policies.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from policies.compiled import Entry
from policies.engine import Policy, bounded
from policies.facts import Facts
from policies.model import Request, Rule, Verdict, VerdictKind
from policies.when import unmet

Role = Literal["denies", "asks approval", "covers all", "covers a part"]

_ROLES: dict[VerdictKind, Role] = {VerdictKind.DENY: "denies", VerdictKind.APPROVE: "asks approval"}


@dataclass(frozen=True, slots=True)
class Near:
    """A rule that one key keeps from speaking of the statement: the place of its entry, if it has any, and that key."""

    rule: Rule
    entry: int | None
    unmet: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A verdict and how it came about; `missing` says what no rule allows, had nothing denied it."""

    facts: Facts
    verdict: Verdict
    matched: tuple[tuple[Rule, Role], ...]
    missing: tuple[str, ...]
    near: tuple[Near, ...]


def explanation(policy: Policy, request: Request | None, facts: Facts) -> Explanation:
    """Return how the policy judges the facts, and why."""
    facts = bounded(facts)
    scope = policy.scope(request)
    matched = [(rule, _ROLES[rule.verdict]) for rule in scope.against(facts)]
    covered = scope.coverage(facts)
    role: Role = "covers a part" if covered.missing else "covers all"
    matched += [(rule, role) for rule in {rule.id: rule for rule in covered.rules}.values()]
    known = {rule.id for rule, _ in matched}
    return Explanation(
        facts=facts,
        verdict=policy.judge_alone(facts) if request is None else policy.judge(request, facts),
        matched=tuple(sorted(matched, key=lambda each: each[0].id)),
        missing=covered.missing,
        near=tuple(near for near in _near(policy, request, facts) if near.rule.id not in known),
    )


def _near(policy: Policy, request: Request | None, facts: Facts) -> Iterator[Near]:
    for rule in sorted(policy.rules, key=lambda rule: rule.id):
        outside = [] if request is None else unmet(rule.when, request)
        if not policy.entries(rule.id):
            if len(outside) == 1:
                yield Near(rule, None, f"when.{outside[0]}")
            continue
        found = [_lacking(entry, facts, outside) for entry in policy.entries(rule.id)]
        if lacking := [(at, key) for at, key in enumerate(found) if key is not None]:
            yield Near(rule, *lacking[0])


def _lacking(entry: Entry, facts: Facts, outside: list[str]) -> str | None:
    """Return the one key that the entry lacks; None if it is not one, or if nothing else of it is met."""
    wrong = entry.unmet(facts)
    if not wrong and len(outside) == 1:
        return f"when.{outside[0]}"
    if len(wrong) == 1 and not outside and entry.keys > 1:
        return wrong[0]
    return None
