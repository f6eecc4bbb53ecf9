"""A hold has one life and one end; who may end it well, and what an approval is good for (T36, T37)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.holds.binding import Binder
from bastion.holds.desk import MAX_ENDED, MAX_OF_SESSION, Desk
from bastion.holds.eligible import Circle, missing
from bastion.holds.errors import AnswerRefused, CannotHold
from bastion.holds.hold import MAX_STATEMENT_BYTES, Hold, State, hold_from_json, hold_to_json
from tests.unit.bastion.holds.holds_fixture import (
    ALEX,
    CIRCLE,
    DANA,
    KIM,
    SAM,
    answer,
    ask,
    desk,
    terms,
    voter,
)


def refused(made: Desk, *args: object, **words: object) -> str:
    """Return why an answer is refused, having seen that it changed nothing."""
    before = made.waiting()
    made.take()
    with pytest.raises(AnswerRefused) as error:
        answer(made, *args, **words)  # type: ignore[arg-type]
    assert made.waiting() == before
    assert made.take() == []
    return error.value.public


def test_a_hold_is_asked_answered_and_ended_in_that_order() -> None:
    made = desk()
    hold = made.ask(ask(), 50.0)
    assert (hold.state, hold.asked_at, hold.expires_at) == (State.WAITING, 50.0, 650.0)
    ended = answer(made, hold.id, ALEX, reason="looked at it")
    assert (ended.state, ended.why) == (State.APPROVED, f"by {ALEX}: looked at it")
    assert made.waiting() == []
    assert [(event.step, event.hold.state.value) for event in made.take()] == [
        ("asked", "waiting"),
        ("answered", "waiting"),
        ("ended", "approved"),
    ]
    assert made.find(hold.id) == ended


def test_one_person_denies_for_all() -> None:
    made = desk()
    hold = made.ask(ask(terms(count=2)), 50.0)
    assert answer(made, hold.id, ALEX).waits
    ended = answer(made, hold.id, ALEX, approve=False, reason="not on a Friday")
    assert (ended.state, ended.why) == (State.DENIED, f"by {ALEX}: not on a Friday")


def test_who_owns_or_triggered_it_may_still_deny_it() -> None:
    made = desk()
    for person in (DANA, SAM):
        hold = made.ask(ask(), 50.0)
        assert answer(made, hold.id, person, approve=False, reason="mistake").state is State.DENIED


# T36: what an approval must not do.


def test_t36_an_answer_cannot_be_replayed() -> None:
    made = desk()
    hold = made.ask(ask(), 50.0)
    answer(made, hold.id, ALEX)
    assert refused(made, hold.id, KIM) == f"{hold.id} waits no more: approved by {ALEX}"
    again = made.ask(ask(), 60.0)
    assert again.waits
    assert again.id != hold.id
    assert "waits no more" in refused(made, hold.id, ALEX)


def test_t36_an_id_is_not_used_again_while_anybody_may_remember_it() -> None:
    names = iter(["H-A", "H-A", "H-A", "H-B"])
    made = Desk(lambda: next(names))
    first = made.ask(ask(), 50.0)
    answer(made, first.id, ALEX)
    assert made.ask(ask(), 60.0).id == "H-B"


def test_t36_what_is_edited_after_it_was_asked_has_another_binding() -> None:
    binder = Binder()
    usual = {
        "session": "01S",
        "target": "web-1",
        "login": "deploy",
        "policy": "d",
        "statement": b"rm -rf /srv/old",
        "facts": {"writes": ["/srv/old"]},
    }
    bound = binder.bind(**usual)  # type: ignore[arg-type]
    assert binder.same(bound, binder.bind(**usual))  # type: ignore[arg-type]
    edits = {
        "session": "01T",
        "target": "web-2",
        "login": "root",
        "policy": "e",
        "statement": b"rm -rf /srv/old ",
        "facts": {"writes": ["/srv"]},
    }
    for field, value in edits.items():
        assert not binder.same(bound, binder.bind(**{**usual, field: value})), field  # type: ignore[arg-type]
    moved = {**usual, "target": "web-1d", "login": "eploy"}
    assert not binder.same(bound, binder.bind(**moved))  # type: ignore[arg-type]
    assert not binder.same(bound, Binder().bind(**usual))  # type: ignore[arg-type]


def test_t36_an_approval_for_the_session_is_for_no_other_session_nor_statement() -> None:
    made = desk()
    asked = ask(terms(for_session=True))
    hold = made.ask(asked, 50.0)
    answer(made, hold.id, ALEX, for_session=True)
    again = made.ask(asked, 60.0)
    assert (again.state, again.why) == (State.APPROVED, f"by {ALEX}, for the rest of this session")
    assert made.ask(replace(asked, session="01OTHER"), 60.0).waits
    assert made.ask(replace(asked, binding="c" * 64), 60.0).waits
    made.forget([asked.session], "the session is over")
    assert made.ask(asked, 70.0).waits


def test_t36_an_approval_once_is_once_and_a_rule_must_allow_more() -> None:
    made = desk()
    may = ask(terms(for_session=True))
    answer(made, made.ask(may, 50.0).id, ALEX)
    assert made.ask(may, 60.0).waits
    strict = made.ask(ask(binding="c" * 64), 60.0)
    said = refused(made, strict.id, ALEX, for_session=True)
    assert said == "rule four-eyes takes no approval for the rest of a session"


def test_t36_two_persons_for_the_session_must_both_mean_it() -> None:
    made = desk()
    asked = ask(terms(count=2, for_session=True))
    hold = made.ask(asked, 50.0)
    answer(made, hold.id, ALEX, for_session=True)
    assert answer(made, hold.id, KIM).state is State.APPROVED
    assert made.ask(asked, 60.0).waits


def test_t36_the_owner_does_not_approve_unless_the_rule_says_so() -> None:
    made = desk()
    hold = made.ask(ask(), 50.0)
    assert refused(made, hold.id, DANA) == f"{DANA} owns deployer, and nobody approves what they own"
    own = made.ask(ask(terms(own=True)), 50.0)
    assert answer(made, own.id, DANA).state is State.APPROVED


def test_t36_who_has_become_the_owner_does_not_approve_either() -> None:
    made = desk()
    hold = made.ask(ask(), 50.0)
    moved = replace(CIRCLE, owners={"deployer": ALEX})
    assert "owns deployer" in refused(made, hold.id, ALEX, circle=moved)
    assert "owns deployer" in refused(made, hold.id, DANA, circle=moved)


@pytest.mark.parametrize("actor", ["sam", "Sam", "SAM"])
def test_t36_the_actor_does_not_approve_by_the_issuers_name_for_them(actor: str) -> None:
    made = desk()
    hold = made.ask(ask(claims={"issuer_name": "ci", "actor": actor}), 50.0)
    assert refused(made, hold.id, SAM) == f"{SAM} triggered this run, and nobody approves what they triggered"
    assert answer(made, hold.id, KIM).state is State.APPROVED, "kim is called sam at another issuer"


def test_t36_an_unknown_actor_refuses_nobody_or_all_if_the_rule_wants_to_know_them() -> None:
    made = desk()
    mallory = {"issuer_name": "ci", "actor": "mallory"}
    assert answer(made, made.ask(ask(claims=mallory), 50.0).id, ALEX).state is State.APPROVED
    for claims, who in ((mallory, "mallory, who triggered this run,"), ({}, "whoever triggered this run")):
        strict = made.ask(ask(terms(known_actor=True), claims=claims), 50.0)
        said = refused(made, strict.id, ALEX)
        assert said == f"{who} is no declared person, and rule four-eyes asks for one"
    known = made.ask(ask(terms(known_actor=True)), 50.0)
    assert answer(made, known.id, ALEX).state is State.APPROVED


def test_t36_one_person_counts_once_whatever_door_they_come_by() -> None:
    made = desk()
    hold = made.ask(ask(terms(count=2)), 50.0)
    assert answer(made, hold.id, ALEX).waits
    said = refused(made, hold.id, replace(voter(ALEX), how="alex (uid 1000) on the bastion itself"))
    assert said == f"{ALEX} has approved {hold.id} already; it waits for 1 more of other persons"
    assert answer(made, hold.id, KIM).state is State.APPROVED


def test_t36_a_person_who_is_gone_when_the_second_answers_does_not_count_any_more() -> None:
    made = desk()
    hold = made.ask(ask(terms(count=2)), 50.0)
    answer(made, hold.id, ALEX)
    without = Circle(persons=tuple(p for p in CIRCLE.persons if p.name != ALEX), owners=CIRCLE.owners)
    assert answer(made, hold.id, KIM, circle=without).waits


def test_t36_too_late_is_expired_even_if_no_timer_has_rung() -> None:
    made = desk()
    hold = made.ask(ask(terms(expires_s=60)), 50.0)
    with pytest.raises(AnswerRefused, match="waits no more: expired"):
        answer(made, hold.id, ALEX, now=110.0)
    assert [event.hold.state for event in made.take()] == [State.WAITING, State.EXPIRED]


def test_a_hold_never_waits_longer_than_its_session_may_last() -> None:
    assert desk().ask(ask(within_s=5.0), 50.0).expires_at == 55.0


def test_each_rule_asks_for_its_own_people() -> None:
    made = desk()
    hold = made.ask(ask(terms("dba-looks"), terms("security-looks", groups=("security",))), 50.0)
    assert answer(made, hold.id, voter(ALEX, "dba")).waits
    assert answer(made, hold.id, voter(KIM, "security")).state is State.APPROVED
    both = made.ask(ask(terms("dba-looks"), terms("security-looks", groups=("security",))), 50.0)
    assert answer(made, both.id, voter(ALEX, "dba", "security")).state is State.APPROVED


def test_t44_who_is_in_no_group_of_a_hold_is_not_told_whether_it_is_there() -> None:
    made = desk()
    hold = made.ask(ask(), 50.0)
    said = {refused(made, name, voter(ALEX, "web")).replace(name, "ID") for name in (hold.id, "H-ZZZZ")}
    assert said == {f"there is no hold ID that {ALEX} may see"}


@pytest.mark.parametrize("typed", ["h-0001", "0001", "H-0001"])
def test_an_id_is_found_as_people_type_it(typed: str) -> None:
    made = desk()
    made.ask(ask(), 50.0)
    assert answer(made, typed, ALEX).state is State.APPROVED


# The other ends, and bounds.


def test_t37_each_other_end_is_an_end() -> None:
    made = desk()
    ends = {
        State.WITHDRAWN: lambda hold: made.withdraw(hold.id, "the bot is gone"),
        State.CANCELLED: lambda hold: made.cancel(hold.id, "the policy now denies it"),
    }
    for state, end in ends.items():
        hold = made.ask(ask(), 50.0)
        ended = end(hold)
        assert ended is not None
        assert ended.state is state
        assert end(hold) is None
        assert "waits no more" in refused(made, hold.id, ALEX)
    other = made.ask(ask(session="01OTHER"), 50.0)
    mine = made.ask(ask(), 50.0)
    made.forget([mine.ask.session], "the session is over")
    assert made.waiting() == [other]


def test_what_is_too_long_for_anybody_to_judge_is_not_held() -> None:
    with pytest.raises(CannotHold, match="nobody can judge more than 8192"):
        desk().ask(ask(statement="x" * (MAX_STATEMENT_BYTES + 1)), 50.0)
    assert desk().ask(ask(statement="x" * MAX_STATEMENT_BYTES), 50.0).waits


def test_t20_one_session_has_so_many_statements_waiting_and_others_their_own() -> None:
    made = desk()
    for _ in range(MAX_OF_SESSION):
        made.ask(ask(), 50.0)
    with pytest.raises(CannotHold, match="64 statements of this session wait for an approval already"):
        made.ask(ask(), 50.0)
    assert made.ask(ask(session="01OTHER"), 50.0).waits


def test_what_has_ended_is_forgotten_in_time() -> None:
    made = desk()
    for _ in range(MAX_ENDED + 5):
        made.cancel(made.ask(ask(), 50.0).id, "over")
        made.take()
    assert made.find("H-0005") is None
    assert made.find("H-0006") is not None


def test_a_hold_survives_the_way_to_another_process() -> None:
    made = desk()
    hold = made.ask(ask(terms(count=2, for_session=True), statement="x\udcff\u202e"), 50.0)
    answered = answer(made, hold.id, ALEX, reason="r")
    assert hold_from_json(hold_to_json(answered)) == answered


PEOPLE = st.sampled_from([DANA, SAM, ALEX, KIM])
ACTS = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("approve"), st.integers(1, 6), PEOPLE),
    st.tuples(st.just("deny"), st.integers(1, 6), PEOPLE),
    st.tuples(st.just("withdraw"), st.integers(1, 6), st.none()),
    st.tuples(st.just("expire"), st.integers(0, 700), st.none()),
)


@given(st.lists(ACTS, max_size=25))
def test_t36_whatever_happens_an_approval_has_its_distinct_persons_and_an_end_stays(
    acts: list[tuple[str, int, object]],
) -> None:
    made, ends, now = desk(), dict[str, Hold](), 50.0
    for act, number, more in acts:
        name = f"H-{number:04}"
        try:
            match act:
                case "ask":
                    made.ask(ask(terms(count=number + 1, own=bool(more))), now)
                case "withdraw":
                    made.withdraw(name, "gone")
                case "expire":
                    now += number
                    made.expire(now)
                case _:
                    answer(made, name, str(more), approve=act == "approve", now=now)
        except (AnswerRefused, CannotHold):
            pass
        for event in made.take():
            hold = event.hold
            assert hold.id not in ends, "nothing happens to what has ended"
            if not hold.waits:
                ends[hold.id] = hold
            if hold.state is State.APPROVED:
                approvers = hold.ask.terms[0].approvers
                persons = {one.person for one in hold.approvals()}
                assert len(persons) >= approvers.count
                assert missing(hold, CIRCLE) <= 0
                assert approvers.own or not persons & {DANA, SAM}
                assert all(one.at < hold.expires_at for one in hold.answers)
        assert all(hold.id not in ends for hold in made.waiting())
