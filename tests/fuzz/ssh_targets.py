"""Be a peer that breaks every rule of SSH: before the keys, before the login, after it.

Source  RFC 4252, 4253, 4254; OpenSSH PROTOCOL
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bastion.certificate import CertificateError, check_login, sound_key
from tests.fuzz import mutation
from tests.fuzz.mutation import pack, unpack
from tests.fuzz.ssh_packets import (
    BEFORE_KEYS,
    CHANNELS,
    CLOSE,
    DATA,
    EOF,
    JUMP,
    KINDS,
    LOGINS,
    PACKET,
    POINT,
    RAW,
    RUN,
    SESSION,
    framed,
    kexinit,
    number,
    pieces,
    sealer,
)
from tests.fuzz.ssh_stage import SESSION_ID, Stage
from tests.fuzz.target import Target, require
from tests.unit.bastion import certificate_forge as forge
from tests.unit.bastion.certificate_forge import string

GRANTED = frozenset({52, 81, 91, 99})


# Before the keys.


def _transport_seeds() -> list[bytes]:
    hello = [BEFORE_KEYS[0]]
    begun = [*hello, (PACKET, kexinit())]
    seeds = [pack([part]) for part in BEFORE_KEYS[:5]] + [pack([*hello, part]) for part in BEFORE_KEYS[5:]]
    seeds += [pack([*begun, part]) for part in BEFORE_KEYS[7:]]
    for which in (b"diffie-hellman-group-exchange-sha256",):
        ask = (PACKET, bytes([34]) + number(1024) + number(2048) + number(8192))
        seeds.append(pack([*hello, (PACKET, kexinit(which)), ask, (PACKET, bytes([32]) + string(POINT))]))
    for which in (
        b"ecdh-sha2-nistp256",
        b"diffie-hellman-group14-sha256",
        b"rsa2048-sha256",
        b"mlkem768x25519-sha256",
    ):
        for answer in BEFORE_KEYS[17:24]:
            seeds.append(pack([*hello, (PACKET, kexinit(which)), answer]))
    done = [*begun, (PACKET, bytes([30]) + string(POINT)), (PACKET, bytes([21]))]
    return [*seeds, pack(done), pack([*done, (RAW, bytes(range(64)))])]


def transport(data: bytes) -> None:
    """Feed a connection from its first byte; nobody may get as far as the login service."""
    parts = unpack(data)
    stage = Stage().play(pieces(parts, 8))
    require(not stage.connection._auth_in_progress, "a login began without keys")
    require(not stage.connection._auth_complete, "logged in without keys")
    if all(kind % len(KINDS) != RAW for kind, _ in parts[1:]):
        _strict([body for _, body in parts[1:]], stage.opening())


def _strict(said: list[bytes], answered: list[bytes]) -> None:
    """Demand that strict key exchange was kept: KEXINIT first, and nothing beside the exchange (OpenSSH PROTOCOL)."""
    kinds = [payload[0] for payload in said if payload]
    asked = next((payload for payload in said if payload[:1] == b"\x14"), b"")
    if b"\x15" in (payload[:1] for payload in answered) and b"kex-strict-c-v00@openssh.com" in asked:
        before = kinds[: kinds.index(30)] if 30 in kinds else kinds
        require(before[:1] == [20], "keys agreed on although KEXINIT was not the first packet")
        require(not {2, 3, 4} & set(before), "keys agreed on although there was more than the exchange")


# Before the login.


def _auth_seeds() -> list[bytes]:
    asked = [LOGINS[0]]
    seeds = [pack([part]) for part in LOGINS] + [pack([*asked, part]) for part in (*LOGINS, *CHANNELS)]
    seeds += [pack([*asked, first, second]) for first in LOGINS[1:6] for second in LOGINS[1:12]]
    return [*seeds, pack([*asked, LOGINS[1], *CHANNELS[::7]]), pack([*asked, LOGINS[2], *CHANNELS[::5]])]


def auth(data: bytes) -> None:
    """Feed a connection that has its keys; only a signature over this connection may log in."""
    stage = Stage().behind_keys().play(pieces(unpack(data), 16))
    sent = stage.sent()
    if stage.connection._auth_complete:
        require(any(map(_proves_login, stage.received.payloads)), "logged in without a signature that holds")
    else:
        granted = [payload[0] for payload in sent if payload[:1] and payload[0] in GRANTED]
        require(not granted, f"granted something before the login: packet {granted[:1]}")


def _proves_login(payload: bytes, *, plain_keys: bool = True) -> bool:
    """Say whether a payload is a login that must be accepted, as read by nobody but this function."""
    fields, rest = [], payload[1:]
    for at in range(6):
        if at == 3:
            if rest[:1] in (b"", b"\0"):
                return False
            rest = rest[1:]
        length = int.from_bytes(rest[:4], "big")
        fields.append(rest[4 : 4 + length])
        rest = rest[4 + length :]
    user, service, method, _algorithm, blob, signature = fields
    signed = payload[: len(payload) - 4 - len(signature)]
    if payload[0] != 50 or rest or (service, method) != (b"ssh-connection", b"publickey"):
        return False
    key = blob
    try:
        if user == b"login" and plain_keys:
            sound_key(blob)
        else:
            key = check_login(blob, ca=forge.key("login-ca").public_key(), now=forge.NOW, peer=forge.PEER).key
        Ed25519PublicKey.from_public_bytes(key[-32:]).verify(signature[-64:], string(SESSION_ID) + signed)
    except (CertificateError, InvalidSignature, ValueError):
        return False
    return True


# After the login.


def _packets_seeds() -> list[bytes]:
    ways = ([], [SESSION], [SESSION, RUN], [JUMP])
    seeds = [pack([*way, part]) for way in ways for part in CHANNELS]
    return [*seeds, pack([SESSION, RUN, DATA, EOF, CLOSE])]


def packets(data: bytes) -> None:
    """Feed a connection that is logged in, with a certificate or as login@ with a plain key.

    It is done twice: in clear, where asyncssh takes all packets in, and in AES-GCM, where ours takes those of data.
    """
    plain_key, parts = data[:1] == b"\xff", unpack(data[data[:1] == b"\xff" :])
    clear = Stage().behind_keys().logged_in(plain_key=plain_key).play(pieces(parts, 16))
    sealed = Stage().behind_keys(sealed=True).logged_in(plain_key=plain_key).play(pieces(parts, 16, sealer()))
    if not clear.door.jumps and all(
        kind % len(KINDS) != RAW for kind, _ in parts
    ):  # a jump answers at random
        require(_said(sealed) == _said(clear), "in AES-GCM, other answers")
        require(sealed.house.notes == clear.house.notes, "in AES-GCM, another record")


def _said(stage: Stage) -> list[bytes]:
    """Return what the server said, without what is random in a KEXINIT."""
    return [payload[:1] if payload[:1] in (b"\x14", b"\x1f") else payload for payload in stage.sent()]


# At the far end of a jump.


def _jump_seeds() -> list[bytes]:
    asked, login = LOGINS[0], LOGINS[2]
    seeds = [pack([part]) for part in LOGINS] + [pack([asked, part]) for part in (*LOGINS, *CHANNELS)]
    return seeds + [pack([asked, login, part]) for part in CHANNELS]


def jump(data: bytes) -> None:
    """Feed the server inside a jump; only the certificate of the outer login may log in, with a signature."""
    stage = Stage().behind_keys().logged_in()

    def wrapped() -> Iterator[bytes]:
        yield framed(JUMP[1], 16)
        for piece in pieces(unpack(data), 16):
            if stage.inner is not None:
                yield b"".join(
                    framed(DATA[1][:5] + string(piece[at : at + 30_000]), 16)
                    for at in range(0, len(piece), 30_000)
                )

    stage.play(wrapped())
    require(stage.inner is not None, "no jump")
    if stage.inner._auth_complete:
        proofs = (_proves_login(payload, plain_keys=False) for payload in stage.inner_received.payloads)
        require(any(proofs), "logged in without a signature that holds")


TRANSPORT = Target(
    name="transport",
    feeds="the bytes of a stranger from the first: version line, KEXINIT, key exchange, packets before the keys",
    run=transport,
    seeds=_transport_seeds,
    mutate=mutation.parts(mutation.strings, KINDS, BEFORE_KEYS),
)
AUTH = Target(
    name="auth",
    feeds="packets after the keys and before the login: services, logins (signed ones too), channels, requests",
    run=auth,
    seeds=_auth_seeds,
    mutate=mutation.parts(mutation.strings, KINDS, (*LOGINS, *CHANNELS)),
)
JUMPED = Target(
    name="jump",
    feeds="packets to the server inside a jump, before and after its own login",
    run=jump,
    seeds=_jump_seeds,
    mutate=mutation.parts(mutation.strings, KINDS, (*LOGINS, *CHANNELS)),
)
PACKETS = Target(
    name="packets",
    feeds="packets after the login: channels, requests, data, a second SSH server inside a jump",
    run=packets,
    seeds=_packets_seeds,
    mutate=mutation.parts(mutation.strings, KINDS, CHANNELS),
)
