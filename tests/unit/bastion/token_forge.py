"""Make tokens for tests, sound ones and every kind of unsound one, as an issuer or a forger would."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from bastion.token import Claims, IssuerTrust, KeySet, TokenError, verify

VECTORS = Path(__file__).parents[2] / "vectors" / "tokens"
NOW = 1_790_000_100.0  # 100 s after the vectors' iat
AUDIENCE = "ssh://bastion.acme.example"
ISSUER = IssuerTrust(name="acme", url="https://issuer.acme.example", audience=AUDIENCE)

_SHAPES: dict[str, dict[str, Any]] = {
    "rsa": {"kty": "RSA", "size": 2048},
    "rsa-other": {"kty": "RSA", "size": 2048},
    "rsa-weak": {"kty": "RSA", "size": 1024},
    "p256": {"kty": "EC", "crv": "P-256"},
    "p384": {"kty": "EC", "crv": "P-384"},
    "p521": {"kty": "EC", "crv": "P-521"},
    "k256": {"kty": "EC", "crv": "secp256k1"},
    "ed25519": {"kty": "OKP", "crv": "Ed25519"},
    "secret": {"kty": "oct", "size": 256},
}


@cache
def key(name: str) -> JWK:
    """Return the key pair of this name, whose kid is its name; made once."""
    return JWK.generate(kid=name, **_SHAPES[name])


def public(name: str, **members: object) -> dict[str, object]:
    """Return the public JWK of a key, with members added or replaced."""
    return {**json.loads(key(name).export_public()), **members}


def key_set(*jwks: dict[str, object]) -> KeySet:
    return KeySet.parse(json.dumps({"keys": jwks}).encode())


def b64(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def claims_of(**changes: object) -> dict[str, Any]:
    """Return sound claims of ISSUER with some changed; None takes one away."""
    sound: dict[str, object] = {
        "iss": ISSUER.url,
        "aud": AUDIENCE,
        "sub": "job:7",
        "jti": "token-1",
        "iat": NOW - 60,
        "nbf": NOW - 60,
        "exp": NOW + 600,
    }
    return {claim: value for claim, value in {**sound, **changes}.items() if value is not None}


def signed(
    claims: dict[str, Any] | bytes,
    *,
    by: str = "rsa",
    alg: str = "RS256",
    header: dict[str, Any] | None = None,
) -> str:
    """Return a compact JWS made by a key of ours; `header` replaces all but alg."""
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    jws = JWS(body)
    jws.allowed_algs = [alg]
    jws.add_signature(
        key(by), protected=json.dumps({"alg": alg, **({"kid": by} if header is None else header)})
    )
    return str(jws.serialize(compact=True))


def spelled(header: bytes, payload: bytes, *, by: str = "rsa") -> str:
    """Return a token whose header and payload are these very bytes, truly signed with RS256."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    signing_input = f"{b64(header)}.{b64(payload)}"
    signature = key(by).get_op_key("sign").sign(signing_input.encode(), PKCS1v15(), SHA256())
    return f"{signing_input}.{b64(signature)}"


def vector(name: str) -> dict[str, Any]:
    """Return one recorded shape of token: header, claims and the evidence that they should yield."""
    return json.loads((VECTORS / f"{name}.json").read_text())


def verified(claims: dict[str, Any], issuer: str = "acme") -> Claims:
    """Return claims as `verify` would, for tests of what comes after it."""
    return Claims(issuer=issuer, raw=claims, digest="0" * 64, expires_at=int(NOW) + 600)


ALL_KEYS = key_set(*(public(name) for name in ("rsa", "p256", "p384", "p521", "ed25519")))


def refused(token: str, error: type[TokenError], *, keys: KeySet = ALL_KEYS) -> str:
    """Return the public text of the refusal, having checked that it holds nothing of the token."""
    with pytest.raises(error) as caught:
        verify(token, issuer=ISSUER, keys=keys, now=NOW)
    text = caught.value.public
    assert str(caught.value) == text
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 500
    assert all(part not in text for part in token.split(".") if len(part) > 10)
    return text
