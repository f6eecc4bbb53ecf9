"""A token serves one key, is asked with at a pace, and is written down nowhere."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.authority import (
    CertificateRefused,
    fingerprint,
)
from bastion.errors import Refused
from bastion.register import ASK_BURST, ASK_PER_S, FORGET_TOKENS
from tests.unit.bastion.authority_desk import DEPLOY, House, deploy_token, digest
from tests.unit.bastion.certificate_forge import blob
from tests.unit.bastion.token_forge import NOW, claims_of, signed


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


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
    for _ in range(int(ASK_BURST)):
        await house.issue(token)
    with pytest.raises(Refused, match="too many certificate requests from this address"):
        await house.issue(token)
    await house.issue(token, peer="192.0.2.8")
    house.now = NOW + 1 / ASK_PER_S
    await house.issue(token)
    with pytest.raises(Refused, match="try again"):
        await house.issue(token)
    assert len(house.audit()) == int(ASK_BURST) + 2  # those who wait do not fill the chain


async def test_refused_requests_count_too(house):
    for _ in range(int(ASK_BURST)):
        await house.refused(b"x")
    with pytest.raises(Refused, match="too many"):
        await house.issue(deploy_token())


async def test_tokens_that_have_expired_are_forgotten(house):
    for at in range(FORGET_TOKENS):
        house.register._used[f"{at}"] = ("SHA256:x", int(NOW) - 1)
    await house.issue(deploy_token())
    assert len(house.register._used) == 1
