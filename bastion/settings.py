"""Hold what a configuration says, checked and converted; this is what the rest of the application reads.

In      bastion.config, which reads the file
Out     frozen values: paths absolute, durations in seconds, sizes in bytes
Source  docs/configuration.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bastion.addresses import Address
from bastion.identity import Identity, Person
from bastion.limits import Limits
from policies.engine import Policy

Durability = Literal["power", "process"]
AuthKind = Literal["certificate", "key"]
TargetKind = Literal["ssh"]
ChannelKind = Literal["apprise", "slack", "webhook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BastionSettings:
    """Where the bastion listens, keeps evidence and keys, and by which names it is known."""

    listen: tuple[Address, ...]
    data: Path
    keys: Path
    names: tuple[str, ...]
    responders: frozenset[str]
    lockers: frozenset[str]
    socket: Path | None
    workers: int

    @property
    def database(self) -> Path:
        """The evidence: one SQLite file."""
        return self.data / "recordings.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderSettings:
    """How safely the recorder writes, and how much content a session may hold."""

    durability: Durability
    quota_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """Whose tokens are taken: `url` is what `iss` must say; it is not fetched if there is a `jwks_file`."""

    name: str
    url: str
    jwks_file: Path | None
    audience: str
    one_key_per_token: bool
    groups_claim: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetAuth:
    """How the bastion logs in to a target: a certificate for each session, or the private key in `file`."""

    kind: AuthKind
    file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that can be reached; exactly one of `host_key` and `host_ca` (`TYPE BASE64`) is set."""

    name: str
    kind: TargetKind
    address: Address
    host_key: str | None
    host_ca: str | None
    logins: tuple[str, ...]
    shell: str
    labels: Mapping[str, str]
    auth: TargetAuth


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyFilter:
    """What a channel is told of: an empty tuple of patterns lets everything pass."""

    events: frozenset[str]
    approvers: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """Where people are told of holds, denials and alerts; the secrets are in the files, and nowhere else."""

    name: str
    kind: ChannelKind
    url_file: Path
    key_file: Path | None
    team: str | None
    tells: NotifyFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSettings:
    """Where answers are taken over HTTP; nowhere without `listen`."""

    listen: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One whole configuration with its policy; `warnings` are lines for the operator, none of them fatal."""

    source: Path
    bastion: BastionSettings
    recorder: RecorderSettings
    limits: Limits
    issuers: tuple[IssuerSettings, ...]
    persons: tuple[Person, ...]
    identities: tuple[Identity, ...]
    targets: tuple[Target, ...]
    channels: tuple[ChannelSettings, ...]
    answers: AnswerSettings
    policy: Policy
    policy_files: tuple[str, ...]
    warnings: tuple[str, ...]
