"""Decide who may answer a hold: in the rule's groups, and neither the owner of the identity nor who triggered the run.

In      a hold; who wants to answer; the persons as they are declared now
Out     None, or why not
Source  docs/approvals.md, Who may answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bastion.holds.hold import Ask, Hold, Terms
from bastion.identity import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Voter:
    """A person at the door, with the groups that they have now."""

    person: str
    groups: frozenset[str]
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """Who is declared now; `owners` has the owner of each identity, None where nobody is. `locked` do not count."""

    persons: Sequence[Person]
    owners: Mapping[str, str | None]
    locked: frozenset[str] = frozenset()

    def knows(self, person: str) -> bool:
        """Say whether somebody is declared, and not locked."""
        return person not in self.locked and any(one.name == person for one in self.persons)

    def actors(self, ask: Ask) -> frozenset[str]:
        """Return the persons that triggered the run, by the name that its issuer has for them.

        Issuers differ in whether the case of a user name counts; here it never does, which refuses one more at most.
        """
        issuer, actor = ask.claims.get("issuer_name"), ask.claims.get("actor", "").casefold()
        return frozenset(
            person.name
            for person in self.persons
            if actor and issuer is not None and person.aliases.get(issuer, "").casefold() == actor
        )


def may_see(ask: Ask, groups: frozenset[str]) -> bool:
    """Say whether somebody with these groups may see a hold: they are in a group of one of its rules."""
    return bool(groups & ask.groups)


def objection(ask: Ask, terms: Terms, voter: Voter, circle: Circle) -> str | None:
    """Return why this person's approval does not count for this rule, None if it does."""
    approvers = terms.approvers
    if not voter.groups & set(approvers.groups):
        return f"rule {terms.rule} takes a group among {', '.join(sorted(approvers.groups))}"
    actors = circle.actors(ask)
    if approvers.known_actor and not actors:
        actor = ask.claims.get("actor")
        who = f"{actor}, who triggered this run," if actor else "whoever triggered this run"
        return f"{who} is no declared person, and rule {terms.rule} asks for one"
    if approvers.own:
        return None
    if voter.person in (ask.owner, circle.owners.get(ask.identity)):
        return f"{voter.person} owns {ask.identity}, and nobody approves what they own"
    if voter.person in actors:
        return f"{voter.person} triggered this run, and nobody approves what they triggered"
    return None


def missing(hold: Hold, circle: Circle) -> int:
    """Return how many more persons must approve: of each rule's count, those whose approval still counts."""
    most = 0
    for terms in hold.ask.terms:
        persons = {
            answer.person
            for answer in hold.approvals()
            if circle.knows(answer.person)
            and objection(
                hold.ask,
                terms,
                Voter(person=answer.person, groups=frozenset(answer.groups), how=answer.how),
                circle,
            )
            is None
        }
        most = max(most, terms.approvers.count - len(persons))
    return most
