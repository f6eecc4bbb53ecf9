"""Sign what was recorded, and check such signatures with public keys alone.

Out     raw Ed25519 signatures over 32-byte hashes; JWS compact strings for audit entries and seals
Errors  KeySetError for a key file that is not a JWK Set of Ed25519 keys; BadSignature
Source  RFC 8032 (Ed25519); RFC 7515 (JWS); RFC 7517 (JWK); RFC 7638 (thumbprint); RFC 8037 (OKP)
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from recorder.errors import KeySetError


class BadSignature(ValueError):
    """No key of the set made this signature."""


def generate_seal_key() -> str:
    """Return a new private seal key as JWK text, its `kid` the RFC 7638 thumbprint."""
    key = JWK.generate(kty="OKP", crv="Ed25519", use="sig", alg="EdDSA")
    fields = json.loads(key.export_private())
    fields["kid"] = key.thumbprint()
    return json.dumps(fields)


class Signer:
    """Holds the private seal key and signs with it."""

    def __init__(self, private_jwk: str) -> None:
        """Load a private JWK; raise KeySetError unless it is an Ed25519 key."""
        try:
            self._jwk = JWK.from_json(private_jwk)
            key = self._jwk.get_op_key("sign")
        except (JWException, ValueError, TypeError, RecursionError) as error:
            raise KeySetError(f"not a private JWK: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeySetError("not an Ed25519 private key (kty OKP, crv Ed25519)")
        self._key = key
        self.kid: str = self._jwk.thumbprint()
        self._protected = json.dumps({"alg": "EdDSA", "kid": self.kid})

    def sign(self, digest: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of a digest."""
        return self._key.sign(digest)

    def sign_compact(self, payload: bytes) -> str:
        """Return the payload as a JWS in compact form."""
        jws = JWS(payload)
        jws.add_signature(self._jwk, None, self._protected)
        return str(jws.serialize(compact=True))

    def private_jwk(self) -> str:
        """Return the key as it was loaded, for another process of the same service."""
        return str(self._jwk.export_private())

    def public_jwk(self) -> dict[str, str]:
        """Return the public half, as the fields of a JWK."""
        fields: dict[str, str] = json.loads(self._jwk.export_public())
        return {**fields, "kid": self.kid}


class KeySet:
    """The auditor's public keys: the one in force and those retired before it."""

    def __init__(self, keys: Iterable[JWK]) -> None:
        self._jwks = {str(key.thumbprint()): key for key in keys}
        self._keys: list[Ed25519PublicKey] = []
        for key in self._jwks.values():
            public = key.get_op_key("verify")
            if not isinstance(public, Ed25519PublicKey):
                raise KeySetError("a key in the set is not Ed25519 (kty OKP, crv Ed25519)")
            self._keys.append(public)

    @classmethod
    def from_json(cls, text: str) -> KeySet:
        """Load a JWK Set, or a single JWK; raise KeySetError."""
        try:
            document = json.loads(text)
            entries = document["keys"] if isinstance(document, dict) and "keys" in document else [document]
            keys = [JWK(**entry) for entry in entries]
            if not keys:
                raise KeySetError("the JWK Set holds no keys")
            return cls(keys)
        except (JWException, ValueError, TypeError, KeyError, RecursionError) as error:
            raise KeySetError(f"not a JWK Set: {error}") from error

    @classmethod
    def of(cls, *signers: Signer) -> KeySet:
        """Return the set of these signers' public keys."""
        return cls(JWK(**signer.public_jwk()) for signer in signers)

    def to_json(self) -> str:
        """Return the set as `from_json` takes it."""
        return json.dumps({"keys": [json.loads(key.export_public()) for key in self._jwks.values()]})

    def verify(self, digest: bytes, signature: bytes) -> bool:
        """Say whether a key of the set made this raw signature."""
        for place, key in enumerate(self._keys):
            try:
                key.verify(signature, digest)
            except InvalidSignature:
                continue
            if place:  # the key that fits once will most likely fit again
                self._keys.insert(0, self._keys.pop(place))
            return True
        return False

    def open_compact(self, compact: str) -> bytes:
        """Return the payload of a compact JWS; raise BadSignature."""
        try:
            jws = JWS()
            jws.allowed_algs = ["EdDSA"]
            jws.deserialize(compact)
            kid = jws.jose_header.get("kid")
            key = self._jwks.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise BadSignature(f"signed by a key that is not in the key set (kid {str(kid)[:64]!r})")
            jws.verify(key)
            if jws.serialize(compact=True) != compact:  # RFC 4648 section 3.5: pad bits that say nothing
                raise BadSignature("not in the one form that the signer writes")
        except (JWException, ValueError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, BadSignature):
                raise
            raise BadSignature(f"signature does not hold: {error}") from error
        return bytes(jws.payload)
