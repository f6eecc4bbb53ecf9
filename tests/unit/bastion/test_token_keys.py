"""Which key verifies a token, and which keys must not."""

from __future__ import annotations

import json

import pytest

from bastion.token import (
    HeaderRefused,
    KeyRefused,
    KeySet,
    KeySetMalformed,
    SignatureInvalid,
    UnknownKey,
    read_unverified,
    verify,
)
from tests.unit.bastion.token_forge import (
    ALL_KEYS,
    ISSUER,
    NOW,
    claims_of,
    key,
    key_set,
    public,
    refused,
    signed,
    spelled,
)

# T10: which key


def test_t10_keys_that_the_token_brings_along_are_not_used():
    for parameter, value in (
        ("jwk", public("rsa-other")),
        ("jku", "http://127.0.0.1:9/keys"),
        ("x5u", "http://169.254.169.254/latest"),
        ("x5c", ["MIIB"]),
    ):
        header = {"kid": "rsa", parameter: value}
        assert verify(signed(claims_of(), header=header), issuer=ISSUER, keys=ALL_KEYS, now=NOW)
        refused(signed(claims_of(), by="rsa-other", header=header), SignatureInvalid)


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"cty": "JWT"},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"kid": 7},
        {"kid": None},
        {"kid": ["rsa"]},
    ],
)
def test_t10_header_parameters_that_change_the_meaning_are_refused(extra):
    header = json.dumps({"alg": "RS256", "kid": "rsa", **extra}).encode()
    token = spelled(header, json.dumps(claims_of()).encode())
    refused(token, HeaderRefused)
    with pytest.raises(HeaderRefused):  # before any key is fetched for it
        read_unverified(token)


@pytest.mark.parametrize(
    "kid", ["gone", "../../etc/passwd", "http://127.0.0.1/", "' or 1=1 --", "\x1b[2J", "k" * 5000]
)
def test_t10_unknown_kid_has_an_error_of_its_own(kid):
    refused(signed(claims_of(), header={"kid": kid}), UnknownKey)


def test_t10_without_kid_the_only_key_that_fits_is_used():
    token = signed(claims_of(), header={})
    assert verify(token, issuer=ISSUER, keys=ALL_KEYS, now=NOW)
    refused(token, KeyRefused, keys=key_set(public("rsa"), public("rsa-other")))
    refused(token, KeyRefused, keys=key_set(public("p256")))
    refused(token, UnknownKey, keys=key_set())


def test_t10_key_of_another_issuer_does_not_verify():
    refused(signed(claims_of(), by="rsa-other", header={"kid": "rsa"}), SignatureInvalid)


def test_t10_two_keys_of_one_kid_serve_if_their_types_differ():
    keys = key_set(public("p256", kid="same"), public("rsa", kid="same"))
    assert verify(signed(claims_of(), header={"kid": "same"}), issuer=ISSUER, keys=keys, now=NOW)
    twice = key_set(public("rsa", kid="same"), public("rsa-other", kid="same"))
    refused(signed(claims_of(), header={"kid": "same"}), KeyRefused, keys=twice)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"use": "enc"}, "use"),
        ({"use": None}, "use"),
        ({"key_ops": ["encrypt"]}, "key_ops"),
        ({"key_ops": "verify"}, "key_ops"),
        ({"alg": "RS512"}, "RS512"),
        ({"kty": "EC"}, "type"),
        ({"kty": ["RSA"]}, "type"),
        ({"n": None}, "lacks"),
        ({"n": 5}, "lacks"),
        ({"n": "not base64!"}, "not base64url"),
        ({"e": "AQAB="}, "not base64url"),
        ({"e": "AQ$AB"}, "not base64url"),
        ({"e": ""}, "not base64url"),
        ({"n": "AQAB"}, "bits"),
    ],
)
def test_t10_key_that_is_not_for_this_use_is_refused(members, says):
    text = refused(signed(claims_of()), KeyRefused, keys=key_set(public("rsa", **members)))
    assert says in text


@pytest.mark.parametrize("members", [{"e": "AA"}, {"e": "Ag"}])
def test_t10_key_with_a_broken_exponent_verifies_nothing(members):
    refused(signed(claims_of()), SignatureInvalid, keys=key_set(public("rsa", **members)))


@pytest.mark.parametrize("members", [{"x": "AA"}, {"y": public("p256")["x"]}])
def test_t10_point_that_is_not_on_the_curve_verifies_nothing(members):
    token = signed(claims_of(), by="p256", alg="ES256")
    refused(token, SignatureInvalid, keys=key_set(public("p256", **members)))


def test_t10_a_key_has_one_spelling():
    x = public("p256")["x"]
    text = refused(
        signed(claims_of(), by="p256", alg="ES256"),
        KeyRefused,
        keys=key_set(public("p256", x=f"{x[:9]}${x[9:]}")),
    )
    assert "not base64url" in text


def test_t10_key_must_fit_the_algorithm():
    for by, alg, kid in (("rsa", "RS256", "p256"), ("p256", "ES256", "rsa"), ("p256", "ES256", "p384")):
        refused(signed(claims_of(), by=by, alg=alg, header={"kid": kid}), KeyRefused)


def test_t10_short_rsa_key_is_refused():
    text = refused(signed(claims_of(), by="rsa-weak"), KeyRefused, keys=key_set(public("rsa-weak")))
    assert "1024 bits" in text


# Key sets


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys":{}}',
        b'{"keys":[1]}',
        b'{"keys":[],"keys":[]}',
        b"\xff",
        b"<html>",
        b"[" * 99_999,
    ],
)
def test_a_document_that_is_no_key_set_is_refused(body):
    with pytest.raises(KeySetMalformed):
        KeySet.parse(body)


def test_a_published_private_key_spoils_the_set_and_is_not_shown():
    private = json.loads(key("rsa").export())
    with pytest.raises(KeySetMalformed) as caught:
        key_set(private)
    assert private["d"] not in caught.value.public


def test_a_key_of_an_unknown_type_does_not_spoil_the_others():
    keys = key_set({"kty": "AKP", "kid": "new", "pub": "AAAA"}, public("k256"), {}, public("rsa"))
    assert verify(signed(claims_of()), issuer=ISSUER, keys=keys, now=NOW)
    assert keys.has("new")
    assert not keys.has("newer")
