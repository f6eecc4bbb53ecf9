"""Feed certificates and public keys, and read what was accepted a second time, by other means.

Source  OpenSSH PROTOCOL.certkeys; RFC 4251 section 5; RFC 4253 section 6.6
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import asyncssh
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bastion.certificate import (
    BASTION_ONLY_COMMAND,
    CLAIMS_EXTENSION,
    FORCED_COMMAND_OPTION,
    CertificateError,
    check_login,
    is_certificate,
    issue_login,
    key_line,
    sound_key,
)
from bastion.public_key_line import parse_public_key_line
from tests.fuzz import mutation
from tests.fuzz.target import Target, require
from tests.unit.bastion import certificate_forge as forge
from tests.unit.bastion.certificate_forge import string

SIGNED, AS_IT_IS, BY_OTHERS = range(3)
TEXT_CHARS = 800
_FIELDS = {  # of the key within a certificate, by its type (PROTOCOL.certkeys)
    b"ssh-ed25519-cert-v01@openssh.com": (b"ssh-ed25519", 1),
    b"ecdsa-sha2-nistp256-cert-v01@openssh.com": (b"ecdsa-sha2-nistp256", 2),
    b"ecdsa-sha2-nistp384-cert-v01@openssh.com": (b"ecdsa-sha2-nistp384", 2),
    b"ecdsa-sha2-nistp521-cert-v01@openssh.com": (b"ecdsa-sha2-nistp521", 2),
    b"ssh-rsa-cert-v01@openssh.com": (b"ssh-rsa", 2),
}


def _body(blob: bytes) -> bytes:
    """Return a certificate without its signature, which is its last field."""
    return blob[: -4 - len(string(b"ssh-ed25519")) - len(string(bytes(64)))]


def _certificates() -> list[bytes]:
    wide = ((b"source-address", string(b"192.0.2.0/24,2001:db8::/32")[4:]),)
    forced = ((FORCED_COMMAND_OPTION, BASTION_ONLY_COMMAND),)
    return [
        forge.certificate(),
        forge.certificate(critical=(*forced, *wide)),
        forge.certificate(critical=()),
        forge.certificate(critical=(*forced, (b"verify-required", b""))),
        forge.certificate(principals=()),
        forge.certificate(principals=(b"a", b"b")),
        forge.certificate(kind=forge.HOST),
        forge.certificate(kind=3),
        forge.certificate(valid_after=0, valid_before=forge.FOREVER),
        forge.certificate(key_id="orders-deployer/l\u00e4uft".encode()),
        forge.certificate(key_id=b"orders-deployer/\x1b[2J"),
        forge.certificate(extensions=()),
        forge.certificate(extensions=(*forge.SOUND_EXTENSIONS, (b"permit-pty", b""))),
        forge.certificate(extensions=((CLAIMS_EXTENSION, b'{"claims": {"a": "b"}, "groups": ["x"]}'),)),
        forge.certificate(extensions=((CLAIMS_EXTENSION, b"[" * 500),)),
        forge.certificate(type_name=b"ssh-rsa-cert-v01@openssh.com"),
        forge.certificate(type_name=b"sk-ssh-ed25519-cert-v01@openssh.com"),
        forge.certificate(signature_key=forge.certificate()),
    ]


def _certificate_seeds() -> list[bytes]:
    seeds = [bytes([SIGNED]) + _body(blob) for blob in _certificates()]
    return [*seeds, bytes([AS_IT_IS]) + forge.certificate(), bytes([BY_OTHERS]) + _body(forge.certificate())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A certificate as this file reads it."""

    key: bytes
    serial: int
    kind: int
    key_id: bytes
    principals: list[bytes]
    valid_after: int
    valid_before: int
    critical: list[tuple[bytes, bytes]]
    extensions: list[tuple[bytes, bytes]]
    signer: bytes


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        taken = self.data[self.at : self.at + size]
        if len(taken) != size:
            raise ValueError("cut")
        self.at += size
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def string(self) -> bytes:
        return self.take(self.number(4))

    def strings(self) -> list[bytes]:
        inner, found = _Cursor(self.string()), []
        while inner.at < len(inner.data):
            found.append(inner.string())
        return found

    def options(self) -> list[tuple[bytes, bytes]]:
        flat = self.strings()
        values = [_Cursor(value).string() if value else b"" for value in flat[1::2]]
        return list(zip(flat[::2], values, strict=True))


def second_reading(blob: bytes) -> Read:
    """Return what a certificate says, read straight from the bytes; raise ValueError."""
    it = _Cursor(blob)
    name, count = _FIELDS[it.string()]
    it.string()  # the nonce
    key = string(name) + b"".join(string(it.string()) for _ in range(count))
    serial, kind, key_id, principals = it.number(8), it.number(4), it.string(), it.strings()
    valid_after, valid_before = it.number(8), it.number(8)
    critical, extensions = it.options(), it.options()
    it.string()  # reserved
    signer, signed = it.string(), blob[: it.at]
    signature = _Cursor(it.string())
    require(it.at == len(blob), "bytes after the certificate were accepted")
    require(signature.string() == b"ssh-ed25519", "a signature of another kind was accepted")
    Ed25519PublicKey.from_public_bytes(signer[-32:]).verify(signature.string(), signed)
    require(signature.at == len(signature.data), "bytes after the signature were accepted")
    return Read(
        key=key,
        serial=serial,
        kind=kind,
        key_id=key_id,
        principals=principals,
        valid_after=valid_after,
        valid_before=valid_before,
        critical=critical,
        extensions=extensions,
        signer=signer,
    )


def certificate(data: bytes) -> None:
    """Check a certificate; what is accepted must read the same to a second reader and to asyncssh."""
    mode, blob = (data[0] % 3, data[1:]) if data else (AS_IT_IS, data)
    if mode != AS_IT_IS:
        signature = forge.key("login-ca" if mode == SIGNED else "other").sign(blob)
        blob += string(string(b"ssh-ed25519") + string(signature))
    is_certificate(blob)
    try:
        login = check_login(blob, ca=forge.key("login-ca").public_key(), now=forge.NOW, peer=forge.PEER)
    except CertificateError as error:
        _say_why(error)
        return
    require(mode != BY_OTHERS, "a certificate of another authority was accepted")
    require(is_certificate(blob), "accepted as a certificate, and not known as one")
    read = second_reading(blob)
    require(
        read.kind == forge.USER and read.signer == forge.blob("login-ca"), "not a user certificate of ours"
    )
    require(read.principals == [login.identity.encode()], "the principals differ")
    require(read.key_id == login.key_id.encode(), "the key id differs")
    require(
        (read.valid_after, read.valid_before) == (login.valid_after, login.valid_before), "the times differ"
    )
    require(read.valid_after <= forge.NOW < read.valid_before, "accepted outside its time")
    require(read.serial == login.serial, "the serial differs")
    require(read.key == login.key, "the key differs")
    names = [name for name, _ in read.critical]
    require(len(set(names)) == len(names), "a critical option that is there twice was accepted")
    require(dict(read.critical).get(FORCED_COMMAND_OPTION) == BASTION_ONLY_COMMAND, "not for the bastion")
    require(
        set(names) <= {FORCED_COMMAND_OPTION, b"source-address"}, "an unknown critical option was accepted"
    )
    stated = dict(read.critical).get(b"source-address")
    require((stated is None) == (login.source_addresses is None), "the source address differs")
    try:
        theirs = asyncssh.import_certificate(key_line(blob))
    except asyncssh.KeyImportError as error:
        require(_odd_to_asyncssh(read), f"asyncssh refuses what was accepted: {error}")
        return
    require(theirs.principals == [login.identity], "asyncssh reads other principals")
    require(theirs.key.public_data == login.key, "asyncssh reads another key")


def _odd_to_asyncssh(read: Read) -> bool:
    """Say whether asyncssh has a reason of its own: it parses options that mean nothing here."""
    return bool(read.extensions) or len(read.critical) > 1


def _say_why(error: Exception) -> None:
    text = str(error)
    require(
        text.isprintable() and len(text) <= TEXT_CHARS,
        f"a refusal that is no line for a peer: {text[:200]!r}",
    )


def _keys() -> list[bytes]:
    ecdsa = (
        ec.derive_private_key(7, curve).public_key()
        for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
    )
    modulus = (1 << 3071) | 0xF1
    long = rsa.RSAPublicNumbers(65537, modulus | 1).public_key()
    short = rsa.RSAPublicNumbers(65537, (1 << 2047) | 0xF1).public_key()
    curve = string(b"ecdsa-sha2-nistp256") + string(b"nistp256")
    return [
        forge.blob("bot"),
        *map(forge.blob_of, (*ecdsa, long, short)),
        curve + string(b"\4" + bytes(64)),
        curve + string(b"\2" + bytes(32)),
        string(b"ssh-rsa") + string(b"\0\1\0\1") + string(b"\0\0" + modulus.to_bytes(384, "big")),
        string(b"sk-ssh-ed25519@openssh.com") + string(bytes(32)) + string(b"ssh:"),
        string(b"ssh-dss") + string(b"\1") * 4,
        forge.certificate(),
    ]


def _key_line_seeds() -> list[bytes]:
    blobs = _keys()
    texts = [b"\1" + key_line(blob) + b" bot@ci" for blob in blobs]
    return [b"\0" + blob for blob in blobs] + texts + [b"\1web-1 " + key_line(blobs[0]), b"\1" + b"-" * 40]


def key_line_target(data: bytes) -> None:
    """Judge a key of a stranger, or a key in a configuration; asyncssh must read the same key."""
    if data[:1] == b"\1":
        _configured(data[1:].decode("utf-8", "surrogateescape"))
        return
    blob = data[1:]
    try:
        sound_key(blob)
    except CertificateError as error:
        _say_why(error)
        return
    require(not is_certificate(blob), "a certificate was taken for a key")
    require(base64.b64decode(key_line(blob).split(b" ")[1]) == blob, "the line does not hold the key")
    theirs = asyncssh.import_public_key(key_line(blob))
    require(theirs.public_data == blob, "one key has two spellings: asyncssh writes it in another way")
    line, _ = issue_login(
        blob,
        ca=forge.key("login-ca"),
        identity="orders-deployer",
        key_id="orders-deployer/1",
        claims={},
        groups=(),
        now=forge.NOW,
        valid_before=int(forge.NOW) + 60,
    )
    login = check_login(
        base64.b64decode(line.split(" ")[1]),
        ca=forge.key("login-ca").public_key(),
        now=forge.NOW,
        peer=forge.PEER,
    )
    require(login.key == blob, "the certificate is for another spelling of the key")


def _configured(text: str) -> None:
    try:
        line = parse_public_key_line(text)
    except ValueError as error:
        require(str(error).isprintable() and len(str(error)) <= TEXT_CHARS, "a refusal that is no line")
        return
    require(parse_public_key_line(line) == line, "what was accepted is refused, or read differently")
    kind, encoded = line.split(" ")
    blob = base64.b64decode(encoded)
    require(blob[4 : 4 + len(kind)] == kind.encode(), "the key is of another type than its line says")


CERTIFICATE = Target(
    name="certificate",
    feeds="certificates: any bytes, and any content truly signed by the login CA; what is accepted is read a second "
    "time from the bytes, and by asyncssh",
    run=certificate,
    seeds=_certificate_seeds,
    mutate=lambda data, rng, havoc: (
        data[:1] + mutation.strings(data[1:], rng, havoc)
        if rng.randrange(20)
        else bytes([rng.randrange(3)]) + data[1:]
    ),
)
KEY_LINE = Target(
    name="key_line",
    feeds="public keys of strangers at `login@`, and public key lines of a configuration",
    run=key_line_target,
    seeds=_key_line_seeds,
    mutate=lambda data, rng, havoc: (
        data[:1] + mutation.strings(data[1:], rng, havoc)
        if rng.randrange(10)
        else data[:1] + (havoc(data[1:]) if data[1:] else b"\0")
    ),
)
