"""Who may approve, as a policy file says it."""

from __future__ import annotations

import pytest

from policies.document import parse_policy
from policies.engine import Policy
from policies.errors import PolicyInvalidError
from policies.facts import Facts
from policies.model import Approvers, VerdictKind
from policies.source import Source

FACTS = Facts(statement="x", language="shell")


def policy(*rules: str) -> Policy:
    text = "\n".join(f"[[rule]]\n{rule}" for rule in rules)
    return parse_policy([Source(label="policy.toml", text=text)])


def held(approvers: str, name: str = "r") -> str:
    return f'id = "{name}"\nverdict = "approve"\napprovers = {{ {approvers} }}\n'


def problem(rule: str) -> str:
    with pytest.raises(PolicyInvalidError) as error:
        policy(rule)
    return str(error.value)


def test_approvers_have_defaults_that_let_one_other_person_answer_within_ten_minutes() -> None:
    (rule,) = policy(held('groups = "dba"')).rules
    assert rule.approvers == Approvers(
        groups=("dba",), count=1, expires_s=600, own=False, known_actor=False, for_session=False
    )


def test_approvers_are_read_as_written() -> None:
    text = 'groups = ["dba", "ci/on-call"], count = 2, expires = "90s", self = true, known_actor = true, '
    (rule,) = policy(held(text + "for_session = true")).rules
    assert rule.approvers == Approvers(
        groups=("dba", "ci/on-call"), count=2, expires_s=90, own=True, known_actor=True, for_session=True
    )


@pytest.mark.parametrize(
    ("approvers", "said"),
    [
        ("count = 1", "approvers.groups: is missing"),
        ("groups = []", "approvers.groups: got an empty list"),
        ('groups = [""]', 'got "", expected a group of persons such as "dba"'),
        ('groups = "dba", count = 0', "approvers.count: got 0"),
        ('groups = "dba", count = true', "approvers.count: got true"),
        ('groups = "dba", expires = "2d"', "expected a duration from 1s to 1d"),
        ('groups = "dba", expires = 600', "expected a duration from 1s to 1d"),
        ('groups = "dba", self = 1', "approvers.self: got 1"),
        ('groups = "dba", person = "dana"', "unknown key"),
    ],
)
def test_approvers_that_are_wrong_name_the_key(approvers: str, said: str) -> None:
    assert said in problem(held(approvers))


def test_approvers_are_for_rules_that_ask_for_approval() -> None:
    text = 'id = "r"\nverdict = "deny"\napprovers = { groups = "dba" }\n'
    assert 'approvers is set where nobody is asked, expected it with verdict = "approve" only' in problem(
        text
    )


def test_a_verdict_that_asks_for_approval_says_who_may_for_each_rule_in_their_order() -> None:
    verdict = policy(held('groups = "b"', "two"), held('groups = "a", count = 2', "one")).judge_alone(FACTS)
    assert (verdict.kind, verdict.held, verdict.allowed) == (VerdictKind.APPROVE, True, False)
    assert verdict.rules == ("one", "two")
    assert [approvers.groups for approvers in verdict.approvers] == [("a",), ("b",)]


def test_l5_one_rule_that_nobody_can_approve_keeps_all_of_them_from_it() -> None:
    verdict = policy(held('groups = "b"'), 'id = "s"\nverdict = "approve"\nreason = "no"').judge_alone(FACTS)
    assert (verdict.kind, verdict.held, verdict.approvers) == (VerdictKind.APPROVE, False, ())
    assert verdict.reason == "no (nobody can approve it: s names no approvers)"


def test_l5_deny_goes_before_approve_with_approvers() -> None:
    verdict = policy(held('groups = "b"'), 'id = "s"\nverdict = "deny"').judge_alone(FACTS)
    assert (verdict.kind, verdict.rules, verdict.held) == (VerdictKind.DENY, ("s",), False)


def test_who_may_approve_is_part_of_the_digest() -> None:
    some = [
        policy(held(text)).digest() for text in ('groups = "a"', 'groups = "b"', 'groups = "a", count = 2')
    ]
    assert len({*some, policy('id = "r"\nverdict = "approve"').digest()}) == 4
    assert policy(held('groups = ["a", "b"]')).digest() == policy(held('groups = ["b", "a"]')).digest()


def test_a_rule_that_names_nobody_may_be_given_approvers_and_one_that_does_keeps_its_own() -> None:
    made = policy('id = "s"\nverdict = "approve"', held('groups = "b"'), 'id = "a"\nverdict = "allow"')
    given = made.with_approvers(Approvers(groups=("on-call",)))
    assert [rule.approvers and rule.approvers.groups for rule in given.rules] == [("on-call",), ("b",), None]
    assert given.judge_alone(FACTS).held
    assert given.digest() != made.digest()
