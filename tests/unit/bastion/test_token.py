"""Tokens: what a sound one looks like, and each way in which one must be refused."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.token import (
    LEEWAY_S,
    MAX_TOKEN_BYTES,
    AlgorithmRefused,
    ClaimRefused,
    HeaderRefused,
    IssuerTrust,
    KeyRefused,
    KeySet,
    TokenError,
    TokenMalformed,
    read_unverified,
    verify,
)
from tests.unit.bastion.token_forge import (
    ALL_KEYS,
    AUDIENCE,
    ISSUER,
    NOW,
    b64,
    claims_of,
    key,
    key_set,
    public,
    refused,
    signed,
    spelled,
    vector,
)


def refused_claim(claim, **changes):
    text = refused(signed(claims_of(**changes)), ClaimRefused)
    assert f"claim {claim} " in text
    return text


@pytest.mark.parametrize(
    ("alg", "by"),
    [
        *[(f"{family}{bits}", "rsa") for family in ("RS", "PS") for bits in (256, 384, 512)],
        ("ES256", "p256"),
        ("ES384", "p384"),
        ("ES512", "p521"),
        ("EdDSA", "ed25519"),
    ],
)
def test_each_allowed_algorithm_verifies(alg, by):
    claims = verify(signed(claims_of(), by=by, alg=alg), issuer=ISSUER, keys=ALL_KEYS, now=NOW)
    assert claims.issuer == "acme"
    assert claims["sub"] == "job:7"
    assert dict(claims) == claims_of()
    assert claims.expires_at == int(NOW) + 600


def test_claims_cannot_be_changed():
    claims = verify(signed(claims_of()), issuer=ISSUER, keys=ALL_KEYS, now=NOW)
    with pytest.raises(TypeError):
        claims.raw["sub"] = "other"


def test_the_head_tells_what_is_needed_to_choose_keys():
    token = signed(claims_of())
    head = read_unverified(token)
    assert (head.alg, head.kid, head.iss) == ("RS256", "rsa", ISSUER.url)
    assert head.digest == hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()
    assert verify(token, issuer=ISSUER, keys=ALL_KEYS, now=NOW).digest == head.digest


@pytest.mark.parametrize(
    "name", ["github_actions", "github_actions_immutable_sub", "gitlab_ci", "kubernetes_pod"]
)
def test_tokens_of_the_documented_platforms_verify(name):
    shape = vector(name)
    trust = IssuerTrust(name="platform", url=shape["claims"]["iss"], audience=AUDIENCE)
    keys = key_set(public("rsa", kid=shape["header"]["kid"], use="sig", alg="RS256"))
    header = {name: value for name, value in shape["header"].items() if name != "alg"}
    claims = verify(signed(shape["claims"], header=header), issuer=trust, keys=keys, now=NOW)
    assert dict(claims) == shape["claims"]


# The form of the token


@given(st.one_of(st.text(), st.text(alphabet="eyJ.{}-_=A", max_size=60)))
def test_any_text_is_refused_as_a_token_error(text):
    with pytest.raises(TokenError):
        verify(text, issuer=ISSUER, keys=ALL_KEYS, now=NOW)


@given(st.data())
def test_a_token_with_any_one_character_changed_is_refused(data):
    token = signed(claims_of(), by="ed25519", alg="EdDSA")
    at = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.sampled_from("ABab01-_.= \n{").filter(lambda char: char != token[at]))
    with pytest.raises(TokenError):
        verify(token[:at] + char + token[at + 1 :], issuer=ISSUER, keys=ALL_KEYS, now=NOW)


def test_a_token_longer_than_the_bound_is_refused():
    fitting = signed(claims_of(pad="x" * 11_000))
    assert len(fitting) < MAX_TOKEN_BYTES
    assert verify(fitting, issuer=ISSUER, keys=ALL_KEYS, now=NOW)
    text = refused(signed(claims_of(pad="x" * 13_000)), TokenMalformed)
    assert str(MAX_TOKEN_BYTES) in text


def test_encrypted_and_json_forms_are_refused():
    assert "JWE" in refused("a.b.c.d.e", TokenMalformed)
    assert "compact" in refused('{"payload":"e30","signatures":[]}', TokenMalformed)
    assert "2 parts" in refused("a.b", TokenMalformed)
    refused("", TokenMalformed)


@pytest.mark.parametrize("damage", ["=", "+", "/", "\n", " ", "é"])
def test_only_strict_base64url_is_read(damage):
    header, payload, signature = signed(claims_of()).split(".")
    for token in (
        f"{header}{damage}.{payload}.{signature}",
        f"{header}.{payload}{damage}.{signature}",
        f"{header}.{payload}.{signature}{damage}",
    ):
        refused(token, TokenMalformed)


def test_a_second_spelling_of_the_same_signature_is_refused():
    token = signed(claims_of())
    assert len(token.rpartition(".")[2]) % 4 == 2  # the last character has four bits to spare
    refused(token[:-1] + chr(ord(token[-1]) + 1), TokenMalformed)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"iss":"https://issuer.acme.example","iss":"https://issuer.acme.example"}',
        b'{"kubernetes.io":{"namespace":"a","namespace":"b"}}',
        b'{"exp":NaN}',
        b'{"exp":Infinity}',
        b'{"exp":1e999}',
        b'{"exp":' + b"9" * 5000 + b"}",
        b'{"sub":"\\ud800"}',
        b'{"\\ud800":1}',
        b'\xef\xbb\xbf{"sub":"x"}',
        b'{"sub":"\xff"}',
        b"{} {}",
        b"[]",
        b'"text"',
        b"null",
        b"",
        b"[" * 9000,
        b'{"a":' * 1900,
    ],
)
def test_a_payload_that_two_parsers_could_read_differently_is_refused(payload):
    token = spelled(b'{"alg":"RS256","kid":"rsa"}', payload)
    refused(token, TokenMalformed)


def test_a_header_with_a_duplicate_name_is_refused():
    token = spelled(b'{"alg":"RS256","kid":"rsa","kid":"other"}', json.dumps(claims_of()).encode())
    assert '"kid" appears twice' in refused(token, TokenMalformed)


# T9: algorithms


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "nOnE", "", "rs256", "HS512", "ES256K", "RSA1_5", "dir"]
)
def test_t9_algorithm_not_on_the_list_is_refused(alg):
    header = json.dumps({"alg": alg, "kid": "rsa"}).encode()
    assert "algorithm" in refused(spelled(header, json.dumps(claims_of()).encode()), AlgorithmRefused)


@pytest.mark.parametrize("alg", [None, 1, True, ["RS256"], {"RS256": 1}])
def test_t9_algorithm_that_is_no_string_is_refused(alg):
    header = json.dumps({"alg": alg, "kid": "rsa"}).encode()
    refused(spelled(header, json.dumps(claims_of()).encode()), AlgorithmRefused)


@pytest.mark.parametrize("signature", ["", "AA"])
def test_t9_unsecured_token_is_refused(signature):
    for header in ({"alg": "none"}, {"alg": "none", "kid": "rsa"}, {"kid": "rsa"}):
        token = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims_of()).encode())}.{signature}"
        refused(token, AlgorithmRefused)


def test_t9_stripped_signature_is_refused():
    refused(signed(claims_of()).rpartition(".")[0] + ".", TokenMalformed)


def test_t9_public_key_used_as_an_hmac_secret_is_refused():
    import hmac

    header, payload = b64(b'{"alg":"HS256","kid":"rsa"}'), b64(json.dumps(claims_of()).encode())
    signing_input = f"{header}.{payload}"
    for secret in (key("rsa").export_to_pem(), json.dumps(public("rsa")).encode()):
        mac = b64(hmac.digest(secret, signing_input.encode(), "sha256"))
        refused(f"{signing_input}.{mac}", AlgorithmRefused)


def test_t9_symmetric_key_in_the_set_verifies_nothing():
    keys = KeySet(keys=(json.loads(key("secret").export()),))
    refused(signed(claims_of(), by="secret", alg="HS256"), AlgorithmRefused, keys=keys)
    text = refused(signed(claims_of(), header={"kid": "secret"}), KeyRefused, keys=keys)
    assert json.loads(key("secret").export())["k"] not in text


# T11: audience, issuer, times


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["https://other.example", AUDIENCE]])
def test_t11_audience_may_be_a_string_or_in_a_list(aud):
    assert verify(signed(claims_of(aud=aud)), issuer=ISSUER, keys=ALL_KEYS, now=NOW)


@pytest.mark.parametrize(
    "aud",
    [
        None,
        "",
        "ssh://bastion.acme.example/",
        AUDIENCE.upper(),
        AUDIENCE + "\x00",
        [],
        ["x"],
        {AUDIENCE: 1},
        7,
        True,
    ],
)
def test_t11_wrong_audience_is_refused(aud):
    refused_claim("aud", aud=aud)


@pytest.mark.parametrize("aud", [[AUDIENCE, 1], [AUDIENCE, None], [[AUDIENCE]], [{"aud": AUDIENCE}]])
def test_t12_audience_list_holds_strings_only(aud):
    refused_claim("aud", aud=aud)


@pytest.mark.parametrize(
    "iss",
    [
        "https://issuer.acme.example/",
        "https://ISSUER.acme.example",
        "https://issuer.acme.example.evil.example",
    ],
)
def test_t11_issuer_is_compared_exactly(iss):
    text = refused_claim("iss", iss=iss)
    assert ISSUER.url in text


@pytest.mark.parametrize("iss", [None, 1, True, [ISSUER.url], {"url": ISSUER.url}])
def test_t12_issuer_must_be_a_string(iss):
    refused_claim("iss", iss=iss)


@pytest.mark.parametrize("exp", [NOW, NOW - 1, NOW - 0.5, 0, 1])
def test_t11_expired_token_is_refused_without_leeway(exp):
    text = refused_claim("exp", exp=exp, iat=None, nbf=None)
    assert "2026-09-21T14:15:00Z" in text


@pytest.mark.parametrize("exp", [None, "1790000700", True, [NOW + 60], {}, -1, 1e30, 10**400])
def test_t11_expiry_must_be_there_and_be_a_time(exp):
    refused_claim("exp", exp=exp)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_t11_token_of_the_future_is_refused_past_the_leeway(claim):
    soon = claims_of(**{claim: NOW + LEEWAY_S})
    assert verify(signed(soon), issuer=ISSUER, keys=ALL_KEYS, now=NOW)
    refused_claim(claim, **{claim: NOW + LEEWAY_S + 1})


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize("value", ["0", True, False, [], {}, -5, 1e300])
def test_t12_times_are_numbers(claim, value):
    refused_claim(claim, **{claim: value})


def test_t11_nbf_and_iat_may_be_missing():
    assert verify(signed(claims_of(nbf=None, iat=None)), issuer=ISSUER, keys=ALL_KEYS, now=NOW)


def test_t11_token_that_ends_before_it_began_is_refused():
    assert "iat" in refused_claim("exp", iat=NOW + 20, exp=NOW + 10)


def test_t11_token_that_lives_for_longer_than_a_day_is_refused():
    day = 24 * 3600
    assert verify(signed(claims_of(exp=NOW - 60 + day)), issuer=ISSUER, keys=ALL_KEYS, now=NOW)
    assert "24 hours" in refused_claim("exp", exp=NOW - 60 + day + 1)
    assert "24 hours" in refused_claim("exp", exp=NOW + day + 1, iat=None)


def test_a_kubernetes_token_from_a_secret_is_refused_since_it_never_expires():
    legacy = {
        "iss": ISSUER.url,
        "aud": AUDIENCE,
        "sub": "system:serviceaccount:payments:nightly",
        "kubernetes.io/serviceaccount/namespace": "payments",
    }
    assert "claim exp " in refused(signed(legacy), ClaimRefused)


# T12: types


@pytest.mark.parametrize("claim", ["sub", "jti"])
@pytest.mark.parametrize("value", [1, True, ["job:7"], {"job": 7}, "", 1.5])
def test_t12_claims_that_are_strings_are_strings(claim, value):
    refused_claim(claim, **{claim: value})


def test_t12_null_is_no_string():
    for claim in ("sub", "jti", "iss"):
        refused(signed({**claims_of(), claim: None}), ClaimRefused)
    refused_claim("sub", sub=None)


# RFC 8725 3.11: explicit typing


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_usual_types_are_accepted(typ):
    token = signed(claims_of(), header={"kid": "rsa", "typ": typ})
    assert verify(token, issuer=ISSUER, keys=ALL_KEYS, now=NOW)


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "", 1, None, ["JWT"]])
def test_a_token_made_for_something_else_is_refused(typ):
    text = refused(signed(claims_of(), header={"kid": "rsa", "typ": typ}), HeaderRefused)
    assert "typ" in text


# What errors say


def test_the_error_names_the_claim_with_expected_and_actual_escaped_and_bounded():
    text = refused(signed(claims_of(aud="evil\x1b[31m\u202e\u200b\x7f")), ClaimRefused)
    assert AUDIENCE in text
    assert "\\u001b[31m\\u202e\\u200b\\u007f" in text
    assert len(refused(signed(claims_of(aud=["x" * 200] * 40)), ClaimRefused)) < 400
