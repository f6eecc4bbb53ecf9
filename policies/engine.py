"""Decide a request or a statement by all rules at once: deny, then approve, then allow, then deny by default.

In      Request; Facts of a statement
Out     Verdict, with the sorted ids of the rules that made it; the order of rules never matters
Holds   the compiled rules, and for the last 64 kinds of request those that speak of it
Source  docs/policies.md; docs/security.md, laws L4 and L5
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from policies.compiled import Entry
from policies.facts import Facts, unparsed
from policies.limit import Limit
from policies.masking.exception import MaskException
from policies.masking.named import NOTHING_NAMED, Named
from policies.masking.plan import MaskRule, Plan, plan
from policies.model import Approvers, Match, Request, Rule, Severity, Verdict, VerdictKind, When
from policies.scope import Scope
from policies.when import unmet

MAX_SCOPES = 64
MAX_UNKNOWN = 64  # words of a statement that are not literal: each is held against every glob by itself
_WORST_FIRST = tuple(reversed(Severity))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A set of rules; their ids are unique, and with none of them everything is denied."""

    rules: tuple[Rule, ...] = ()
    masks: tuple[MaskRule, ...] = ()
    exceptions: tuple[MaskException, ...] = ()
    limits: tuple[Limit, ...] = ()
    named: Named = field(default=NOTHING_NAMED, compare=False, repr=False)
    _entries: dict[str, tuple[Entry, ...]] = field(init=False, compare=False, repr=False)
    _scopes: OrderedDict[object, Scope] = field(
        default_factory=OrderedDict, init=False, compare=False, repr=False
    )
    _plans: dict[object, Plan | None] = field(default_factory=dict, init=False, compare=False, repr=False)
    _digest: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Compile the rules; raise ValueError for a pattern that is no glob."""
        entries = {
            rule.id: tuple(Entry(rule, match, number) for number, match in enumerate(rule.match or ()))
            for rule in self.rules
        }
        canonical = sorted((_canonical(rule) for rule in self.rules), key=lambda rule: str(rule["id"]))
        canonical += sorted((_canonical_mask(rule) for rule in self.masks), key=lambda rule: str(rule["id"]))
        canonical += sorted(
            (_canonical_exception(it) for it in self.exceptions), key=lambda it: str(it["id"])
        )
        canonical += sorted((_canonical_limit(it) for it in self.limits), key=lambda limit: str(limit["id"]))
        text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
        object.__setattr__(self, "_entries", entries)
        object.__setattr__(self, "_digest", hashlib.sha256(text.encode()).hexdigest())

    def with_approvers(self, approvers: Approvers) -> Policy:
        """Return the same rules and limits, where those that ask for approval and name nobody ask these."""
        return replace(
            self,
            rules=tuple(
                replace(rule, approvers=approvers)
                if rule.verdict is VerdictKind.APPROVE and rule.approvers is None
                else rule
                for rule in self.rules
            ),
            limits=tuple(
                replace(limit, approvers=approvers)
                if limit.verdict is VerdictKind.APPROVE and limit.approvers is None
                else limit
                for limit in self.limits
            ),
        )

    def decide(self, request: Request) -> Verdict:
        """Return whether an access may begin; a request of no known access is denied (L4).

        Rules with `match` speak of statements: one that allows some lets the access begin, one that denies some does
        not keep it from beginning. Each statement in it is then for `judge`.
        """
        if request.access is None:
            return self._denied((), "the kind of access is not known")
        matching = self._matching(request, whatever_access=False)
        asked = f"{request.access.value} on {request.target} as {request.login}"
        return self._verdict(
            [rule for rule in matching if rule.allows or rule.match is None],
            f"no rule allows {asked}",
            f"a rule speaks of {asked}",
        )

    def may_open(self, request: Request) -> Verdict:
        """Return whether a session may open: some rule allows who and where, whatever the access.

        A deny that speaks of some kinds of access only, or of some statements, does not keep the session shut; it is
        applied to each request in the session, by `decide`, and to each statement, by `judge`.
        """
        matching = self._matching(request, whatever_access=True)
        asked = f"a session on {request.target} as {request.login}"
        return self._verdict(
            [rule for rule in matching if rule.allows or (rule.match is None and rule.when.access is None)],
            f"no rule allows {asked}",
            f"a rule speaks of {asked}",
        )

    def filters(self, request: Request) -> bool:
        """Say whether statements of an access may fare differently: no rule without `match` allows all alike."""
        rules = self.scope(request).rules
        told = any(rule.warn or rule.notify for rule in rules)
        picks = any(
            rule.verdict is VerdictKind.APPROVE or (rule.match is not None and not rule.allows)
            for rule in rules
        )
        return told or picks or not any(rule.match is None and rule.allows for rule in rules)

    def judge(self, request: Request, facts: Facts) -> Verdict:
        """Return the verdict on one statement, or one operation on files, of an access that has begun."""
        if request.access is None:
            return self._denied((), "the kind of access is not known")
        return self._judged(self.scope(request), facts)

    def judge_alone(self, facts: Facts) -> Verdict:
        """Return the verdict on a statement for which every `when` is taken as met."""
        return self._judged(self.scope(None), facts)

    def entries(self, rule: str) -> tuple[Entry, ...]:
        """Return the compiled entries of the rule of this id."""
        return self._entries[rule]

    def masking(self, request: Request, facts: Facts | None = None) -> Plan | None:
        """Return what is masked of such an access, and what limits count; None if nothing is looked for.

        With the `facts` of the one statement that runs, what exceptions say of the files that it prints passes.
        """
        rules = tuple(rule for rule in self.masks if not unmet(rule.when, request))
        counted = frozenset(name for limit in self.limiting(request) for name in limit.detectors)
        spoken = tuple(it for it in self.exceptions if not unmet(it.when, request))
        of_values = tuple(it for it in spoken if it.values)
        passed = frozenset(
            name
            for it in spoken
            if facts is not None and it.reads and it.speaks_of(facts)
            for name in it.detectors
        )
        key = rules, counted, of_values, passed
        if key not in self._plans:
            self._plans[key] = plan(rules, counted, of_values, passed, self.named)
        return self._plans[key]

    def masking_of_all(self) -> Plan | None:
        """Return what any of the masks masks, whoever it speaks of, for what people write; None without masks."""
        key = self.masks, "of all"
        if key not in self._plans:
            self._plans[key] = plan(self.masks, named=self.named)
        return self._plans[key]

    def excepts_files(self, request: Request) -> bool:
        """Say whether what is masked of such an access depends on the files that a statement prints."""
        return any(it.reads and not unmet(it.when, request) for it in self.exceptions)

    def limiting(self, request: Request) -> tuple[Limit, ...]:
        """Return the limits on the answers of such an access."""
        return tuple(limit for limit in self.limits if not unmet(limit.when, request))

    def digest(self) -> str:
        """Return the SHA-256, in hex, of the rules in canonical form: one for any order of the same rules."""
        return self._digest

    def scope(self, request: Request | None) -> Scope:
        """Return the rules that speak of such a request; all of them for None."""
        key = _key(request)
        scope = self._scopes.get(key)
        if scope is None:
            rules = self.rules
            if request is not None:
                rules = tuple(self._matching(request, whatever_access=False))
            scope = Scope(rules, [entry for rule in rules for entry in self._entries[rule.id]])
            self._scopes[key] = scope
            if len(self._scopes) > MAX_SCOPES:
                self._scopes.popitem(last=False)
        return scope

    def _judged(self, scope: Scope, facts: Facts) -> Verdict:
        facts = bounded(facts)
        against = scope.against(facts)
        if against:
            verdict = self._verdict(against, "", "a rule speaks of this statement")
            stays = not verdict.held or scope.coverage(facts).input_stays
            return verdict if stays else replace(verdict, input_stays=False)
        covered = scope.coverage(facts)
        if covered.missing:
            return self._denied((), f"no rule allows {covered.missing[0]}")
        verdict = self._verdict(
            covered.rules, "no rule allows this statement", "rules allow all of this statement"
        )
        return verdict if covered.input_stays else replace(verdict, input_stays=False)

    def _matching(self, request: Request, *, whatever_access: bool) -> list[Rule]:
        """Return the rules whose `when` speaks of the request."""
        return [rule for rule in self.rules if not unmet(rule.when, request, whatever_access=whatever_access)]

    def _verdict(self, matching: Sequence[Rule], default: str, plain: str) -> Verdict:
        """Return the verdict of the gravest kind among the rules; `default` is the reason if there is none."""
        for kind in (VerdictKind.DENY, VerdictKind.APPROVE, VerdictKind.ALLOW):
            made = sorted({rule.id: rule for rule in matching if rule.verdict is kind}.values(), key=_id)
            if made:
                break
        else:
            return self._denied((), default)
        reason = "; ".join(dict.fromkeys(rule.reason for rule in made if rule.reason)) or plain
        asked = [rule.approvers for rule in made if rule.approvers is not None]
        if kind is VerdictKind.APPROVE and len(asked) < len(made):
            names = ", ".join(rule.id for rule in made if rule.approvers is None)
            reason, asked = f"{reason} (nobody can approve it: {names} names no approvers)", []
        past_quota = kind is VerdictKind.ALLOW and any(rule.past_quota == "digest-only" for rule in made)
        severities = {rule.severity for rule in made}
        return Verdict(
            kind=kind,
            rules=tuple(rule.id for rule in made),
            reason=reason,
            record="digest-only" if past_quota else "content",
            policy=self._digest,
            severity=next((severity for severity in _WORST_FIRST if severity in severities), None),
            attack=tuple(sorted({rule.attack for rule in made if rule.attack})),
            warn=any(rule.warn for rule in made),
            notify=any(rule.notify for rule in made),
            approvers=tuple(asked),
        )

    def _denied(self, rules: tuple[str, ...], reason: str) -> Verdict:
        return Verdict(kind=VerdictKind.DENY, rules=rules, reason=reason, policy=self._digest)


def bounded(facts: Facts) -> Facts:
    """Return the facts as they are judged: of a statement with too much in it that is not literal nothing is known."""
    unknown = {word for command in facts.commands for word in command.words if not word.literal}
    if len(unknown) <= MAX_UNKNOWN:
        return facts
    why = f"more than {MAX_UNKNOWN} of its words are known only when it runs"
    return unparsed(facts.statement, why, facts.language)


def _id(rule: Rule) -> str:
    return rule.id


def _key(request: Request | None) -> object:
    if request is None:
        return None
    labels = frozenset(request.labels.items())
    return request.identity, request.groups, request.target, labels, request.login, request.access


def _canonical(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "verdict": rule.verdict.value,
        "when": _spoken(rule.when, ("groups", "identities", "targets", "logins", "access")),
        "match": None if rule.match is None else sorted(map(_canonical_match, rule.match), key=json.dumps),
        "reason": rule.reason,
        "severity": rule.severity,
        "attack": rule.attack,
        "computed": rule.computed,
        "warn": rule.warn,
        "notify": rule.notify,
        "approvers": None if rule.approvers is None else _canonical_approvers(rule.approvers),
        "past_quota": rule.past_quota,
    }


def _canonical_approvers(approvers: Approvers) -> dict[str, Any]:
    return {**asdict(approvers), "groups": sorted(set(approvers.groups))}


def _canonical_mask(rule: MaskRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "when": _spoken(rule.when, ("groups", "identities", "targets", "logins", "access")),
        "detectors": sorted(rule.detectors),
        "action": [rule.action.kind.value, rule.action.first, rule.action.last],
        "files": [rule.spool, rule.unreadable],
    }


def _canonical_exception(it: MaskException) -> dict[str, Any]:
    return {
        "id": it.id,
        "when": _spoken(it.when, ("groups", "identities", "targets", "logins", "access")),
        "passes": [sorted(it.detectors), sorted(it.values), sorted(set(it.reads))],
    }


def _canonical_limit(limit: Limit) -> dict[str, Any]:
    return {
        "id": limit.id,
        "when": _spoken(limit.when, ("groups", "identities", "targets", "logins", "access")),
        "limit": [limit.measure.value, limit.at_most, limit.per.value, sorted(limit.detectors)],
        "verdict": limit.verdict.value,
        "reason": limit.reason,
        "severity": limit.severity,
        "approvers": None if limit.approvers is None else _canonical_approvers(limit.approvers),
    }


def _canonical_match(match: Match) -> dict[str, Any]:
    lists = (
        "program",
        "args_any",
        "args_all",
        "args_none",
        "reads",
        "writes",
        "contacts",
        "defines",
        "text",
        "text_none",
    )
    canonical = _spoken(match, (*lists, "flags", "operation"))
    if match.argv is not None:
        canonical["argv"] = [*(sorted(set(word)) for word in match.argv), *(["..."] if match.more else [])]
    return canonical


def _spoken(table: When | Match, fields: Iterable[str]) -> dict[str, Any]:
    """Return the lists that are given, each in one order."""
    given = {key: getattr(table, key) for key in fields}
    spoken: dict[str, Any] = {key: sorted(set(value)) for key, value in given.items() if value is not None}
    if isinstance(table, When) and table.labels is not None:
        spoken["labels"] = {key: sorted(set(patterns)) for key, patterns in table.labels.items()}
    return spoken
