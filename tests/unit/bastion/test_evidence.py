"""What is kept of a token's claims: the evidence in certificates and session rows, and its groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.identity import EVIDENCE_CHARS, claimed_groups, evidence_claims
from bastion.token import ClaimRefused
from tests.unit.bastion.token_forge import vector, verified


def platform(name):
    return verified(vector(name)["claims"])


@pytest.mark.parametrize(
    "name",
    [
        "github_actions",
        "github_actions_immutable_sub",
        "github_actions_renamed",
        "github_actions_name_reused",
        "github_actions_pull_request",
        "github_actions_pull_request_target",
        "gitlab_ci",
        "kubernetes_pod",
    ],
)
def test_evidence_of_each_platform(name):
    assert evidence_claims(platform(name)) == vector(name)["evidence"]


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({"iss": "https://code.acme.example/_services/token"}, "https://code.acme.example"),
        ({"iss": "https://token.actions.acme.ghe.com"}, "https://acme.ghe.com"),
        ({"iss": "https://token.actions.githubusercontent.com/acme"}, "https://github.com"),
        ({"server_url": "https://code.acme.example"}, "https://code.acme.example"),
        ({"server_url": "javascript:alert(1)"}, "https://github.com"),
        ({"server_url": "https://x/?a=\x1b"}, "https://github.com"),
    ],
)
def test_the_run_url_leads_to_the_server_that_ran_it(changes, url):
    claims = verified({**vector("github_actions")["claims"], **changes})
    assert evidence_claims(claims)["run_url"] == f"{url}/acme/orders/actions/runs/17920011223"


@pytest.mark.parametrize(
    "changes", [{"repository": "a b"}, {"repository": "a?b"}, {"run_id": "1/../2"}, {"run_id": "x"}]
)
def test_no_run_url_is_made_of_parts_that_do_not_belong_in_one(changes):
    assert "run_url" not in evidence_claims(verified({**vector("github_actions")["claims"], **changes}))


def test_evidence_of_a_plain_token_is_issuer_and_sub():
    claims = verified(
        {"iss": "https://issuer.acme.example", "sub": "job:7", "custom": ["x"], "environment": None}
    )
    assert evidence_claims(claims) == {"issuer": "https://issuer.acme.example", "sub": "job:7"}


@pytest.mark.parametrize("value", [["dana", "sam"], {"name": "dana"}, True, 1.5])
def test_t12_evidence_that_must_be_text_is_refused_as_anything_else(value):
    with pytest.raises(ClaimRefused, match="actor"):
        evidence_claims(verified({**vector("github_actions")["claims"], "actor": value}))
    with pytest.raises(ClaimRefused, match=r"kubernetes\.io"):
        evidence_claims(verified({"iss": "i", "sub": "s", "kubernetes.io": {"pod": {"name": value}}}))
    with pytest.raises(ClaimRefused, match=r"kubernetes\.io"):
        evidence_claims(verified({"iss": "i", "sub": "s", "kubernetes.io": [value]}))


def test_t12_numbers_that_platforms_write_as_numbers_are_kept():
    assert evidence_claims(verified({"iss": "i", "sub": "s", "run_id": 12}))["run_id"] == "12"


@given(st.text(min_size=1, max_size=400))
def test_evidence_is_bounded_and_acts_on_no_terminal(text):
    value = evidence_claims(verified({"iss": "i", "sub": text}))["sub"]
    assert len(value) <= EVIDENCE_CHARS
    assert value.encode()
    assert not any(
        ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u202e\u200b\u2028" for char in value
    )


# Groups


def test_claimed_groups_bear_the_issuer_s_name():
    claims = verified({"groups": ["dba", "ops/night", "dba"]})
    assert claimed_groups(claims, "github", "groups") == ("github/dba", "github/ops/night")
    assert claimed_groups(claims, "github", None) == ()
    assert claimed_groups(claims, "github", "roles") == ()


@pytest.mark.parametrize(
    "value", ["dba", None, 1, True, {"dba": 1}, ["dba", 1], [["dba"]], [""], ["a\nb"], ["x" * 257]]
)
def test_t12_claimed_groups_are_a_list_of_strings(value):
    with pytest.raises(ClaimRefused, match="groups"):
        claimed_groups(verified({"groups": value}), "github", "groups")


def test_claimed_groups_are_bounded():
    with pytest.raises(ClaimRefused, match="at most 200"):
        claimed_groups(verified({"groups": [str(number) for number in range(201)]}), "github", "groups")
