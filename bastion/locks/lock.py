"""Say what is locked, by whom, why and until when, and of whom a lock can speak.

In      what a responder says
Out     Lock, Party: values, and a Lock as JSON for the audit chain and the link between processes
Source  docs/locks.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from bastion.errors import Refused
from bastion.holds.hold import Ask
from bastion.identity import resolve_owner
from bastion.principal import Principal, find_identity
from bastion.settings import Config


class Kind(StrEnum):
    """What a name in a lock is the name of."""

    IDENTITY = "identity"
    PERSON = "person"
    TARGET = "target"
    SESSION = "session"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is locked. A run is written as certificates have it: IDENTITY/RUN."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock as it was set; times are seconds since 1970. `how` is the door, `until` None where it has no end."""

    id: str
    subject: Subject
    reason: str
    by: str
    how: str
    at: float
    until: float | None

    def holds(self, now: float) -> bool:
        """Say whether it is still in force, unless it is lifted."""
        return self.until is None or now < self.until

    @property
    def public(self) -> str:
        """Return what whoever runs into it is told: not why, which is for responders."""
        return f"{self.subject} is locked by {self.by} ({self.id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Of whom a lock can speak: an identity in one of its runs, its owners; and where it is, in which session."""

    identity: str
    persons: frozenset[str]
    run: str
    target: str | None = None
    session: str | None = None

    def subjects(self) -> Iterator[tuple[Kind, str]]:
        """Yield all that a lock would have to speak of to stop it."""
        yield Kind.IDENTITY, self.identity
        yield from ((Kind.PERSON, person) for person in sorted(self.persons))
        yield Kind.RUN, self.run
        if self.target is not None:
            yield Kind.TARGET, self.target
        if self.session is not None:
            yield Kind.SESSION, self.session


class Locked(Refused):
    """What is asked for is locked."""

    code = "locked"

    def __init__(self, lock: Lock) -> None:
        super().__init__(lock.public)


def party_of(principal: Principal, target: str | None = None, session: str | None = None) -> Party:
    """Return of whom a lock can speak at a door, or on a target."""
    return Party(
        identity=principal.name,
        persons=frozenset({principal.owner}),
        run=principal.login.key_id,
        target=target,
        session=session,
    )


def party_now(party: Party, config: Config) -> Party:
    """Return the party with whoever owns the identity by this configuration (law L7: then and now)."""
    owner = owner_now(party.identity, config)
    if owner is None or owner in party.persons:
        return party
    return Party(
        identity=party.identity,
        persons=party.persons | {owner},
        run=party.run,
        target=party.target,
        session=party.session,
    )


def party_that_asks(ask: Ask, config: Config) -> Party:
    """Return of whom a lock can speak where a statement waits."""
    party = Party(
        identity=ask.identity,
        persons=frozenset({ask.owner}),
        run=ask.run,
        target=ask.target,
        session=ask.session,
    )
    return party_now(party, config)


def owner_now(identity: str, config: Config) -> str | None:
    """Return who owns an identity by this configuration."""
    found = find_identity(config, identity)
    return None if found is None else resolve_owner(found, config.persons)


def find_person(name: str, config: Config) -> str | None:
    """Return a person's name, or an owner's where no persons are declared."""
    known = {person.name for person in config.persons}
    if not config.persons:
        known = {identity.owner.strip() for identity in config.identities}
    return name if name in known else None


def lock_to_json(lock: Lock) -> dict[str, Any]:
    """Return a Lock as JSON has it."""
    subject = {"kind": lock.subject.kind.value, "name": lock.subject.name}
    return {**asdict(lock), "subject": subject}


def lock_from_json(value: Mapping[str, Any]) -> Lock:
    """Return what `lock_to_json` was given."""
    subject = Subject(kind=Kind(value["subject"]["kind"]), name=value["subject"]["name"])
    return Lock(**{**value, "subject": subject})


def lock_detail(lock: Lock) -> dict[str, Any]:
    """Return what the audit chain says of a lock; `person` is who set it, `by` their door as well."""
    session = {"session": lock.subject.name} if lock.subject.kind is Kind.SESSION else {}
    return {
        "lock": lock.id,
        "kind": lock.subject.kind.value,
        "name": lock.subject.name,
        "reason": lock.reason,
        "person": lock.by,
        "by": lock.how,
        "at": lock.at,
        "until": lock.until,
        **session,
    }


def lock_from_detail(detail: Mapping[str, Any]) -> Lock:
    """Return the lock that an entry of the audit chain speaks of; raise ValueError, TypeError or LookupError."""
    return Lock(
        id=detail["lock"],
        subject=Subject(kind=Kind(detail["kind"]), name=detail["name"]),
        reason=detail["reason"],
        by=detail["person"],
        how=detail["by"],
        at=float(detail["at"]),
        until=None if detail["until"] is None else float(detail["until"]),
    )
