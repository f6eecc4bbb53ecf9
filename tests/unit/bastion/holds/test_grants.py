"""What was asked ahead and approved lets one statement of its run go, once, while nothing has changed (T36, T37)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bastion.holds.desk import MAX_AHEAD_OF_RUN, Desk
from bastion.holds.errors import CannotHold
from bastion.holds.hold import Ask, Hold, State, hold_from_json, hold_to_json
from bastion.holds.office import Office
from bastion.locks.book import Book
from bastion.locks.lock import Kind
from bastion.settings import Config
from tests.unit.bastion.holds.holds_fixture import ALEX, KIM, answer, ask, desk, terms
from tests.unit.bastion.holds.test_office import CONFIG, Chain, approve, caller
from tests.unit.bastion.locks.locks_fixture import lock

GOOD_UNTIL = 900.0


def ahead(*asked: Any, **fields: Any) -> Ask:
    return ask(*asked, **{"session": "", "good_until": GOOD_UNTIL, **fields})


def granted(made: Desk, asked: Ask | None = None) -> Hold:
    hold = made.ask(asked or ahead(), 50.0)
    return answer(made, hold.id, ALEX, reason="looked at it")


def test_t36_a_grant_lets_one_statement_go_and_no_second() -> None:
    made = desk()
    grant = granted(made)
    assert (grant.state, grant.spent) == (State.APPROVED, "")
    made.take()
    used = made.ask(ask(), 60.0)
    assert (used.state, used.grant) == (State.APPROVED, grant.id)
    assert used.why == f"by {ALEX}: looked at it (asked ahead as {grant.id})"
    assert [(event.step, event.hold.id) for event in made.take()] == [
        ("asked", used.id),
        ("spent", grant.id),
        ("ended", used.id),
    ]
    known = made.find(grant.id)
    assert known is not None
    assert known.spent == "used in session 01SESSION"
    assert made.ask(ask(), 60.0).waits
    assert hold_from_json(hold_to_json(known)) == known


@pytest.mark.parametrize(
    "fields",
    [
        {"run": "deployer/9999"},
        {"grant": "f" * 64},
        {"grant": ""},
        {"terms": (terms("other-rule"),)},
        {"terms": (terms(count=2),)},
    ],
)
def test_t36_a_grant_is_for_no_other_run_statement_or_rule(fields: dict[str, Any]) -> None:
    made = desk()
    granted(made)
    assert made.ask(ask(**fields), 60.0).waits
    assert made.ask(ask(), 60.0).state is State.APPROVED


def test_t36_one_who_asks_ahead_again_is_asked_again() -> None:
    made = desk()
    granted(made)
    assert made.ask(ahead(), 60.0).waits, "a grant is for a session and not for another grant"


def test_t36_a_grant_that_nobody_uses_in_time_is_none() -> None:
    made = desk()
    grant = granted(made)
    assert made.next_expiry() == GOOD_UNTIL
    assert made.ask(ask(), GOOD_UNTIL).waits, "even if no timer has rung"
    known = made.find(grant.id)
    assert known is not None
    assert known.spent == "expired: nothing has used it in time"


def test_t36_what_is_asked_ahead_has_no_session_to_be_approved_for() -> None:
    made = desk()
    hold = made.ask(ahead(terms(for_session=True)), 50.0)
    assert not hold.ask.for_session


def test_t37_what_is_revoked_is_no_grant_any_more() -> None:
    made = desk()
    grant, waiting = granted(made), made.ask(ahead(binding="c" * 64), 50.0)
    other = made.ask(ask(session="01OTHER", grant="f" * 64), 50.0)
    made.revoke(lambda _hold: "the policy has changed: ask again")
    assert made.waiting() == [other], "who waits in a session is told by it"
    assert made.ask(ask(), 60.0).waits
    known, ended = made.find(grant.id), made.find(waiting.id)
    assert known is not None
    assert ended is not None
    assert known.spent == "revoked: the policy has changed: ask again"
    assert (ended.state, ended.why) == (State.CANCELLED, "the policy has changed: ask again")


def test_t20_one_run_asks_for_so_much_ahead_at_once() -> None:
    made = desk()
    for number in range(MAX_AHEAD_OF_RUN):
        hold = made.ask(ahead(grant=f"{number:064}"), 50.0)
        if number % 2:
            answer(made, hold.id, ALEX)
    with pytest.raises(CannotHold, match="32 statements of this run wait for an approval already"):
        made.ask(ahead(), 50.0)
    assert made.ask(ahead(run="deployer/9999"), 50.0).waits


def config(digest: str = "d" * 64, *identities: str) -> Config:
    policy = SimpleNamespace(digest=lambda: digest)
    known = tuple(SimpleNamespace(name=name, owner="dana@acme.example") for name in identities)
    return cast(Config, SimpleNamespace(persons=CONFIG.persons, identities=known, policy=policy))


async def given(office: Office) -> Hold:
    hold = await office.put(ahead())
    return await approve(office, "alex", hold.id)


@pytest.mark.parametrize(
    ("changed", "spent"),
    [
        (config("d" * 64, "deployer"), ""),
        (config("e" * 64, "deployer"), "revoked: the policy has changed: ask again"),
        (config("d" * 64), "revoked: identity deployer was removed"),
    ],
)
async def test_t37_a_reload_revokes_what_was_asked_under_another_policy(changed: Config, spent: str) -> None:
    office = Office(Chain(), CONFIG, lambda: 100.0)
    grant = await given(office)
    office.adopt(changed)
    await office.looked(caller("alex"), "approvals")
    used = await office.put(ask())
    assert used.waits == bool(spent)
    known = office.published.find(grant.id)
    assert known is not None
    assert known.spent == (spent or "used in session 01SESSION")


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Kind.IDENTITY, "deployer"), (Kind.RUN, "deployer/8412"), (Kind.PERSON, ALEX)],
)
async def test_t37_a_lock_revokes_grants_also_those_that_a_locked_person_gave(kind: Kind, name: str) -> None:
    book = Book(lambda: 100.0)
    office = Office(chain := Chain(), CONFIG, lambda: 100.0, book)
    grant = await given(office)
    book.add(made := lock(kind, name))
    await office.enforce(made)
    book.remove(made.id, "lifted")
    assert (await office.put(ask())).waits, "a lock that is lifted brings no grant back"
    known = office.published.find(grant.id)
    assert known is not None
    assert known.spent == f"revoked: {made.public}"
    assert chain.kinds.count("grant.spent") == 1


async def test_l1_the_use_of_a_grant_is_on_the_chain_before_the_session_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(chain := Chain(), CONFIG, lambda: 100.0)
    await given(office)
    used = await office.put(ask())
    assert used.state is State.APPROVED
    assert chain.kinds == [
        *("hold.asked", "hold.answered", "hold.ended"),
        *("hold.asked", "grant.spent", "hold.ended"),
    ]


async def test_l2_a_use_that_cannot_be_recorded_lets_nothing_go() -> None:
    office = Office(chain := Chain(), CONFIG, lambda: 100.0)
    await given(office)
    chain.fails = True
    with pytest.raises(Exception, match="disk full"):
        await office.put(ask())
    chain.fails = False
    assert (await office.put(ask())).waits, "nor is it there for a second try"


async def test_t36_two_persons_are_two_persons_for_a_grant_as_well() -> None:
    office = Office(Chain(), CONFIG, lambda: 100.0)
    hold = await office.put(ahead(terms(count=2)))
    assert (await approve(office, "alex", hold.id)).waits
    assert (await approve(office, "kim", hold.id)).state is State.APPROVED
    used = await office.put(ask(terms(count=2)))
    assert used.why == f"by {ALEX} and {KIM} (asked ahead as {hold.id})"


def test_a_hold_that_waits_in_a_session_gives_no_grant() -> None:
    made = desk()
    answer(made, made.ask(ask(), 50.0).id, ALEX)
    assert made.ask(replace(ask(), session="01OTHER"), 60.0).waits
