"""Decide a request by all rules at once: deny, then allow, then deny by default.

In      Request
Out     Verdict, with the sorted ids of the rules that made it; the order of rules never matters
Holds   nothing between calls
Source  docs/security.md, laws L4 and L5
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from policies.model import Request, Rule, Verdict, VerdictKind, When
from policies.pattern import matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A set of rules; their ids are unique, and with none of them everything is denied."""

    rules: tuple[Rule, ...] = ()

    def decide(self, request: Request) -> Verdict:
        """Return the verdict on one request in a session; a request of no known access is denied (L4)."""
        if request.access is None:
            return _denied((), "the kind of access is not known")
        deny, allow = self._matching(
            request, lambda when: when.access is None or request.access in when.access
        )
        asked = f"{request.access.value} on {request.target} as {request.login}"
        return _verdict(deny, allow, asked)

    def may_open(self, request: Request) -> Verdict:
        """Return whether a session may open: some rule allows who and where, whatever the access.

        A deny that speaks of some kinds of access only does not keep the session shut; it is applied to each
        request in the session, by `decide`.
        """
        deny, allow = self._matching(request, lambda when: True)
        asked = f"a session on {request.target} as {request.login}"
        return _verdict([rule for rule in deny if rule.when.access is None], allow, asked)

    def digest(self) -> str:
        """Return the SHA-256, in hex, of the rules in canonical form: one for any order of the same rules."""
        rules = sorted((_canonical(rule) for rule in self.rules), key=lambda rule: str(rule["id"]))
        text = json.dumps(rules, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _matching(
        self, request: Request, access_fits: Callable[[When], bool]
    ) -> tuple[list[Rule], list[Rule]]:
        """Return the rules that deny and those that allow, of those that match."""
        matching = [
            rule
            for rule in self.rules
            if access_fits(rule.when)
            and covers_who(rule.when, request.identity, request.groups)
            and covers_where(rule.when, request)
        ]
        return (
            [rule for rule in matching if rule.verdict is VerdictKind.DENY],
            [rule for rule in matching if rule.verdict is VerdictKind.ALLOW],
        )


def covers_who(when: When, identity: str, groups: Iterable[str]) -> bool:
    """Say whether `when` speaks of this identity with these groups."""
    return _any(when.identities, (identity,)) and _any(when.groups, groups)


def covers_where(when: When, request: Request) -> bool:
    """Say whether `when` speaks of the request's target, labels and login."""
    return (
        _any(when.targets, (request.target,))
        and _any(when.logins, (request.login,))
        and all(
            key in request.labels and _any(patterns, (request.labels[key],))
            for key, patterns in (when.labels or {}).items()
        )
    )


def _any(patterns: tuple[str, ...] | None, texts: Iterable[str]) -> bool:
    return patterns is None or any(matches(pattern, text) for text in texts for pattern in patterns)


def _verdict(deny: list[Rule], allow: list[Rule], asked: str) -> Verdict:
    if deny:
        return _denied(_ids(deny), _reasons(deny) or f"a rule denies {asked}")
    if not allow:
        return _denied((), f"no rule allows {asked}")
    past_quota = any(rule.past_quota == "digest-only" for rule in allow)
    return Verdict(
        kind=VerdictKind.ALLOW,
        rules=_ids(allow),
        reason=_reasons(allow) or f"a rule allows {asked}",
        record="digest-only" if past_quota else "content",
    )


def _denied(rules: tuple[str, ...], reason: str) -> Verdict:
    return Verdict(kind=VerdictKind.DENY, rules=rules, reason=reason)


def _ids(rules: list[Rule]) -> tuple[str, ...]:
    return tuple(sorted(rule.id for rule in rules))


def _reasons(rules: list[Rule]) -> str:
    """Return what the rules say for themselves, in the order of their ids, each text once."""
    ordered = sorted(rules, key=lambda rule: rule.id)
    return "; ".join(dict.fromkeys(rule.reason for rule in ordered if rule.reason))


def _canonical(rule: Rule) -> dict[str, Any]:
    when = rule.when
    fields: dict[str, Any] = {
        "groups": when.groups,
        "identities": when.identities,
        "targets": when.targets,
        "logins": when.logins,
        "access": when.access,
    }
    spoken: dict[str, Any] = {key: sorted(set(value)) for key, value in fields.items() if value is not None}
    if when.labels is not None:
        spoken["labels"] = {key: sorted(set(patterns)) for key, patterns in when.labels.items()}
    return {
        "id": rule.id,
        "verdict": rule.verdict.value,
        "when": spoken,
        "reason": rule.reason,
        "past_quota": rule.past_quota,
    }
