"""[[mask]] tables are read strictly; of several rules for one detector the strictest counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.document import parse_policy
from policies.engine import Policy
from policies.errors import PolicyInvalidError
from policies.masking.action import ActionKind
from policies.model import Access, Approvers, Request
from policies.source import Source, read_source

PROD = Request(
    identity="bot",
    groups=frozenset({"ci"}),
    target="web-1",
    labels={"env": "prod"},
    login="deploy",
    access=Access.EXEC,
)
DEV = Request(
    identity="bot",
    groups=frozenset({"ci"}),
    target="web-2",
    labels={"env": "dev"},
    login="deploy",
    access=Access.EXEC,
)


def policy(text: str) -> Policy:
    return parse_policy([Source(label="policy.toml", text=text)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('id = "x"\nkinds = ["secret-things"]', "mask[0]: there is no kind 'secret-things'"),
        ('id = "x"\ndetectors = ["nothing"]', "mask[0]: there is no detector 'nothing'"),
        ('id = "x"\naction = "hide"', 'mask[0].action: got "hide", expected "redact"'),
        (
            'id = "x"\nlast = 2',
            'mask[0]: last is set where no edge stays, expected it with action = "partial"',
        ),
        ('id = "x"\naction = "partial"\nlast = 40', "mask[0].last"),
        ("kinds = []", "mask[0]"),
        ('id = "x"\nunreadable = "mask"', 'mask[0].unreadable: got "mask", expected "count"'),
        ('id = "x"\nwhere = 1', "mask[0].where: unknown key"),
    ],
)
def test_a_mistake_names_its_place(text: str, said: str) -> None:
    with pytest.raises(PolicyInvalidError) as raised:
        policy("[[mask]]\n" + text)
    assert said in str(raised.value)


def test_an_id_is_taken_by_a_rule_or_a_mask() -> None:
    with pytest.raises(PolicyInvalidError, match=r"mask\[0\].id: .x. is taken by policy.toml: rule\[0\]"):
        policy('[[rule]]\nid = "x"\nverdict = "deny"\n[[mask]]\nid = "x"')


def test_the_strictest_action_counts_in_any_order() -> None:
    loose = '[[mask]]\nid = "a"\ndetectors = ["email"]\naction = "detect"\n'
    strict = '[[mask]]\nid = "b"\nwhen = { labels = { env = "prod" } }\ndetectors = ["email"]\n'
    for text in (loose + strict, strict + loose):
        on_prod, on_dev = policy(text).masking(PROD), policy(text).masking(DEV)
        assert on_prod is not None
        assert on_dev is not None
        assert on_prod.actions["email"].kind is ActionKind.REDACT
        assert on_dev.actions["email"].kind is ActionKind.DETECT


def test_without_a_mask_that_fits_nothing_is_masked() -> None:
    assert policy("").masking(PROD) is None
    assert policy('[[mask]]\nid = "a"\nwhen = { identities = ["other"] }').masking(PROD) is None


def test_the_digest_of_a_policy_covers_its_masks() -> None:
    one, other = policy('[[mask]]\nid = "a"'), policy('[[mask]]\nid = "a"\naction = "detect"')
    assert len({policy("").digest(), one.digest(), other.digest()}) == 3


def test_l10_masks_stay_where_the_configuration_says_who_approves() -> None:
    # They were lost once: `approvers` in [policy] made a policy of the rules alone.
    made = policy('[[mask]]\nid = "a"\n[[rule]]\nid = "r"\nverdict = "approve"')
    given = made.with_approvers(Approvers(groups=("on-call",)))
    assert given.masks == made.masks
    assert given.masking(PROD) is not None


def test_what_is_shipped_masks_secrets_everywhere_and_people_on_prod() -> None:
    shipped = parse_policy([read_source("library:masking", Path())])
    on_prod, on_dev = shipped.masking(PROD), shipped.masking(DEV)
    assert on_prod is not None
    assert on_dev is not None
    assert {on_prod.actions[name].kind for name in ("aws-access-key", "email")} == {ActionKind.REDACT}
    assert on_dev.actions["aws-access-key"].kind is ActionKind.REDACT
    assert on_dev.actions["email"].kind is ActionKind.DETECT


def test_what_one_rule_says_of_files_counts_for_all() -> None:
    both = policy(
        '[[mask]]\nid = "a"\nkinds = ["secrets"]\n[[mask]]\nid = "b"\ndetectors = ["email"]\naction = "detect"\n'
        'when = { labels = { env = "prod" } }\nspool = true\nunreadable = "deny"\n'
    )
    prod, dev = both.masking(PROD), both.masking(DEV)
    assert prod is not None
    assert dev is not None
    assert (prod.spool, prod.refuses_unread) == (True, True)
    assert (dev.spool, dev.refuses_unread) == (False, False)
    plainer = policy('[[mask]]\nid = "a"\nkinds = ["secrets"]\n')
    assert plainer.digest() != policy('[[mask]]\nid = "a"\nkinds = ["secrets"]\nspool = true\n').digest()
