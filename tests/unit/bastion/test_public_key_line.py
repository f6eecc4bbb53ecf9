"""Host keys and host CAs as they stand in the configuration."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bastion.public_key_line import parse_public_key_line


def line_of(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


ED25519 = line_of(ed25519.Ed25519PrivateKey.generate())
BLOB = ED25519.split()[1]


def blob(*fields: bytes) -> str:
    return base64.b64encode(b"".join(len(field).to_bytes(4, "big") + field for field in fields)).decode()


@pytest.mark.parametrize(
    "line",
    [
        ED25519,
        line_of(ec.generate_private_key(ec.SECP256R1())),
        line_of(ec.generate_private_key(ec.SECP384R1())),
        line_of(ec.generate_private_key(ec.SECP521R1())),
        line_of(rsa.generate_private_key(65537, 3072)),
    ],
)
def test_key_of_each_type_is_taken_and_its_comment_dropped(line: str) -> None:
    assert parse_public_key_line(f"{line} root@web-1\n") == line


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", 'got "", expected one line "TYPE BASE64", TYPE one of ssh-ed25519,'),
        ("ssh-ed25519", 'expected one line "TYPE BASE64"'),
        (f"web-1 {ED25519}", 'expected one line "TYPE BASE64"'),
        (f"{ED25519}\n{ED25519}", "got more than one line, expected one line"),
        (f"ssh-dss {BLOB}", "TYPE one of"),
        (f"ssh-ed25519-cert-v01@openssh.com {BLOB}", "TYPE one of"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "TYPE one of"),
        ("ssh-ed25519 AAAA…", "the key after ssh-ed25519 is cut or altered, expected the whole line"),
        (f"ssh-ed25519 {BLOB[:-8]}", "the key after ssh-ed25519 is cut or altered"),
        (f"ssh-ed25519 {BLOB}AAAA", "the key after ssh-ed25519 is cut or altered"),
        (f"ssh-rsa {BLOB}", 'the key says it is "ssh-ed25519" but the line says ssh-rsa, expected the same'),
        (f"ssh-ed25519 {blob()}x===", "cut or altered"),
        (f"ssh-ed25519 {blob(b'ssh-ed25519')}", "the key is not a whole ssh-ed25519 key"),
        (f"ssh-ed25519 {blob(b'ssh-ed25519', b'x' * 31)}", "the key is not a whole ssh-ed25519 key"),
        (f"ssh-ed25519 {blob(b'ssh-ed25519', b'x' * 32, b'y')}", "the key is not a whole ssh-ed25519 key"),
        (
            f"ecdsa-sha2-nistp256 {blob(b'ecdsa-sha2-nistp256', b'nistp384', b'x')}",
            "the key is not a whole ecdsa-sha2-nistp256 key",
        ),
    ],
)
def test_t6_what_is_no_plain_public_key_is_refused(line: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_public_key_line(line)
    assert message in str(caught.value)
    assert ", expected " in str(caught.value)
