"""Seals: made with one private key, checked with public ones, retired ones included."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK

from recorder.errors import KeySetError
from recorder.seal import BadSignature, KeySet, Signer, generate_seal_key

SIGNER = Signer(generate_seal_key())
KEYS = KeySet.of(SIGNER)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@given(st.binary(max_size=64))
def test_a_signature_fits_what_was_signed_and_nothing_else(digest: bytes) -> None:
    signature = SIGNER.sign(digest)
    assert KEYS.verify(digest, signature)
    assert not KEYS.verify(digest + b"x", signature)
    assert not KEYS.verify(digest, signature[:-1])
    assert not KeySet.of(Signer(generate_seal_key())).verify(digest, signature)


@given(st.binary(max_size=200))
def test_a_compact_seal_gives_its_payload_back(data: bytes) -> None:
    assert KEYS.open_compact(SIGNER.sign_compact(data)) == data


def test_seals_are_plain_rfc_8032_and_rfc_7515_that_any_library_can_check() -> None:
    jwk = SIGNER.public_jwk()
    public = Ed25519PublicKey.from_public_bytes(unb64(jwk["x"]))
    public.verify(SIGNER.sign(b"digest"), b"digest")
    text = SIGNER.sign_compact(b"{}")
    protected, payload, signature = text.split(".")
    public.verify(unb64(signature), f"{protected}.{payload}".encode())
    assert json.loads(unb64(protected)) == {"alg": "EdDSA", "kid": SIGNER.kid}
    thumbprint = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": jwk["x"]}, separators=(",", ":"))
    assert SIGNER.kid == b64(hashlib.sha256(thumbprint.encode()).digest())  # RFC 7638


def test_the_public_key_has_no_private_part() -> None:
    assert SIGNER.public_jwk().keys() == {"kty", "crv", "x", "kid", "use", "alg"}


def test_a_set_checks_what_any_of_its_keys_has_signed() -> None:
    old, new = Signer(generate_seal_key()), Signer(generate_seal_key())
    text = json.dumps({"keys": [new.public_jwk(), old.public_jwk()]})
    keys = KeySet.from_json(text)
    for _again in range(2):
        for signer in (old, new, old):
            assert keys.verify(b"digest", signer.sign(b"digest"))
            assert keys.open_compact(signer.sign_compact(b"act")) == b"act"
    assert not keys.verify(b"digest", SIGNER.sign(b"digest"))


def compact(header: dict[str, Any], payload: bytes, signature: bytes) -> str:
    return ".".join(map(b64, (json.dumps(header).encode(), payload, signature)))


def test_t9_no_algorithm_but_eddsa_opens_a_seal() -> None:
    none = compact({"alg": "none", "kid": SIGNER.kid}, b"{}", b"")
    signed = compact({"alg": "HS256", "kid": SIGNER.kid}, b"{}", b"").rpartition(".")[0].encode()
    secret = unb64(SIGNER.public_jwk()["x"])
    shared = signed.decode() + "." + b64(hmac.new(secret, signed, hashlib.sha256).digest())
    for text in (none, shared):
        with pytest.raises(BadSignature):
            KEYS.open_compact(text)


@pytest.mark.parametrize("kid", [None, "", "other", 7, ["x"]])
def test_a_seal_must_name_a_key_of_the_set(kid: Any) -> None:
    text = SIGNER.sign_compact(b"{}")
    _protected, payload, signature = text.split(".")
    header = {"alg": "EdDSA"} if kid is None else {"alg": "EdDSA", "kid": kid}
    with pytest.raises(BadSignature):
        KEYS.open_compact(f"{b64(json.dumps(header).encode())}.{payload}.{signature}")


DEEP = b64(b'{"alg":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@pytest.mark.parametrize(
    "text", ["", "a", "a.b.c", "..", "{}", "[]", "\udcff.\udcff.\udcff", f"{DEEP}..", None, b"", 7]
)
def test_whatever_is_no_seal_is_a_bad_signature(text: Any) -> None:
    with pytest.raises(BadSignature):
        KEYS.open_compact(text)


@given(st.text(max_size=60))
def test_no_text_is_a_seal_by_chance(text: str) -> None:
    with pytest.raises(BadSignature):
        KEYS.open_compact(text)


RSA = json.loads(JWK.generate(kty="RSA", size=2048).export_public())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "[]",
        "7",
        "null",
        "{}",
        '{"keys": []}',
        '{"keys": 7}',
        '{"keys": [7]}',
        '{"keys": [{"kty": "OKP"}]}',
        '{"keys": [{"kty": "oct", "k": "AAAA"}]}',
        json.dumps({"keys": [RSA]}),
        json.dumps(
            {"keys": [SIGNER.public_jwk(), json.loads(JWK.generate(kty="EC", crv="P-256").export_public())]}
        ),
        json.dumps({"keys": [json.loads(JWK.generate(kty="OKP", crv="X25519").export_public())]}),
        "[" * 100_000,
    ],
)
def test_what_is_no_set_of_ed25519_keys_is_refused_in_words(text: str) -> None:
    with pytest.raises(KeySetError):
        KeySet.from_json(text)


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps(RSA), json.dumps(SIGNER.public_jwk())])
def test_a_signer_takes_a_private_ed25519_key_only(text: str) -> None:
    with pytest.raises(KeySetError):
        Signer(text)
