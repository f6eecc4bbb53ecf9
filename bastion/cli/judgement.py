"""Show verdicts and how they came about, as text for people and as JSON; a statement never acts on the terminal.

In      Verdict, Facts, Explanation, results of cases
Out     str; plain objects for JSON
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policies.cases import Result
from policies.engine import Policy
from policies.facts import Command, Facts
from policies.model import Request, Verdict
from policies.near import Explanation, Near
from recorder.terminal import plain

SHOWN_NEAR = 5


def judged(policy: Policy, request: Request | None, facts: Facts) -> tuple[Verdict, Facts]:
    """Return the verdict beside the facts it is on; every `when` is met where there is no request."""
    return (policy.judge_alone(facts) if request is None else policy.judge(request, facts)), facts


def verdict_object(verdict: Verdict, facts: Facts) -> dict[str, Any]:
    """Return what `explain --lines --json` prints of a statement: these fields, which others rely on."""
    return {
        "verdict": verdict.kind.value,
        "rules": list(verdict.rules),
        "reason": verdict.reason,
        "severity": None if verdict.severity is None else verdict.severity.value,
        "attack": list(verdict.attack),
        "warn": verdict.warn,
        "notify": verdict.notify,
        "policy": verdict.policy,
        "facts": facts.as_json(),
    }


def line(verdict: Verdict, facts: Facts) -> str:
    """Return what `explain --lines` prints of a statement."""
    return f"{verdict.kind.value:<8}{','.join(verdict.rules) or '-':<32} {plain(facts.statement)}"


def explanation_object(found: Explanation) -> dict[str, Any]:
    """Return what `explain --json` prints."""
    return {
        "statement": found.facts.statement,
        **verdict_object(found.verdict, found.facts),
        "matched": [
            {"rule": rule.id, "role": role, "file": rule.place[0], "key": rule.place[1]}
            for rule, role in found.matched
        ],
        "missing": list(found.missing),
        "near": [{"rule": near.rule.id, "entry": near.entry, "unmet": near.unmet} for near in found.near],
    }


def explanation_text(found: Explanation) -> str:
    """Return what `explain` prints for people: facts, rules, verdict."""
    lines = [f"statement  {plain(found.facts.statement)}", *_facts(found.facts)]
    for rule, role in found.matched:
        said = f": {rule.reason}" if rule.reason else ""
        lines.append(f"rule       {rule.id} {role}{said} ({rule.place[0]}, {rule.place[1]})")
    near = sorted(
        found.near, key=lambda each: each.unmet in ("program", "argv")
    )  # the program itself met says more
    lines += [f"near       {each.rule.id}, but for {_lack(each)}" for each in near[:SHOWN_NEAR]]
    if len(near) > SHOWN_NEAR:
        lines.append(f"near       and {len(near) - SHOWN_NEAR} more: --json has all")
    lines += [f"uncovered  {plain(each)}" for each in found.missing]
    verdict = found.verdict
    by = f" by {', '.join(verdict.rules)}" if verdict.rules else ""
    marks = [verdict.severity.value] if verdict.severity is not None else []
    marks += verdict.attack
    marked = f" [{', '.join(marks)}]" if marks else ""
    lines.append(f"verdict    {verdict.kind.value}{by}: {plain(verdict.reason)}{marked}")
    return "\n".join(lines)


def _lack(near: Near) -> str:
    if near.entry is None or near.unmet.startswith("when."):
        return near.unmet
    return f"match[{near.entry}].{near.unmet}"


def _facts(facts: Facts) -> Iterator[str]:
    for at, command in enumerate(facts.commands):
        under = f"  (under {command.parent})" if command.parent is not None else ""
        yield f"command {at:<2} {plain(_words(command))}{under}"
    for name, touched in (("reads", facts.reads), ("writes", facts.writes), ("contacts", facts.contacts)):
        for text in dict.fromkeys(touch.value.text for touch in touched):
            yield f"{name:<10} {plain(text)}"
    if facts.operation is not None:
        yield f"operation  {facts.operation}"
    if facts.defines:
        yield f"defines    {plain(' '.join(facts.defines))}"
    for flag in sorted(facts.flags):
        why = facts.why.get(flag)
        yield f"flag       {flag.value}" + (f": {plain(why)}" if why else "")


def _words(command: Command) -> str:
    return " ".join(word.text if word.form != "literal" else _quoted(word.text) for word in command.words)


def _quoted(text: str) -> str:
    return f"'{text}'" if not text or set(text) & set(" \t\n*?[$'\"\\;|&()<>`") else text


def failure_object(result: Result) -> dict[str, Any]:
    """Return what `policy test --json` prints of a case that failed."""
    return {
        "case": result.place,
        "statement": result.statement,
        "expected": {"verdict": result.expected.value, "rules": list(result.expected_rules)},
        "verdict": result.verdict.kind.value,
        "rules": list(result.verdict.rules),
        "reason": result.verdict.reason,
    }


def failure_text(result: Result) -> str:
    """Return what `policy test` prints of a case that failed."""
    wanted = result.expected.value + (
        f" by {', '.join(result.expected_rules)}" if result.expected_rules else ""
    )
    given = result.verdict
    got = given.kind.value + (f" by {', '.join(given.rules)}" if given.rules else "")
    text = f"{result.place}: {plain(result.statement)}: expected {wanted}, got {got}: {given.reason}"
    return plain(text)
