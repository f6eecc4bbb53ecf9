"""[[limit]] tables are read strictly, and say what is counted, over what, and what becomes of more."""

from __future__ import annotations

import pytest

from policies.advice import warnings_about_limits
from policies.document import parse_policy
from policies.engine import Policy
from policies.errors import PolicyInvalidError
from policies.limit import Measure, Per
from policies.masking.action import ActionKind
from policies.model import Access, Approvers, Request, VerdictKind
from policies.source import Source

PROD = Request(
    identity="bot",
    groups=frozenset({"ci"}),
    target="web-1",
    labels={"env": "prod"},
    login="deploy",
    access=Access.EXEC,
)


def policy(text: str) -> Policy:
    return parse_policy([Source(label="policy.toml", text=text)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('id = "x"\nper = "session"', "limit[0]: got none of them, expected exactly one of bytes, lines and"),
        ('id = "x"\nper = "hour"\nbytes = 1\nlines = 1', "limit[0]: got bytes and lines, expected exactly"),
        ('id = "x"\nper = "day"\nbytes = 1', 'limit[0].per: got "day", expected "session" or "hour"'),
        ('id = "x"\nbytes = 1', "limit[0].per"),
        ('id = "x"\nper = "hour"\nbytes = "1GB"', 'limit[0].bytes: got "1GB", expected a size'),
        ('id = "x"\nper = "hour"\nbytes = 0', "limit[0].bytes: got 0, expected a size"),
        ('id = "x"\nper = "hour"\nlines = -1', "limit[0].lines"),
        ('id = "x"\nper = "hour"\nlines = 5\nverdict = "allow"', 'limit[0].verdict: got "allow"'),
        (
            'id = "x"\nper = "hour"\nlines = 5\nkinds = "secrets"',
            "limit[0]: kinds is set where no hits are counted, expected it beside hits only",
        ),
        (
            'id = "x"\nper = "hour"\nhits = 5\ndetectors = "nothing"',
            "limit[0]: there is no detector 'nothing'",
        ),
        (
            'id = "x"\nper = "hour"\nlines = 5\napprovers = { groups = ["dba"] }',
            "limit[0]: approvers is set where nobody is asked",
        ),
        ('id = "x"\nper = "hour"\nlines = 5\nreason = "a\\nb"', "limit[0].reason"),
        ('id = "x"\nper = "hour"\nlines = 5\nmost = 1', "limit[0].most: unknown key"),
    ],
)
def test_a_mistake_names_its_place(text: str, said: str) -> None:
    with pytest.raises(PolicyInvalidError) as raised:
        policy("[[limit]]\n" + text)
    assert said in str(raised.value)


def test_an_id_is_taken_by_a_rule_or_a_limit() -> None:
    with pytest.raises(PolicyInvalidError, match=r"limit\[0\].id: .x. is taken by policy.toml: mask\[0\]"):
        policy('[[mask]]\nid = "x"\n[[limit]]\nid = "x"\nper = "hour"\nbytes = 5')


def test_a_limit_says_what_is_counted_over_what_and_for_whom() -> None:
    made = policy(
        '[[limit]]\nid = "a"\nper = "session"\nbytes = "2KiB"\nwhen = { labels = { env = "prod" } }\n'
        '[[limit]]\nid = "b"\nper = "hour"\nhits = 3\ndetectors = "email"\nverdict = "approve"\n'
        '[[limit]]\nid = "c"\nper = "hour"\nlines = 3\nwhen = { labels = { env = "dev" } }\n'
    )
    first, second = made.limiting(PROD)
    assert (first.id, first.measure, first.at_most, first.per) == ("a", Measure.BYTES, 2048, Per.SESSION)
    assert first.verdict is VerdictKind.DENY
    assert (second.id, second.measure, second.detectors) == ("b", Measure.HITS, frozenset({"email"}))
    assert not second.asks  # nobody
    assert 'limit[1]: limit "b" asks nobody: it denies' in str(next(warnings_about_limits(made.limits)))
    asked = made.with_approvers(Approvers(groups=("dba",)))
    assert [limit.asks for limit in asked.limits] == [False, True, False]
    assert list(warnings_about_limits(asked.limits)) == []


def test_what_a_limit_counts_is_looked_for_although_no_mask_names_it() -> None:
    limit = '[[limit]]\nid = "a"\nper = "session"\nhits = 3\ndetectors = ["email", "iban"]\n'
    plan = policy(limit).masking(PROD)
    assert plan is not None
    assert {name: action.kind for name, action in plan.actions.items()} == dict.fromkeys(
        ("email", "iban"), ActionKind.DETECT
    )
    both = policy(limit + '[[mask]]\nid = "m"\ndetectors = "email"\n').masking(PROD)
    assert both is not None
    assert both.actions["email"].kind is ActionKind.REDACT


def test_the_digest_of_a_policy_covers_its_limits_in_any_order() -> None:
    one = '[[limit]]\nid = "a"\nper = "session"\nbytes = 5\n'
    two = '[[limit]]\nid = "b"\nper = "session"\nbytes = 5\n'
    assert policy(one + two).digest() == policy(two + one).digest()
    others = [one.replace("5", "6"), one.replace("session", "hour"), one.replace("bytes", "lines"), ""]
    assert policy(one).digest() not in [policy(text).digest() for text in others]


def test_a_figure_in_words() -> None:
    first, second = policy(
        '[[limit]]\nid = "a"\nper = "session"\nbytes = "1MiB"\n[[limit]]\nid = "b"\nper = "hour"\nhits = 1\n'
    ).limits
    assert first.counted(1_048_577) == "1,048,577 bytes in this session, at most 1,048,576"
    assert second.counted(1) == "1 hit of this identity within an hour, at most 1"
