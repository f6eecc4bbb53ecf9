"""Who gets a certificate for a token, for which key and how long; and that every answer is on the audit chain."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.authority import (
    FORGET_TOKENS,
    RATE_BURST,
    RATE_PER_S,
    TOKEN_BYTES,
    Authority,
    CertificateRefused,
    fingerprint,
    run_name,
)
from bastion.certificate import check_login
from bastion.config import load
from bastion.errors import Refused
from bastion.identity import Person
from bastion.keyring import Keyring, open_keyring
from bastion.settings import Config
from bastion.token import KeySet, KeysUnavailable
from recorder.audit import Entry
from recorder.evidence import Evidence
from recorder.past import issued_since
from recorder.store import Store
from tests.unit.bastion.certificate_forge import blob, blob_of, certificate, rsa_key
from tests.unit.bastion.config_fixture import HOST_KEY
from tests.unit.bastion.token_forge import ALL_KEYS, AUDIENCE, ISSUER, NOW, claims_of, key_set, public, signed

PEER = "192.0.2.7"
DEPLOY = {"repository_id": "1296269", "environment": "production", "run_id": "8412"}

CONFIG = f"""
[bastion]
names = ["bastion.acme.example"]

[[issuer]]
name = "acme"
url = "{ISSUER.url}"
audience = "{AUDIENCE}"
groups_claim = "groups"

[[issuer]]
name = "loose"
url = "https://loose.acme.example"
audience = "{AUDIENCE}"
one_key_per_token = false

[[person]]
name = "dana@acme.example"

[[identity]]
name = "orders-deployer"
owner = "dana@acme.example"
issuer = "acme"
match = {{ repository_id = "1296269", environment = "production" }}
groups = ["ci"]
lifetime = "5m"

[[identity]]
name = "nightly"
owner = "dana@acme.example"
issuer = "loose"
match = {{ repository_id = "1296269" }}

[[target]]
name = "web-1"
address = "127.0.0.1:22"
host_key = "{HOST_KEY}"
logins = ["deploy"]

[policy]
files = ["policy.toml"]
"""


class Keys:
    """An issuer's keys in memory; counts how often, and for which kid, it was asked."""

    def __init__(self, keys: KeySet = ALL_KEYS) -> None:
        self.keys_now: KeySet | None = keys
        self.newer: KeySet | None = None
        self.asked: list[str | None] = []

    async def keys(self, *, kid: str | None, now: float) -> KeySet:
        self.asked.append(kid)
        await asyncio.sleep(0)
        if kid is not None and self.newer is not None:
            self.keys_now = self.newer
        if self.keys_now is None:
            raise KeysUnavailable("the keys of issuer acme are not available: it cannot be reached")
        return self.keys_now


class House:
    """An authority with its keyring, store, issuer and clock."""

    def __init__(self, folder: Path) -> None:
        (folder / "policy.toml").write_text('[[rule]]\nid = "all"\nverdict = "allow"\n')
        (folder / "bastion.toml").write_text(CONFIG)
        self.config: Config = load(folder / "bastion.toml")
        self.ring: Keyring = open_keyring(folder / "keys")
        self.database = folder / "recordings.sqlite"
        self.issuer = Keys()
        self.now = NOW
        self.open()

    def open(self) -> None:
        self.store = Store(self.database, self.ring.seal, now_us=lambda: int(self.now * 1_000_000))
        self.authority = Authority(
            keyring=self.ring,
            store=self.store,
            config=lambda: self.config,
            key_source=lambda _name: self.issuer,
            now=lambda: self.now,
        )

    def restart(self) -> None:
        """Come back with nothing but the evidence database, as a bastion does."""
        self.store.close()
        self.open()
        self.authority.remember(self.store.run_now(lambda transaction: issued_since(transaction, self.now)))

    async def issue(self, token: str | bytes, *, key: bytes | None = None, peer: str = PEER) -> str:
        body = token.encode() if isinstance(token, str) else token
        return await self.authority.issue(body, blob("bot") if key is None else key, peer)

    async def refused(self, token: str | bytes, *, key: bytes | None = None) -> CertificateRefused:
        """Return the refusal, having seen that the audit chain says the same and holds no token."""
        before = len(self.audit())
        with pytest.raises(CertificateRefused) as caught:
            await self.issue(token, key=key)
        error = caught.value
        assert error.public.isprintable()
        (entry,) = self.audit()[before:]
        assert entry.kind == "certificate.refused"
        assert (entry.detail["reason"], entry.detail["code"]) == (error.public, error.code)
        assert entry.detail["peer"] == PEER
        assert entry.detail["key"] == fingerprint(blob("bot") if key is None else key)
        return error

    def audit(self) -> list[Entry]:
        evidence = Evidence(self.database, self.ring.seal_keys)
        try:
            return list(evidence.audit())
        finally:
            evidence.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


def deploy_token(**changes: object) -> str:
    return signed(claims_of(**{**DEPLOY, **changes}))


def digest(token: str) -> str:
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


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


# T16: one token, one key


async def test_t16_the_same_key_may_ask_again_until_the_token_expires(house):
    token = deploy_token()
    for _ in range(3):
        await house.issue(token)
    house.now = NOW + 601
    assert (await house.refused(token)).code == "token-claim"


async def test_t16_a_second_key_for_the_same_token_is_refused_and_recorded(house):
    token = deploy_token()
    await house.issue(token)
    error = await house.refused(token, key=blob("thief"))
    assert error.code == "token-reused"
    detail = house.audit()[-1].detail
    assert detail["first_key"] == fingerprint(blob("bot"))
    assert detail["key"] == fingerprint(blob("thief"))
    assert detail["token"] == digest(token)
    await house.issue(token)  # the first key is none the worse for it
    await house.issue(deploy_token(jti="token-2"), key=blob("thief"))  # a token of its own


async def test_t16_of_two_keys_at_the_same_moment_one_gets_a_certificate(house):
    token = deploy_token()
    answers = await asyncio.gather(
        *(house.issue(token, key=blob(name)) for name in ("bot", "thief")), return_exceptions=True
    )
    assert sorted(isinstance(answer, CertificateRefused) for answer in answers) == [False, True]


async def test_t16_a_restart_does_not_forget_which_key_a_token_belongs_to(house):
    token = deploy_token()
    await house.issue(token)
    house.restart()
    assert (await house.refused(token, key=blob("thief"))).code == "token-reused"
    await house.issue(token)


async def test_t16_another_signature_over_the_same_claims_is_the_same_token(house):
    # ECDSA signatures differ each time: the token is what was signed, not how.
    claims = claims_of(**DEPLOY)
    one, two = (signed(claims, by="p256", alg="ES256") for _ in range(2))
    assert one != two
    await house.issue(one)
    assert (await house.refused(two, key=blob("thief"))).code == "token-reused"


async def test_t16_an_issuer_may_be_told_to_let_a_token_serve_several_keys(house):
    token = signed(claims_of(**DEPLOY, iss="https://loose.acme.example"))
    await house.issue(token)
    await house.issue(token, key=blob("other"))
    assert [entry.detail["key"] for entry in house.audit()] == [
        fingerprint(blob("bot")),
        fingerprint(blob("other")),
    ]


async def test_t16_a_token_that_earned_nothing_binds_no_key(house):
    token = deploy_token()
    identities, house.config = house.config.identities, replace(house.config, identities=())
    await house.refused(token, key=blob("thief"))
    house.config = replace(house.config, identities=identities)
    await house.issue(token)


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


# The token is nowhere but in the bot's hand


async def test_the_token_is_in_no_record_log_or_error(house, caplog):
    caplog.set_level(logging.DEBUG)
    tokens = [
        deploy_token(),
        deploy_token(jti="token-2", environment="staging"),
        deploy_token(jti="token-3", exp=NOW - 5),
        signed(claims_of(**DEPLOY, jti="token-4"), by="rsa-other", header={"kid": "rsa"}),
        deploy_token(jti="token-5") + "x",
        deploy_token(jti="token-6", iss="https://token.mallory.example"),
        deploy_token(jti="token-7").replace(".", ",", 1),
    ]
    errors = []
    for token in tokens:
        try:
            await house.issue(token)
        except CertificateRefused as error:
            errors.append(f"{error!r} {error} {error.public} {json.dumps(error.detail)}")
    assert len(errors) == len(tokens) - 1
    house.store.close()
    written = b"".join(path.read_bytes() for path in house.database.parent.glob("recordings.sqlite*"))
    told = written.decode("latin-1") + caplog.text + "\n".join(errors)
    chain = " ".join(json.dumps(dict(entry.detail)) for entry in house.audit())
    for token in tokens:
        for part in token.replace(",", ".").split(".")[1:]:
            assert part not in told + chain
    assert digest(tokens[0]) in chain


# How often


async def test_a_source_that_asks_too_often_waits_and_others_do_not(house):
    token = deploy_token()
    for _ in range(int(RATE_BURST)):
        await house.issue(token)
    with pytest.raises(Refused, match="too many certificate requests from this address"):
        await house.issue(token)
    await house.issue(token, peer="192.0.2.8")
    house.now = NOW + 1 / RATE_PER_S
    await house.issue(token)
    with pytest.raises(Refused, match="try again"):
        await house.issue(token)
    assert len(house.audit()) == int(RATE_BURST) + 2  # those who wait do not fill the chain


async def test_refused_requests_count_too(house):
    for _ in range(int(RATE_BURST)):
        await house.refused(b"x")
    with pytest.raises(Refused, match="too many"):
        await house.issue(deploy_token())


async def test_tokens_that_have_expired_are_forgotten(house):
    for at in range(FORGET_TOKENS):
        house.authority._used[f"{at}"] = ("SHA256:x", int(NOW) - 1)
    await house.issue(deploy_token())
    assert len(house.authority._used) == 1
