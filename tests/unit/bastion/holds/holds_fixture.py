"""Holds to test with: who is who, and what is asked."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from bastion.holds.desk import Desk
from bastion.holds.eligible import Circle, Voter
from bastion.holds.hold import Ask, Hold, Terms
from bastion.identity import Person
from policies.model import Approvers

DANA, SAM, ALEX, KIM = "dana@acme.example", "sam@acme.example", "alex@acme.example", "kim@acme.example"
CIRCLE = Circle(
    persons=(
        Person(name=DANA, aliases={"ci": "dana"}),
        Person(name=SAM, aliases={"ci": "Sam", "other": "kim-o"}),
        Person(name=ALEX, aliases={"ci": "alex"}),
        Person(name=KIM, aliases={"other": "sam"}),
    ),
    owners={"deployer": DANA},
)


def terms(rule: str = "four-eyes", **approvers: Any) -> Terms:
    return Terms(rule=rule, approvers=Approvers(**{"groups": ("dba",), **approvers}))


def ask(*asked: Terms, **fields: Any) -> Ask:
    """Return what dana's deployer asks, in a run that sam has triggered."""
    usual = Ask(
        session="01SESSION",
        identity="deployer",
        run="deployer/8412",
        owner=DANA,
        claims={"issuer_name": "ci", "actor": "sam", "run_id": "8412"},
        target="web-1",
        login="deploy",
        statement="systemctl restart orders",
        facts=("runs systemctl restart orders",),
        terms=asked or (terms(),),
        reason="restarts are four-eyes",
        stated="",
        policy="d" * 64,
        binding="b" * 64,
        within_s=3600.0,
        grant="e" * 64,
    )
    return replace(usual, **fields)


def voter(person: str, *groups: str) -> Voter:
    return Voter(person=person, groups=frozenset(groups or ("dba",)), how=f"{person} over SSH")


def desk() -> Desk:
    numbers = itertools.count(1)
    return Desk(lambda: f"H-{next(numbers):04}")


def answer(
    made: Desk,
    name: str,
    who: str | Voter,
    *,
    approve: bool = True,
    reason: str = "",
    for_session: bool = False,
    now: float = 100.0,
    circle: Circle = CIRCLE,
) -> Hold:
    by = who if isinstance(who, Voter) else voter(who)
    return made.answer(name, by, circle, approve=approve, reason=reason, for_session=for_session, now=now)
