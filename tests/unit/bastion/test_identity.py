"""Which identity a token belongs to, who owns it, and what is kept of it as evidence."""

from __future__ import annotations

import pytest

from bastion.identity import (
    AmbiguousIdentity,
    Identity,
    NoIdentity,
    Person,
    identify,
    resolve_owner,
)
from tests.unit.bastion.token_forge import vector, verified


def identity(name="orders-deployer", *, owner="dana@acme.example", issuer="acme", **match):
    return Identity(
        name=name,
        owner=owner,
        issuer=issuer,
        match=match or {"repository_id": "1296269"},
        groups=("ci",),
        lifetime_s=900,
        session_s=3600,
    )


def platform(name):
    return verified(vector(name)["claims"])


def refusal(claims, *identities, error=NoIdentity):
    with pytest.raises(error) as caught:
        identify(claims, identities)
    assert caught.value.public.isascii()
    assert caught.value.public.isprintable()
    return caught.value.public


# Matching


def test_all_fields_must_match():
    claims = verified({"a": "1", "b": "2"})
    both = identity(a="1", b="2")
    assert identify(claims, [both]) is both
    refusal(claims, identity(a="1", b="3"))
    refusal(claims, identity(a="1", b="2", c="3"))


def test_only_identities_of_the_issuer_count():
    claims = verified({"a": "1"}, issuer="gitlab")
    ours = identity("ours", issuer="gitlab", a="1")
    assert identify(claims, [identity("theirs", issuer="github", a="1"), ours]) is ours
    assert "gitlab" in refusal(claims, identity("theirs", issuer="github", a="1"))


def test_a_list_in_the_match_means_any_of():
    one = identity(ref=["refs/heads/main", "glob:refs/heads/release/*"])
    for ref in ("refs/heads/main", "refs/heads/release/9"):
        assert identify(verified({"ref": ref}), [one]) is one
    refusal(verified({"ref": "refs/heads/dev"}), one)


def test_nested_claims_are_nested_tables():
    pod = {"namespace": "payments", "serviceaccount": {"name": "nightly"}}
    one = identity(**{"kubernetes.io": pod})
    assert identify(platform("kubernetes_pod"), [one]) is one
    other = identity(**{"kubernetes.io": {**pod, "serviceaccount": {"name": "reports"}}})
    text = refusal(platform("kubernetes_pod"), other)
    assert '"kubernetes.io".serviceaccount.name expects "reports", the token has "nightly"' in text


def test_two_identities_that_match_are_an_error_and_not_a_first_match():
    claims = verified({"a": "1", "b": "2"})
    text = refusal(claims, identity("zeta", a="1"), identity("alpha", b="2"), error=AmbiguousIdentity)
    assert "alpha, zeta" in text


def test_the_refusal_names_the_closest_identity_and_what_did_not_fit():
    claims = platform("github_actions")
    far = identity("reports-reader", repository_id="7", environment="staging")
    near = identity("orders-deployer", repository_id="1296269", environment="staging")
    text = refusal(claims, far, near)
    assert "closest is orders-deployer" in text
    assert 'environment expects "staging", the token has "production"' in text
    assert "repository_id" not in text
    assert "the token has nothing" in refusal(claims, identity(no_such_claim="x"))


def test_the_refusal_is_bounded_and_escaped_whatever_the_token_says():
    claims = verified({"a": "\x1b]52;c;\u202e" + "x" * 9000, "b": ["y" * 9000], "c": {"z": "z" * 9000}})
    text = refusal(claims, identity(**dict.fromkeys("abcdefgh", "1")))
    assert len(text) < 1000
    assert "\\u001b]52;c;\\u202e" in text


@pytest.mark.parametrize(
    "match", [{}, {"kubernetes.io": {}}, {"ref": []}, {"ref": 1.5}, {"ref": None}, {"ref": [["x"]]}]
)
def test_a_match_that_is_empty_or_of_another_type_cannot_be_declared(match):
    with pytest.raises(ValueError, match="orders-deployer"):
        Identity(
            name="orders-deployer",
            owner="dana",
            issuer="acme",
            match=match,
            groups=(),
            lifetime_s=1,
            session_s=1,
        )


# T12: types

VALUES = ["1", 1, True, 1.0, None, ["1"], [1], [True], {"1": "1"}, [], {}, "True", "true", 0, False, "", "0"]


@pytest.mark.parametrize("expected", ["1", 1, True, False, 0, "true", ""])
@pytest.mark.parametrize("actual", VALUES)
def test_t12_a_value_matches_its_own_type_only(expected, actual):
    one = identity(claim=expected)
    claims = verified({"claim": actual})
    if type(expected) is type(actual) and expected == actual:
        assert identify(claims, [one]) is one
    else:
        refusal(claims, one)


def test_t12_a_glob_matches_no_list_table_or_number():
    for actual in (["x"], {"x": "x"}, 1, True, None):
        refusal(verified({"claim": actual}), identity(claim="glob:*"))


def test_t12_a_table_in_the_match_meets_only_a_table():
    one = identity(pod={"name": "a"})
    for actual in ("a", ["name", "a"], [{"name": "a"}], None, 1):
        refusal(verified({"pod": actual}), one)
    refusal(verified({"pod.name": "a"}), one)


# T13: exactness


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/Main",
        "refs/heads/main ",
        " refs/heads/main",
        "refs/heads/main\n",
        "refs/heads/main\x00",
        "refs/heads/main2",
        "xrefs/heads/main",
        "refs/heads/ｍain",
        "refs/heads/ma\u0131n",
        "refs/heads/mai\u200bn",
    ],
)
def test_t13_a_string_matches_exactly(ref):
    refusal(verified({"ref": ref}), identity(ref="refs/heads/main"))
    refusal(verified({"ref": ref}), identity(ref="glob:refs/heads/main"))


def test_t13_unicode_forms_are_not_folded_into_each_other():
    refusal(verified({"claim": "cafe\u0301"}), identity(claim="caf\u00e9"))
    refusal(verified({"claim": "STRASSE"}), identity(claim="stra\u00dfe"))
    refusal(verified({"claim": "\u212a"}), identity(claim="K"))


@pytest.mark.parametrize(
    ("glob", "text", "fits"),
    [
        ("glob:refs/heads/release/*", "refs/heads/release/2026/09", True),  # a star crosses slashes
        ("glob:refs/heads/release/*", "refs/heads/release/", True),
        ("glob:refs/heads/release/*", "refs/heads/release", False),
        ("glob:refs/heads/release/*", "xrefs/heads/release/1", False),
        ("glob:v?", "v1", True),
        ("glob:v?", "v", False),
        ("glob:v?", "v10", False),
        ("glob:[ab]", "a", True),
        ("glob:[ab]", "[ab]", False),
        ("glob:*", "a\nb", True),
        ("glob:*.example", "a.example.evil", False),
        ("*", "anything", False),  # without the prefix it is a plain string
        ("*", "*", True),
        ("Glob:*", "x", False),
    ],
)
def test_t13_globs_are_simple_and_match_the_whole_value(glob, text, fits):
    one = identity(claim=glob)
    if fits:
        assert identify(verified({"claim": text}), [one]) is one
    else:
        refusal(verified({"claim": text}), one)


def test_t13_a_glob_in_the_token_is_only_text():
    refusal(verified({"claim": "glob:*"}), identity(claim="main"))
    refusal(verified({"claim": "*"}), identity(claim="main"))


def test_t21_a_glob_of_many_stars_takes_no_long_time():
    refusal(verified({"claim": "a" * 16_000}), identity(claim="glob:" + "*a" * 20 + "*b"))


# T14: names that change hands


@pytest.mark.parametrize("name", ["github_actions", "github_actions_immutable_sub", "github_actions_renamed"])
def test_t14_repository_id_holds_through_both_subs_and_a_rename(name):
    one = identity(repository_id="1296269", environment="production")
    assert identify(platform(name), [one]) is one


def test_t14_a_name_taken_by_another_owner_does_not_match_the_id():
    text = refusal(platform("github_actions_name_reused"), identity(repository_id="1296269"))
    assert 'expects "1296269", the token has "998877665"' in text
    by_name = identity(repository="acme/orders")  # what the documentation warns of
    assert identify(platform("github_actions_name_reused"), [by_name]) is by_name


def test_t14_a_match_on_one_form_of_sub_does_not_take_the_other():
    old = identity("old", sub="repo:acme/orders:environment:production")
    new = identity("new", sub="repo:acme@9919/orders@1296269:environment:production")
    assert identify(platform("github_actions"), [old, new]) is old
    assert identify(platform("github_actions_immutable_sub"), [old, new]) is new
    assert identify(platform("github_actions_name_reused"), [old, new]) is old  # why the form was changed
    either = identity(sub=[old.match["sub"], new.match["sub"]])
    assert identify(platform("github_actions"), [either]) is either
    assert identify(platform("github_actions_immutable_sub"), [either]) is either


# T15: pull requests from forks


@pytest.mark.parametrize("name", ["github_actions_pull_request", "github_actions_pull_request_target"])
def test_t15_an_environment_is_not_had_by_a_pull_request(name):
    refusal(platform(name), identity(repository_id="1296269", environment="production"))


def test_t15_a_ref_keeps_pull_requests_out_but_not_pull_request_target():
    one = identity(repository_id="1296269", ref="refs/heads/main")
    assert "refs/pull/27/merge" in refusal(platform("github_actions_pull_request"), one)
    assert identify(platform("github_actions_pull_request_target"), [one]) is one


def test_t15_event_name_keeps_both_out():
    one = identity(repository_id="1296269", ref="glob:refs/heads/*", event_name="push", head_ref="")
    assert identify(platform("github_actions"), [one]) is one
    for name in ("github_actions_pull_request", "github_actions_pull_request_target"):
        assert "event_name" in refusal(platform(name), one)


def test_t15_a_fork_has_another_owner_id():
    one = identity(repository_owner_id="9919", workflow="deploy")
    assert identify(platform("github_actions"), [one]) is one
    assert "repository_owner_id" in refusal(platform("github_actions_name_reused"), one)


# Owners

DANA = Person(name="dana@acme.example", aliases={"github": "dana", "gitlab": "dana.k"})
SAM = Person(name="sam@acme.example", aliases={"github": "sam"})


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("dana@acme.example", "dana@acme.example"),
        ("dana.k", "dana@acme.example"),
        ("sam", "sam@acme.example"),
        ("Sam", None),
        ("left@acme.example", None),
        ("", None),
    ],
)
def test_l7_an_owner_is_a_declared_person_by_any_of_their_names(owner, name):
    assert resolve_owner(identity(owner=owner), [DANA, SAM]) == name


def test_l7_an_alias_that_two_persons_share_owns_nothing():
    other = Person(name="dan@acme.example", aliases={"gitlab": "dana"})
    assert resolve_owner(identity(owner="dana"), [DANA, other]) is None
    assert resolve_owner(identity(owner="dana"), [DANA]) == DANA.name


def test_l7_a_name_wins_over_another_person_s_alias():
    sly = Person(name="sly@acme.example", aliases={"github": DANA.name})
    assert resolve_owner(identity(owner=DANA.name), [sly, DANA]) == DANA.name


def test_l7_without_declared_persons_the_owner_stands_as_written():
    assert resolve_owner(identity(owner="platform-team"), []) == "platform-team"
    assert resolve_owner(identity(owner=" "), []) is None
