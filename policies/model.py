"""Name what is asked, what a rule says about it, and what comes out.

In      what the application knows of a session: who, where, and the kind of access
Out     values that engine.py compares; all frozen
Source  docs/configuration.md; docs/policies.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from policies.facts import Flag


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
    APPROVE = "approve"


class Severity(StrEnum):
    """How bad it is that a rule matches, from the least to the worst."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


Operation = Literal[
    "upload", "download", "list", "stat", "delete", "rename", "mkdir", "rmdir", "link", "setstat"
]

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
class Match:
    """One entry of a rule's `match`: each field lists patterns, None asks for nothing, and all must hold.

    `argv` has the alternatives of each word, and `more` says that any words may follow.
    """

    program: tuple[str, ...] | None = None
    argv: tuple[tuple[str, ...], ...] | None = None
    more: bool = False
    args_any: tuple[str, ...] | None = None
    args_all: tuple[str, ...] | None = None
    args_none: tuple[str, ...] | None = None
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None
    contacts: tuple[str, ...] | None = None
    defines: tuple[str, ...] | None = None
    flags: frozenset[Flag] | None = None
    operation: frozenset[Operation] | None = None
    text: tuple[str, ...] | None = None
    text_none: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvers:
    """Who may approve what a rule holds: `count` distinct persons, each in one of the groups, within `expires_s`.

    Never the owner of the identity nor the run's actor, unless `own`; nobody at all where the actor is no known person,
    if `known_actor`. With `for_session` an approval may hold for the same statement until the session ends.
    """

    groups: tuple[str, ...]
    count: int = 1
    expires_s: int = 600
    own: bool = False
    known_actor: bool = False
    for_session: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: the verdict it gives on what its `when` and one entry of its `match` match.

    Without `match` it speaks of every request and statement. `computed` says that a word which is known only when the
    statement runs may be what a rule that does not allow looks for; if not, it has to look like it. `past_quota` says
    what an allowed session does once it holds more than the recorder's quota of content. `place` is the file and the
    key that it was read from.
    """

    id: str
    verdict: VerdictKind
    when: When = field(default_factory=When)
    match: tuple[Match, ...] | None = None
    reason: str = ""
    severity: Severity | None = None
    attack: str | None = None
    computed: bool = True
    warn: bool = False
    notify: bool = False
    approvers: Approvers | None = None
    past_quota: PastQuota = "end"
    place: tuple[str, str] = field(default=("", ""), compare=False)

    @property
    def allows(self) -> bool:
        return self.verdict is VerdictKind.ALLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided, and the sorted ids of the rules that made it (none: no rule allows it).

    `record` is "digest-only" where a rule lets the session go on past the quota by length and digest alone. `policy` is
    the digest of the policy that was asked; `severity` is the worst of the rules', `attack` names their techniques;
    `warn` says that the bot is to be told although it is allowed, `notify` that the operator is. Without `input_stays`
    what follows the statement on its channel may be for something else than the shell, and is data.
    """

    kind: VerdictKind
    rules: tuple[str, ...]
    reason: str
    record: Record = "content"
    policy: str = field(default="", compare=False)  # two policies may decide alike
    severity: Severity | None = None
    attack: tuple[str, ...] = ()
    warn: bool = False
    notify: bool = False
    approvers: tuple[Approvers, ...] = ()
    input_stays: bool = True

    @property
    def allowed(self) -> bool:
        """Say whether the request may go on."""
        return self.kind is VerdictKind.ALLOW

    @property
    def held(self) -> bool:
        """Say whether it may go on once each of `approvers`, one for each of `rules`, is content."""
        return self.kind is VerdictKind.APPROVE and bool(self.approvers)
