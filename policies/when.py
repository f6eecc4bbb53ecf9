"""Say whether a rule's `when` speaks of a request.

In      When; Request, or the parts of one
Out     the fields that do not fit
Source  docs/configuration.md
"""

from __future__ import annotations

from collections.abc import Iterable

from policies.model import Request, When
from policies.pattern import names


def unmet(when: When, request: Request, *, whatever_access: bool = False) -> list[str]:
    """Return the fields of `when` that the request does not fit; none, and the rule speaks of it."""
    labels = request.labels
    fits = {
        "identities": _any(when.identities, (request.identity,)),
        "groups": _any(when.groups, request.groups),
        "targets": _any(when.targets, (request.target,)),
        "logins": _any(when.logins, (request.login,)),
        "access": whatever_access or when.access is None or request.access in when.access,
    }
    wrong = [field for field, does in fits.items() if not does]
    for key, patterns in (when.labels or {}).items():
        if key not in labels or not _any(patterns, (labels[key],)):
            wrong.append(f"labels.{key}")
    return wrong


def covers_who(when: When, identity: str, groups: Iterable[str]) -> bool:
    """Say whether `when` speaks of this identity with these groups."""
    return _any(when.identities, (identity,)) and _any(when.groups, groups)


def covers_where(when: When, request: Request) -> bool:
    """Say whether `when` speaks of the request's target, labels and login."""
    return not {"targets", "logins"}.intersection(wrong := unmet(when, request)) and not any(
        field.startswith("labels.") for field in wrong
    )


def _any(patterns: tuple[str, ...] | None, texts: Iterable[str]) -> bool:
    return patterns is None or any(map(names(patterns).has, texts))
