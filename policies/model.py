"""Name what is asked, what a rule says about it, and what comes out.

In      what the application knows of a session: who, where, and the kind of access
Out     values that engine.py compares; all frozen
Source  docs/configuration.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Access(StrEnum):
    """How a target is used; `raw` is a terminal that is recorded and not filtered."""

    EXEC = "exec"
    SHELL = "shell"
    SFTP = "sftp"
    RAW = "raw"


class VerdictKind(StrEnum):
    """What becomes of a request."""

    ALLOW = "allow"
    DENY = "deny"


PastQuota = Literal["end", "digest-only"]
Record = Literal["content", "digest-only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked: by whom (identity, groups), where (target, labels, login), and how (access).

    `access` is None only while a session is being opened, when nothing has been asked in it yet.
    """

    identity: str
    groups: frozenset[str]
    target: str
    labels: Mapping[str, str]
    login: str
    access: Access | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What a rule speaks of: each field lists patterns, None matches anything, and all fields must match.

    Patterns are as in pattern.py. `groups` matches if any group of the identity does; `labels` if every key
    named here is on the target with one of its values.
    """

    groups: tuple[str, ...] | None = None
    identities: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    labels: Mapping[str, tuple[str, ...]] | None = None
    logins: tuple[str, ...] | None = None
    access: frozenset[Access] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: the verdict it gives on what its `when` matches.

    `past_quota` says what an allowed session does once it holds more than the recorder's quota of content.
    """

    id: str
    verdict: VerdictKind
    when: When = field(default_factory=When)
    reason: str = ""
    past_quota: PastQuota = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided, and the sorted ids of the rules that made it (none: no rule allows it).

    `record` is "digest-only" where a rule lets the session go on past the quota by length and digest alone.
    """

    kind: VerdictKind
    rules: tuple[str, ...]
    reason: str
    record: Record = "content"

    @property
    def allowed(self) -> bool:
        """Say whether the request may go on."""
        return self.kind is VerdictKind.ALLOW
