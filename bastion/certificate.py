"""Make and check OpenSSH certificates.

Three kinds are made here: a bot's or person's (by login-ca, trusted by nobody but the bastion), the one that opens
a target for one session (by user-ca), and host certificates (by host-ca). One kind is checked: the first.

A bot's certificate forces a command that only says that it is for the bastion. An sshd that was told to trust
login-ca by mistake runs that and nothing else (PROTOCOL.certkeys, "Critical options"); the bastion, for which it is
meant, demands the option and does not obey it.

In      an OpenSSH certificate as its binary blob; what a new one is to say
Out     Login values; certificate lines as `ssh-keygen -L` reads them
Errors  CertificateError, its text fit for the peer
Source  OpenSSH PROTOCOL.certkeys
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateBuilder,
    SSHCertificateType,
    SSHCertPublicKeyTypes,
    load_ssh_public_identity,
    load_ssh_public_key,
)

CLAIMS_EXTENSION = b"claims@bastion"
FORCED_COMMAND_OPTION = b"force-command"
BASTION_ONLY_COMMAND = b"echo this certificate is for the bastion alone >&2; exit 126"
SKEW_S = 30
MINIMUM_RSA_BITS = 3072
MAXIMUM_RSA_BITS = 16384  # OpenSSL verifies with none that is larger
LONGEST_S = 24 * 3600  # of a login certificate: no identity's lifetime is longer, and no token's
UPSTREAM_S = 60
_TYPE_BYTES = 64  # RFC 4251 section 6
_LOGIN_OPTIONS = frozenset({FORCED_COMMAND_OPTION, b"source-address"})
_SOUND_TYPES = frozenset(
    {
        b"ssh-ed25519",
        b"ecdsa-sha2-nistp256",
        b"ecdsa-sha2-nistp384",
        b"ecdsa-sha2-nistp521",
        b"ssh-rsa",
    }
)
# NotImplementedError: a point in compressed form (RFC 5656 section 3.1 leaves it open; OpenSSH does not read it).
_UNREADABLE = (ValueError, UnsupportedAlgorithm, NotImplementedError, TypeError, IndexError)
_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class CertificateError(ValueError):
    """The certificate or key cannot be accepted; the text says why and is fit for the peer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a certificate of login-ca says; times are seconds since 1970. `key` is the bare public key's blob.

    `source_addresses` are networks, None where the certificate does not say from where it may be used.
    """

    identity: str
    key_id: str
    serial: int
    valid_after: int
    valid_before: int
    key: bytes
    claims: Mapping[str, str]
    groups: tuple[str, ...]
    source_addresses: tuple[str, ...] | None


def key_line(blob: bytes) -> bytes:
    """Return a key or certificate blob as the text line that key files hold; raise CertificateError."""
    return _type_name(blob) + b" " + base64.b64encode(blob)


def sound_key(blob: bytes) -> None:
    """Raise CertificateError unless the blob is a plain Ed25519, ECDSA or RSA key of 3072 bits or more."""
    _sound(blob)


def _sound(blob: bytes) -> _PublicKey:
    try:
        # By its name: the library reads a security key's blob as if it were the plain key that is in it.
        if _type_name(blob) not in _SOUND_TYPES:
            raise CertificateError("this kind of key cannot be certified: use ed25519, ECDSA or RSA")
        key = load_ssh_public_key(key_line(blob))
    except CertificateError:
        raise
    except _UNREADABLE as error:
        raise CertificateError("this key cannot be read: use ed25519, ECDSA or RSA") from error
    if isinstance(key, rsa.RSAPublicKey) and not MINIMUM_RSA_BITS <= key.key_size <= MAXIMUM_RSA_BITS:
        raise CertificateError(
            f"RSA keys need {MINIMUM_RSA_BITS} to {MAXIMUM_RSA_BITS} bits, this one has {key.key_size};"
            " or use ed25519"
        )
    assert isinstance(key, _PublicKey)  # noqa: S101 - the type name has seen to it
    if _blob(key) != blob:  # RFC 4251 section 5: an mpint has no unnecessary leading bytes
        raise CertificateError("this key is not written as its standard says: make it with ssh-keygen")
    return key


def issue_login(
    blob: bytes,
    *,
    ca: ed25519.Ed25519PrivateKey,
    identity: str,
    key_id: str,
    claims: Mapping[str, str],
    groups: Sequence[str],
    now: float,
    valid_before: int,
) -> tuple[str, int]:
    """Return (certificate line, serial) for a bot's key; raise CertificateError for an unsound key."""
    key = _sound(blob)
    serial = secrets.randbits(63)
    evidence = json.dumps(
        {"claims": dict(claims), "groups": list(groups)}, separators=(",", ":"), sort_keys=True
    )
    certificate = (
        SSHCertificateBuilder()
        .public_key(key)
        .serial(serial)
        .type(SSHCertificateType.USER)
        .key_id(key_id.encode())
        .valid_principals([identity.encode()])
        .valid_after(int(now) - SKEW_S)
        .valid_before(valid_before)
        .add_critical_option(FORCED_COMMAND_OPTION, BASTION_ONLY_COMMAND)
        .add_extension(CLAIMS_EXTENSION, evidence.encode())
        .sign(ca)
    )
    return certificate.public_bytes().decode(), serial


def issue_upstream(
    blob: bytes,
    *,
    ca: ed25519.Ed25519PrivateKey,
    login: str,
    key_id: str,
    now: float,
    source_address: str,
    pty: bool,
) -> str:
    """Return the certificate line that opens one target as one login, for at most UPSTREAM_S seconds."""
    key = load_ssh_public_key(key_line(blob))
    assert isinstance(key, ed25519.Ed25519PublicKey)  # noqa: S101 - the bastion's own, made for this session
    builder = (
        SSHCertificateBuilder()
        .public_key(key)
        .serial(secrets.randbits(63))
        .type(SSHCertificateType.USER)
        .key_id(key_id.encode())
        .valid_principals([login.encode()])
        .valid_after(int(now) - SKEW_S)
        .valid_before(int(now) + UPSTREAM_S - SKEW_S)
        .add_critical_option(b"source-address", source_address.encode())
    )
    if pty:
        builder = builder.add_extension(b"permit-pty", b"")
    return builder.sign(ca).public_bytes().decode()


def issue_host(
    blob: bytes, *, ca: ed25519.Ed25519PrivateKey, names: Sequence[str], now: float, lifetime_s: int
) -> str:
    """Return a host certificate line for exactly these names."""
    key = load_ssh_public_key(key_line(blob))
    assert isinstance(key, ed25519.Ed25519PublicKey)  # noqa: S101 - the bastion's own host key
    certificate = (
        SSHCertificateBuilder()
        .public_key(key)
        .serial(secrets.randbits(63))
        .type(SSHCertificateType.HOST)
        .key_id(names[0].encode())
        .valid_principals([name.encode() for name in names])
        .valid_after(int(now) - 300)
        .valid_before(int(now) + lifetime_s)
        .sign(ca)
    )
    return certificate.public_bytes().decode()


def _type_name(blob: bytes) -> bytes:
    """Return a blob's type name (RFC 4251 section 6: no control characters, no white space)."""
    length = int.from_bytes(blob[:4], "big")
    name = blob[4 : 4 + length]
    # With a space in it, the name would carry the key that the text line is then read to hold.
    if len(name) != length or not 0 < length <= _TYPE_BYTES or not all(0x21 <= byte <= 0x7E for byte in name):
        raise CertificateError("not an SSH key")
    return name


def is_certificate(blob: bytes) -> bool:
    """Say whether a public key blob is an OpenSSH certificate, by its type name."""
    length = int.from_bytes(blob[:4], "big")
    return length <= _TYPE_BYTES and b"-cert-v0" in blob[4 : 4 + length]


def check_login(blob: bytes, *, ca: ed25519.Ed25519PublicKey, now: float, peer: str) -> Login:
    """Return what a certificate of ours says, once everything about it holds; raise CertificateError.

    `peer` is the address of the client's own socket, for a `source-address` option.
    """
    certificate = _parse(blob)
    try:
        kind, signer = certificate.type, certificate.signature_key()
    except _UNREADABLE as error:
        raise CertificateError(f"not a certificate that can be used here: {error}") from error
    if kind is not SSHCertificateType.USER:
        raise CertificateError("this is a host certificate, not a user's")
    if not isinstance(signer, ed25519.Ed25519PublicKey) or _raw(signer) != _raw(ca):
        raise CertificateError("this certificate is not one of this bastion's login CA")
    try:
        certificate.verify_cert_signature()
    except InvalidSignature as error:
        raise CertificateError("the certificate's signature does not hold") from error
    login = _read(certificate)
    _check_use(login, now, peer)
    return login


def _check_use(login: Login, now: float, peer: str) -> None:
    if now < login.valid_after:
        raise CertificateError("the certificate is not valid yet: check this machine's clock")
    if now >= login.valid_before:
        raise CertificateError("the certificate has expired: ask login@ for a new one with a fresh token")
    if login.valid_before - login.valid_after > LONGEST_S + SKEW_S:
        raise CertificateError(f"the certificate is good for more than {LONGEST_S // 3600} hours")
    if login.source_addresses is None:
        return
    try:
        address = ipaddress.ip_address(peer)
        near = any(address in ipaddress.ip_network(net, strict=False) for net in login.source_addresses)
    except ValueError as error:
        raise CertificateError("the certificate's source-address cannot be read") from error
    if not near:
        raise CertificateError("the certificate may not be used from this address")


def _parse(blob: bytes) -> SSHCertificate:
    try:
        found = load_ssh_public_identity(key_line(blob))
    except _UNREADABLE as error:
        raise CertificateError(f"not a certificate that can be read: {error}") from error
    if not isinstance(found, SSHCertificate):
        raise CertificateError("a plain key is not enough: ask login@ for a certificate first")
    return found


def _read(certificate: SSHCertificate) -> Login:
    unknown = set(certificate.critical_options) - _LOGIN_OPTIONS
    if unknown:
        name = sorted(unknown)[0].decode("ascii", "backslashreplace")
        raise CertificateError(f"the certificate has a critical option that is not known: {name[:64]!r}")
    if certificate.critical_options.get(FORCED_COMMAND_OPTION) != BASTION_ONLY_COMMAND:
        raise CertificateError("this certificate was not made for a login at the bastion")
    principals = certificate.valid_principals
    if len(principals) != 1:
        # No principals at all would mean "any user" (PROTOCOL.certkeys): never accepted here.
        raise CertificateError("the certificate must name exactly one identity")
    try:
        identity, key_id = principals[0].decode("ascii"), certificate.key_id.decode("utf-8")
        evidence = json.loads(certificate.extensions.get(CLAIMS_EXTENSION, b""))
        claims = {str(key): str(value) for key, value in evidence["claims"].items()}
        groups = tuple(str(group) for group in evidence["groups"])
        source = certificate.critical_options.get(b"source-address")
        sources = None if source is None else tuple(source.decode("ascii").split(","))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CertificateError("the certificate's content cannot be read") from error
    if not identity or not all(char.isalnum() or char in "._-" for char in identity):
        raise CertificateError("the certificate names an identity with characters that no identity has")
    if not key_id.startswith(identity + "/") or not key_id.isprintable():
        raise CertificateError("the certificate's key id does not belong to its identity")
    return Login(
        identity=identity,
        key_id=key_id,
        serial=certificate.serial,
        valid_after=certificate.valid_after,
        valid_before=certificate.valid_before,
        key=_subject(certificate),
        claims=claims,
        groups=groups,
        source_addresses=sources,
    )


def _subject(certificate: SSHCertificate) -> bytes:
    """Return the blob of the key that a certificate is for."""
    try:
        return _blob(certificate.public_key())
    except _UNREADABLE as error:
        raise CertificateError(f"the certificate's key cannot be read: {error}") from error


def _blob(key: SSHCertPublicKeyTypes) -> bytes:
    return binascii.a2b_base64(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])


def _raw(key: ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
