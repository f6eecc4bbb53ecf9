"""Who gets a certificate for a token, for which key and how long; and that every answer is on the audit chain."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.authority import (
    TOKEN_BYTES,
    run_name,
)
from bastion.certificate import check_login
from bastion.identity import Person
from tests.unit.bastion.authority_desk import PEER, House, deploy_token, digest
from tests.unit.bastion.certificate_forge import blob, blob_of, certificate, rsa_key
from tests.unit.bastion.token_forge import ALL_KEYS, ISSUER, NOW, key_set, public


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


# What is given


async def test_a_token_gives_a_certificate_with_its_claims_groups_and_owner_on_the_chain(house):
    token = deploy_token(groups=["dba"], sha="4c5d1f0c", actor="sam")
    line = await house.issue(f"  {token}\n")
    login = check_login(
        base64.b64decode(line.split()[1]), ca=house.ring.login_ca.public_key(), now=NOW, peer=PEER
    )
    assert (login.identity, login.key_id, login.key) == (
        "orders-deployer",
        "orders-deployer/8412",
        blob("bot"),
    )
    assert login.groups == ("acme/dba",)
    expected = {
        "issuer_name": "acme",
        "issuer": ISSUER.url,
        "sub": "job:7",
        "repository_id": "1296269",
        "environment": "production",
        "run_id": "8412",
        "commit": "4c5d1f0c",
        "actor": "sam",
    }
    assert login.claims == expected
    (entry,) = house.audit()
    assert entry.kind == "certificate.issued"
    assert entry.detail["claims"] == expected
    assert (entry.detail["owner"], entry.detail["serial"]) == ("dana@acme.example", login.serial)
    assert entry.detail["valid_before"] == login.valid_before
    assert entry.detail["token"] == digest(token)


@pytest.mark.parametrize(
    ("token_left_s", "lifetime_s", "expected_s"),
    [(600, 300, 300), (120, 300, 120), (1, 300, 1), (86_000, 86_400, 86_000), (300, 300, 300)],
)
async def test_l6_t8_a_certificate_lives_as_long_as_the_shorter_of_policy_and_token(
    house, token_left_s, lifetime_s, expected_s
):
    first, *others = house.config.identities
    house.config = replace(house.config, identities=(replace(first, lifetime_s=lifetime_s), *others))
    await house.issue(deploy_token(exp=int(NOW) + token_left_s))
    assert house.audit()[0].detail["valid_before"] == int(NOW) + expected_s


async def test_l6_a_fraction_of_a_second_does_not_lengthen_a_certificate(house):
    house.now = NOW + 0.9
    await house.issue(deploy_token(exp=NOW + 100.9))
    assert house.audit()[0].detail["valid_before"] == int(NOW) + 100


async def test_many_long_groups_and_claims_still_make_a_certificate(house):
    groups = [f"{at:03}-" + "g" * 30 for at in range(200)]
    line = await house.issue(deploy_token(groups=groups, ref="r" * 2000))
    login = check_login(
        base64.b64decode(line.split()[1]), ca=house.ring.login_ca.public_key(), now=NOW, peer=PEER
    )
    assert len(login.groups) == 200
    assert len(login.claims["ref"]) == 256


@pytest.mark.parametrize(
    ("evidence", "name"),
    [
        ({"run_id": "8412", "job": "3"}, "8412"),
        ({"job": "acme/orders/.github/x.yml@refs/heads/main"}, "acme-orders-.github-x.yml-refs-heads-main"),
        ({"pod": "nightly-28941120-x7k2p"}, "nightly-28941120-x7k2p"),
        ({"sub": "a\nb\x1b[2J"}, "a-b-2J"),
        ({"sub": "s" * 300}, "s" * 64),
        ({}, "0123456789ab"),
    ],
)
def test_t7_the_run_in_a_key_id_is_short_and_plain(evidence, name):
    assert run_name(evidence, "0123456789abcdef") == name


# Who is refused, and what they are told


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"repository_id": "99"}, 'claim repository_id expects "1296269", the token has "99"'),
        ({"environment": None}, 'claim environment expects "production", the token has nothing'),
        ({"aud": "ssh://other.acme.example"}, "claim aud does not fit"),
        ({"exp": NOW - 1}, "claim exp does not fit"),
        ({"nbf": NOW + 60}, "claim nbf does not fit"),
        ({"iss": "https://token.mallory.example"}, "claim iss"),
        ({"iss": 7}, "claim iss does not fit"),
        ({"sub": ["a"]}, "claim sub does not fit"),
        ({"groups": "dba"}, "claim groups does not fit"),
        ({"groups": [1]}, "claim groups does not fit"),
        ({"actor": ["sam"]}, "claim actor does not fit"),
        ({"run_id": True}, "claim run_id does not fit"),
    ],
)
async def test_t11_t12_a_refusal_names_the_claim_that_did_not_match(house, changes, named):
    error = await house.refused(deploy_token(**changes))
    assert named in error.public


async def test_t9_a_token_signed_by_another_key_is_refused(house):
    house.issuer.keys_now = key_set(public("rsa-other", kid="rsa"))
    assert (await house.refused(deploy_token())).code == "token-signature"


async def test_t10_a_key_that_was_rotated_in_is_asked_for_by_its_kid(house):
    house.issuer.keys_now, house.issuer.newer = key_set(public("rsa-other")), ALL_KEYS
    await house.issue(deploy_token())
    assert house.issuer.asked == [None, "rsa"]


async def test_t10_a_token_of_an_undeclared_issuer_fetches_nothing(house):
    await house.refused(deploy_token(iss="http://169.254.169.254/latest"))
    assert house.issuer.asked == []


async def test_l2_without_the_issuers_keys_there_is_no_certificate(house):
    house.issuer.keys_now = None
    error = await house.refused(deploy_token())
    assert error.code == "issuer-unavailable"
    assert "acme" in error.public


async def test_a_token_that_matches_two_identities_is_refused_with_their_names(house):
    first, *others = house.config.identities
    twin = replace(first, name="orders-twin", match={"repository_id": "1296269"})
    house.config = replace(house.config, identities=(first, twin, *others))
    error = await house.refused(deploy_token())
    assert error.code == "identity-ambiguous"
    assert "orders-deployer, orders-twin" in error.public


@pytest.mark.parametrize(
    ("owner", "persons"),
    [
        ("sam@acme.example", (Person(name="dana@acme.example", aliases={}),)),
        ("", ()),
        ("  ", ()),
        ("dana", tuple(Person(name=name, aliases={"acme": "dana"}) for name in ("dana@a", "dana@b"))),
    ],
)
async def test_l7_an_identity_without_an_owner_gets_no_certificate(house, owner, persons):
    first, *_ = house.config.identities
    house.config = replace(house.config, identities=(replace(first, owner=owner),), persons=persons)
    error = await house.refused(deploy_token())
    assert error.code == "no-owner"
    assert "orders-deployer" in error.public


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (blob_of(rsa_key(2048).public_key()), "3072 to 16384 bits, this one has 2048"),
        (certificate(), "cannot be certified"),
        (b"\0\0\0\x0bssh-quantum", "cannot be certified"),
    ],
    ids=["RSA 2048", "certificate", "unknown"],
)
async def test_an_unsound_key_is_refused_by_the_authority_too(house, key, said):
    error = await house.refused(deploy_token(), key=key)
    assert (error.code, said in error.public) == ("key-refused", True)


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (b"", "no token on standard input"),
        (b" \r\n\t", "no token on standard input"),
        (b"\xff\xfe", "not ASCII"),
        ("é.é.é".encode(), "not ASCII"),
        (b"x" * (TOKEN_BYTES + 1), f"longer than {TOKEN_BYTES} bytes"),
        (b"a.b", "2 parts"),
        (b"a b.c.d", "base64url"),
        (b"x\0y", "1 parts"),
    ],
)
async def test_what_is_no_token_is_refused_in_one_line(house, token, said):
    assert said in (await house.refused(token)).public
