"""Decisions: laws L4 and L5 as properties, and the meaning of each field of `when`."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine import Policy
from policies.model import Access, Match, Request, Rule, VerdictKind, When

ALLOW, DENY = VerdictKind.ALLOW, VerdictKind.DENY

REQUEST = Request(
    identity="orders-deployer",
    groups=frozenset({"ci", "github/dba"}),
    target="web-1",
    labels={"env": "prod", "zone": "eu"},
    login="deploy",
    access=Access.EXEC,
)


def rule(name: str, verdict: VerdictKind = ALLOW, **when: Any) -> Rule:
    return Rule(id=name, verdict=verdict, when=When(**when))


def patterns(*names: str) -> st.SearchStrategy[tuple[str, ...] | None]:
    return st.none() | st.lists(st.sampled_from([*names, "glob:*"]), min_size=1, max_size=2).map(tuple)


whens = st.builds(
    When,
    groups=patterns("ci", "dba"),
    identities=patterns("orders-deployer", "other"),
    targets=patterns("web-1", "glob:db-*"),
    labels=st.none() | st.just({"env": ("prod",)}) | st.just({"env": ("dev", "test")}),
    logins=patterns("deploy", "root"),
    access=st.none() | st.frozensets(st.sampled_from(Access), min_size=1),
)
rule_lists = st.lists(
    st.builds(
        Rule,
        id=st.text("abcdef", min_size=1, max_size=6),
        verdict=st.sampled_from(VerdictKind),
        when=whens,
        reason=st.sampled_from(["", "because", "so there"]),
        past_quota=st.sampled_from(["end", "digest-only"]),
    ),
    max_size=8,
    unique_by=lambda each: each.id,
)
requests = st.builds(
    Request,
    identity=st.sampled_from(["orders-deployer", "other"]),
    groups=st.frozensets(st.sampled_from(["ci", "dba", "web"])),
    target=st.sampled_from(["web-1", "db-1"]),
    labels=st.sampled_from([{}, {"env": "prod"}, {"env": "dev", "zone": "eu"}]),
    login=st.sampled_from(["deploy", "root"]),
    access=st.sampled_from(Access),
)


@given(rules=rule_lists, request_=requests, data=st.data())
def test_l5_order_of_rules_never_matters(rules: list[Rule], request_: Request, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rules))
    one, other = Policy(rules=tuple(rules)), Policy(rules=tuple(shuffled))
    assert one.decide(request_) == other.decide(request_)
    assert one.may_open(request_) == other.may_open(request_)
    assert one.digest() == other.digest()


@given(rules=rule_lists, extra=rule_lists, request_=requests)
def test_l5_adding_a_deny_never_widens(rules: list[Rule], extra: list[Rule], request_: Request) -> None:
    denies = tuple(replace(each, id=f"extra-{each.id}", verdict=DENY) for each in extra)
    before, after = Policy(rules=tuple(rules)), Policy(rules=(*rules, *denies))
    assert before.decide(request_).allowed or not after.decide(request_).allowed
    assert before.may_open(request_).allowed or not after.may_open(request_).allowed


@given(rules=rule_lists, request_=requests)
def test_l5_deny_wins_whatever_else_allows(rules: list[Rule], request_: Request) -> None:
    verdict = Policy(rules=(*rules, rule("zz-deny", DENY))).decide(request_)
    assert verdict.kind is DENY
    assert "zz-deny" in verdict.rules


@given(request_=requests)
def test_l5_empty_policy_denies_everything(request_: Request) -> None:
    for verdict in (Policy().decide(request_), Policy().may_open(request_)):
        assert (verdict.kind, verdict.rules) == (DENY, ())
        assert request_.target in verdict.reason


@given(rules=rule_lists, request_=requests)
def test_l5_verdict_names_the_rules_that_made_it(rules: list[Rule], request_: Request) -> None:
    verdict = Policy(rules=tuple(rules)).decide(request_)
    made = [each for each in rules if each.id in verdict.rules]
    assert list(verdict.rules) == sorted(each.id for each in made)
    assert all(each.verdict is verdict.kind for each in made)
    assert made or verdict.kind is DENY
    if made:  # they suffice to make it again
        assert Policy(rules=tuple(made)).decide(request_) == verdict


@given(rules=rule_lists, request_=requests)
def test_l4_request_of_unknown_access_is_denied(rules: list[Rule], request_: Request) -> None:
    verdict = Policy(rules=(*rules, rule("zz-allow-all"))).decide(replace(request_, access=None))
    assert verdict.kind is DENY


@given(rules=rule_lists, request_=requests)
def test_request_that_is_allowed_could_open_its_session(rules: list[Rule], request_: Request) -> None:
    policy = Policy(rules=tuple(rules))
    if policy.decide(request_).allowed:
        assert policy.may_open(replace(request_, access=None)).allowed


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, True),
        ({"groups": ("ci",)}, True),
        ({"groups": ("nobody", "ci")}, True),
        ({"groups": ("dba",)}, False),
        ({"groups": ("glob:github/*",)}, True),
        ({"groups": ()}, False),
        ({"identities": ("orders-deployer",)}, True),
        ({"identities": ("orders",)}, False),
        ({"targets": ("glob:web-*",)}, True),
        ({"targets": ("web-*",)}, False),
        ({"logins": ("root", "deploy")}, True),
        ({"logins": ("root",)}, False),
        ({"access": frozenset({Access.EXEC, Access.SFTP})}, True),
        ({"access": frozenset({Access.RAW})}, False),
        ({"labels": {"env": ("prod",)}}, True),
        ({"labels": {"env": ("dev", "prod")}}, True),
        ({"labels": {"env": ("prod",), "zone": ("us",)}}, False),
        ({"labels": {"owner": ("glob:*",)}}, False),
        ({"groups": ("ci",), "logins": ("root",)}, False),
    ],
)
def test_when_needs_every_field_and_one_value_in_each(when: dict[str, Any], expected: bool) -> None:
    assert Policy(rules=(rule("r", **when),)).decide(REQUEST).allowed is expected


def test_l5_deny_verdict_names_all_denying_rules_sorted_and_their_reasons() -> None:
    policy = Policy(
        rules=(
            Rule(id="b", verdict=DENY, reason="second"),
            Rule(id="c", verdict=DENY, reason="first"),
            Rule(id="a", verdict=DENY, reason="first"),
            Rule(id="d", verdict=ALLOW, reason="no matter"),
        )
    )
    verdict = policy.decide(REQUEST)
    assert verdict.rules == ("a", "b", "c")
    assert verdict.reason == "first; second"


def test_default_deny_says_what_was_asked() -> None:
    assert Policy().decide(REQUEST).reason == "no rule allows exec on web-1 as deploy"


def test_session_opens_on_an_allow_of_any_access_and_each_request_is_then_judged() -> None:
    policy = Policy(rules=(rule("exec-only", access=frozenset({Access.EXEC})),))
    assert policy.may_open(replace(REQUEST, access=None)).rules == ("exec-only",)
    assert policy.decide(REQUEST).allowed
    assert not policy.decide(replace(REQUEST, access=Access.SFTP)).allowed


def test_session_stays_open_under_a_deny_of_some_access_but_not_under_a_deny_of_all() -> None:
    some = rule("no-raw", DENY, access=frozenset({Access.RAW}))
    every = rule("frozen", DENY, targets=("web-1",))
    opening = replace(REQUEST, access=None)
    assert Policy(rules=(rule("all"), some)).may_open(opening).allowed
    verdict = Policy(rules=(rule("all"), some, every)).may_open(opening)
    assert (verdict.kind, verdict.rules) == (DENY, ("frozen",))


def test_any_allowing_rule_may_grant_digest_only_past_the_quota() -> None:
    grant = Rule(id="bulk", verdict=ALLOW, past_quota="digest-only")
    assert Policy(rules=(rule("plain"),)).decide(REQUEST).record == "content"
    assert Policy(rules=(rule("plain"), grant)).decide(REQUEST).record == "digest-only"
    assert Policy(rules=(grant, rule("no", DENY))).decide(REQUEST).record == "content"


def test_digest_changes_with_any_part_of_a_rule_but_not_with_the_order_of_lists() -> None:
    plain = rule("r", groups=("a", "b"))
    others = [
        replace(plain, id="s"),
        replace(plain, verdict=DENY),
        replace(plain, reason="x"),
        replace(plain, past_quota="digest-only"),
        replace(plain, severity="low"),
        replace(plain, attack="T1105"),
        replace(plain, computed=False),
        replace(plain, warn=True),
        replace(plain, notify=True),
        replace(plain, match=(Match(program=("x",)),)),
        replace(plain, match=(Match(argv=(("x",),)),)),
        replace(plain, match=(Match(argv=(("x",),), more=True),)),
        rule("r", groups=("a",)),
        rule("r", identities=("a", "b")),
        rule("r", groups=("a", "b"), labels={"env": ("a",)}),
        rule("r", groups=("a", "b"), access=frozenset({Access.RAW})),
    ]
    digests = {Policy(rules=(each,)).digest() for each in (plain, *others)}
    assert len(digests) == len(others) + 1
    assert Policy(rules=(rule("r", groups=("b", "a")),)).digest() == Policy(rules=(plain,)).digest()
