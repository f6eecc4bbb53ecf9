"""Say which person is at the door, by what a certificate or the system's own word for a peer has proven.

In      Caller; the configuration in force, at each request anew
Out     Voter; Circle
Errors  AnswerRefused: nobody that is declared
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bastion.holds.eligible import Circle, Voter
from bastion.holds.errors import AnswerRefused
from bastion.identity import Person, resolve_owner
from bastion.settings import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever asks: by a certificate, which has an `identity` and `groups`, or on this machine, with a `uid`.

    Where a signature says which person it is, `person` names them.

    `how` is for the record. `reads` says that they may read all evidence, and so all holds.
    """

    how: str
    identity: str | None = None
    groups: tuple[str, ...] = ()
    uid: int | None = None
    person: str | None = None
    reads: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Caller:
        """Return what `to_json` came from."""
        return cls(**{**value, "groups": tuple(value["groups"])})


def person_of(caller: Caller, config: Config) -> Person | None:
    """Return the declared person that the caller is."""
    for person in config.persons:
        if caller.person is not None and caller.person == person.name:
            return person
        if caller.identity is not None and caller.identity in person.identities:
            return person
        if caller.uid is not None and caller.uid == person.uid:
            return person
    return None


def voter_of(caller: Caller, config: Config) -> Voter:
    """Return who answers, with the groups of the person and of the certificate; raise AnswerRefused."""
    person = person_of(caller, config)
    if person is None:
        who = f"identity {caller.identity}" if caller.identity is not None else f"uid {caller.uid}"
        who = who if caller.person is None else caller.person
        raise AnswerRefused(f"{who} is no declared person's own, so it can approve and deny nothing")
    groups = frozenset(person.groups) | frozenset(caller.groups)
    return Voter(person=person.name, groups=groups, how=caller.how)


def circle_of(config: Config) -> Circle:
    """Return who is declared."""
    owners = {one.name: resolve_owner(one, config.persons) for one in config.identities}
    return Circle(persons=config.persons, owners=owners)
