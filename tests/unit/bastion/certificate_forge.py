"""Write OpenSSH certificates byte by byte, sound ones and every kind of unsound one, as a forger would.

Source  OpenSSH PROTOCOL.certkeys; RFC 4251 section 5
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bastion.certificate import (
    BASTION_ONLY_COMMAND,
    CLAIMS_EXTENSION,
    FORCED_COMMAND_OPTION,
    CertificateError,
    Login,
    check_login,
)

PEER = "192.0.2.7"
NOW = 1_790_000_100.0
USER, HOST = 1, 2
FOREVER = 2**64 - 1
ED25519_CERTIFICATE = b"ssh-ed25519-cert-v01@openssh.com"
Options = Sequence[tuple[bytes, bytes]]


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


@cache
def key(name: str) -> Ed25519PrivateKey:
    """Return the Ed25519 key of this name, the same in every run, so that what it signed can be kept."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def raw(name: str) -> bytes:
    return key(name).public_key().public_bytes_raw()


def blob(name: str) -> bytes:
    """Return the public key blob of a named Ed25519 key."""
    return string(b"ssh-ed25519") + string(raw(name))


def blob_of(public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(line.split()[1])


def sealed_evidence(claims: Any = None, groups: Any = ()) -> bytes:
    return json.dumps({"claims": claims or {"run_id": "8412"}, "groups": list(groups)}).encode()


SOUND_EXTENSIONS = ((CLAIMS_EXTENSION, sealed_evidence()),)


def certificate(
    *,
    ca: str = "login-ca",
    kind: int = USER,
    key_id: bytes = b"orders-deployer/8412",
    principals: Sequence[bytes] = (b"orders-deployer",),
    valid_after: int = int(NOW) - 60,
    valid_before: int = int(NOW) + 600,
    critical: Options = ((FORCED_COMMAND_OPTION, BASTION_ONLY_COMMAND),),
    extensions: Options = SOUND_EXTENSIONS,
    type_name: bytes = ED25519_CERTIFICATE,
    signature_key: bytes | None = None,
    signature_type: bytes = b"ssh-ed25519",
    signature: bytes | None = None,
    subject: str = "bot",
) -> bytes:
    """Return the blob of a certificate that says this; by default it is sound in every respect."""
    body = b"".join(
        (
            string(type_name),
            string(b"n" * 32),
            string(raw(subject)),
            (7).to_bytes(8, "big"),
            kind.to_bytes(4, "big"),
            string(key_id),
            string(b"".join(string(name) for name in principals)),
            valid_after.to_bytes(8, "big"),
            valid_before.to_bytes(8, "big"),
            string(_options(critical)),
            string(_options(extensions)),
            string(b""),
            string(blob(ca) if signature_key is None else signature_key),
        )
    )
    made = key(ca).sign(body) if signature is None else signature
    return body + string(string(signature_type) + string(made))


def _options(options: Options) -> bytes:
    # A value is a string within a string; a flag has no value at all.
    return b"".join(string(name) + string(string(value) if value else b"") for name, value in options)


def check(data: bytes, *, now: float = NOW, peer: str = PEER) -> Login:
    return check_login(data, ca=key("login-ca").public_key(), now=now, peer=peer)


def refused(data: bytes, *, now: float = NOW, peer: str = PEER) -> str:
    with pytest.raises(CertificateError) as caught:
        check(data, now=now, peer=peer)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 300
    return text
