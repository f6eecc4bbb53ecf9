"""Say what peers say in SSH: sample packets of every kind, and how a part of an input becomes bytes on the wire.

Source  RFC 4252, 4253, 4254; OpenSSH PROTOCOL
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.fuzz.mutation import Part
from tests.fuzz.ssh_stage import SESSION_ID, gcm
from tests.unit.bastion import certificate_forge as forge
from tests.unit.bastion.certificate_forge import string

RAW, PACKET, SIGNED, FLOOD, CUT = range(5)
KINDS = (RAW, PACKET, SIGNED, FLOOD, CUT)
FLOOD_BYTES = 8 * 1024
VERSION = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
SAYS_LOGIN = string(b"login") + string(b"ssh-connection") + string(b"publickey")
SAYS_BOT = string(b"bot") + string(b"ssh-connection") + string(b"publickey")


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def framed(payload: bytes, block: int) -> bytes:
    """Return a payload as a packet (RFC 4253 section 6), its length counted into the blocks or not (AEAD)."""
    padding = -(len(payload) + 1 + (4 if block == 8 else 0)) % block
    padding += block if padding < 4 else 0
    return number(len(payload) + padding + 1) + bytes([padding]) + payload + bytes(padding)


def pieces(parts: list[Part], block: int, seal: Callable[[bytes], bytes] = bytes) -> Iterator[bytes]:
    """Yield what is fed for each part; `seal` encrypts a packet."""
    for kind, body in parts:
        match kind % len(KINDS):
            case 0:
                yield body
            case 1:
                yield seal(framed(body, block))
            case 2:
                signature = forge.key("bot").sign(string(SESSION_ID) + body)
                yield seal(framed(body + string(string(b"ssh-ed25519") + string(signature)), block))
            case 3:
                packet = framed(body, block)
                yield b"".join(seal(packet) for _ in range(FLOOD_BYTES // len(packet) or 1))
            case _:
                packet = seal(framed(body, block))
                yield packet[: len(packet) // 2]
                yield packet[len(packet) // 2 :]


def sealer() -> Callable[[bytes], bytes]:
    """Return what encrypts a client's packets, one after the other, as a sealed stage decrypts them."""
    cipher = gcm(b"in")

    def seal(packet: bytes) -> bytes:
        sealed, tag = cipher.encrypt_packet(0, packet[:4], packet[4:])
        return bytes(sealed + tag)

    return seal


# Before the keys.


def kexinit(
    kex: bytes = b"curve25519-sha256,kex-strict-c-v00@openssh.com,ext-info-c",
    key: bytes = b"ssh-ed25519",
    cipher: bytes = b"aes128-gcm@openssh.com",
    follows: int = 0,
) -> bytes:
    lists = (kex, key, cipher, cipher, b"hmac-sha2-256", b"hmac-sha2-256", b"none", b"none", b"", b"")
    return bytes([20]) + bytes(16) + b"".join(map(string, lists)) + bytes([follows]) + number(0)


POINT = bytes([9]) + bytes(31)
BEFORE_KEYS: tuple[Part, ...] = (
    (RAW, VERSION),
    (RAW, b"SSH-1.99-old\n"),
    (RAW, b"GET / HTTP/1.1\r\nHost: bastion\r\n\r\n"),
    (RAW, b"SSH-2.0-" + b"x" * 300 + b"\r\n"),
    (RAW, b"SSH-2.0-caf\xc3\xa9\r\n"),
    (RAW, bytes(8)),
    (RAW, number(0x40000) + b"\4" + bytes(40)),
    (PACKET, kexinit()),
    (PACKET, kexinit(b"diffie-hellman-group-exchange-sha256")),
    (PACKET, kexinit(b"diffie-hellman-group14-sha256")),
    (PACKET, kexinit(b"diffie-hellman-group18-sha512")),
    (PACKET, kexinit(b"ecdh-sha2-nistp256")),
    (PACKET, kexinit(b"ecdh-sha2-nistp521", b"ssh-ed25519-cert-v01@openssh.com")),
    (PACKET, kexinit(b"mlkem768x25519-sha256")),
    (PACKET, kexinit(b"rsa2048-sha256")),
    (PACKET, kexinit(b"gss-curve25519-sha256")),
    (PACKET, kexinit(b"ecdh-sha2-nistp256,curve25519-sha256", follows=1)),
    (PACKET, bytes([30]) + string(POINT)),
    (PACKET, bytes([30]) + string(bytes(32))),
    (PACKET, bytes([30]) + string(b"\4" + bytes(64))),
    (PACKET, bytes([30]) + string(b"\0" + b"\xaa" * 255)),
    (PACKET, bytes([34]) + number(1024) + number(2048) + number(8192)),
    (PACKET, bytes([30]) + number(8192)),
    (PACKET, bytes([32]) + string(b"\0" + b"\xaa" * 255)),
    (PACKET, bytes([21])),
    (PACKET, bytes([1]) + number(11) + string(b"bye") + string(b"")),
    (PACKET, bytes([2]) + string(b"ignored")),
    (PACKET, bytes([3]) + number(0)),
    (PACKET, bytes([4, 1]) + string(b"said") + string(b"")),
    (PACKET, bytes([5]) + string(b"ssh-userauth")),
    (PACKET, bytes([7]) + number(0)),
    (PACKET, bytes([50]) + SAYS_BOT),
    (PACKET, bytes([80]) + string(b"keepalive@openssh.com") + b"\1"),
    (PACKET, bytes([90]) + string(b"session") + number(0) * 3),
    (FLOOD, bytes([2]) + string(b"")),
    (CUT, kexinit()),
)


# Before the login.


def query(says: bytes, algorithm: bytes, blob: bytes, signs: int) -> bytes:
    return bytes([50]) + says + bytes([signs]) + string(algorithm) + string(blob)


def _logins() -> tuple[Part, ...]:
    key, cert = forge.blob("bot"), forge.certificate()
    cert_type = forge.ED25519_CERTIFICATE
    ecdsa = b"ecdsa-sha2-nistp256"
    return (
        (PACKET, bytes([5]) + string(b"ssh-userauth")),
        (SIGNED, query(SAYS_LOGIN, b"ssh-ed25519", key, 1)),
        (SIGNED, query(SAYS_BOT, cert_type, cert, 1)),
        (PACKET, query(SAYS_LOGIN, b"ssh-ed25519", key, 0)),
        (PACKET, query(SAYS_BOT, cert_type, cert, 0)),
        (PACKET, query(SAYS_BOT, cert_type, cert, 1) + string(string(b"ssh-ed25519") + string(bytes(64)))),
        (SIGNED, query(SAYS_BOT, b"ssh-ed25519", key, 1)),
        (SIGNED, query(SAYS_LOGIN, cert_type, cert, 1)),
        (PACKET, query(SAYS_BOT, cert_type, forge.certificate(ca="other"), 0)),
        (
            PACKET,
            query(SAYS_LOGIN, ecdsa, string(ecdsa) + string(b"nistp256") + string(b"\4" + bytes(64)), 0),
        ),
        (
            PACKET,
            query(
                SAYS_LOGIN,
                b"rsa-sha2-256",
                string(b"ssh-rsa") + string(b"\1\0\1") + string(b"\0" + b"\xaa" * 384),
                0,
            ),
        ),
        (PACKET, bytes([50]) + string(b"bot") + string(b"ssh-connection") + string(b"none")),
        (
            PACKET,
            bytes([50])
            + string(b"bot")
            + string(b"ssh-connection")
            + string(b"password")
            + b"\0"
            + string(b"x"),
        ),
        (
            PACKET,
            bytes([50])
            + string(b"bot")
            + string(b"ssh-connection")
            + string(b"keyboard-interactive")
            + string(b"") * 2,
        ),
        (
            PACKET,
            bytes([50])
            + string(b"bot")
            + string(b"ssh-connection")
            + string(b"hostbased")
            + string(b"ssh-ed25519")
            + string(key)
            + string(b"h")
            + string(b"u")
            + string(b"s"),
        ),
        (
            PACKET,
            bytes([50])
            + string(b"bot")
            + string(b"ssh-connection")
            + string(b"gssapi-with-mic")
            + number(1)
            + string(b"\6\1\1"),
        ),
        (PACKET, bytes([50]) + string(b"bot") + string(b"ssh-other") + string(b"none")),
        (
            PACKET,
            bytes([50])
            + string("bo\u00add\ufb01\u0660".encode())
            + string(b"ssh-connection")
            + string(b"none"),
        ),
        (PACKET, bytes([52])),
        (PACKET, bytes([51]) + string(b"publickey") + b"\0"),
        (PACKET, bytes([53]) + string(b"hello") + string(b"")),
        (PACKET, bytes([60]) + string(b"ssh-ed25519") + string(key)),
        (PACKET, bytes([61]) + number(1) + string(b"secret")),
        (PACKET, bytes([66]) + string(b"mic")),
        (PACKET, bytes([7]) + number(1) + string(b"server-sig-algs") + string(b"ssh-ed25519")),
        (PACKET, bytes([1]) + number(14) + string(b"bye") + string(b"")),
        (PACKET, bytes([4, 1]) + string(b"said") + string(b"en")),
        (PACKET, bytes([6]) + string(b"ssh-userauth")),
        (PACKET, kexinit()),
        (PACKET, bytes([30]) + string(POINT)),
        (PACKET, bytes([21])),
        (PACKET, bytes([192])),
        (PACKET, b""),
        (FLOOD, bytes([50]) + string(b"bot") + string(b"ssh-connection") + string(b"none")),
        (FLOOD, bytes([2]) + string(b"")),
        (RAW, number(0) + bytes(12)),
        (RAW, number(12) + bytes(12)),
        (RAW, number(0xFFFFFFFF) + bytes(12)),
    )


SESSION: Part = (PACKET, bytes([90]) + string(b"session") + number(0) + number(2**21) + number(32768))
JUMP: Part = (
    PACKET,
    bytes([90])
    + string(b"direct-tcpip")
    + number(0)
    + number(2**21)
    + number(32768)
    + string(b"web-1")
    + number(22)
    + string(b"192.0.2.7")
    + number(5),
)
RUN: Part = (PACKET, bytes([98]) + number(0) + string(b"exec") + b"\1" + string(b"sessions"))
DATA: Part = (PACKET, bytes([94]) + number(0) + string(b"data"))
EOF: Part = (PACKET, bytes([96]) + number(0))
CLOSE: Part = (PACKET, bytes([97]) + number(0))

CHANNELS: tuple[Part, ...] = (
    SESSION,
    JUMP,
    RUN,
    DATA,
    EOF,
    CLOSE,
    (PACKET, bytes([90]) + string(b"session") + number(7) + number(0xFFFFFFFF) + number(0xFFFFFFFF)),
    (PACKET, bytes([90]) + string(b"session") + number(0) + number(0) + number(0)),
    (PACKET, bytes([90]) + string(b"channel") + number(0) + number(9) + number(2048)),
    (
        PACKET,
        bytes([90])
        + string(b"direct-tcpip")
        + number(1)
        + number(9)
        + number(1024)
        + string(b"other")
        + number(70000)
        + string(b"")
        + number(0),
    ),
    (
        PACKET,
        bytes([90])
        + string(b"direct-streamlocal@openssh.com")
        + number(0)
        + number(9)
        + number(2048)
        + string(b"/run/x")
        + string(b"")
        + number(0),
    ),
    (
        PACKET,
        bytes([90])
        + string(b"tun@openssh.com")
        + number(0)
        + number(9)
        + number(2048)
        + number(1)
        + number(0x7FFFFFFF),
    ),
    (PACKET, bytes([90]) + string(b"x11") + number(0) + number(9) + number(2048) + string(b"a") + number(1)),
    (PACKET, bytes([90]) + string(b"auth-agent@openssh.com") + number(0) + number(9) + number(2048)),
    (
        PACKET,
        bytes([90])
        + string(b"forwarded-tcpip")
        + number(0)
        + number(9)
        + number(2048)
        + string(b"a")
        + number(1)
        + string(b"b")
        + number(2),
    ),
    (PACKET, bytes([91]) + number(0) * 2 + number(2**21) + number(32768)),
    (PACKET, bytes([92]) + number(0) + number(1) + string(b"no") + string(b"en")),
    (PACKET, bytes([93]) + number(0) + number(0xFFFFFFFF)),
    (PACKET, bytes([94]) + number(0) + string(VERSION)),
    (PACKET, bytes([94]) + number(0) + string(framed(kexinit(), 8))),
    (PACKET, bytes([94]) + number(0) + string(framed(bytes([30]) + string(POINT), 8))),
    (PACKET, bytes([95]) + number(0) + number(1) + string(b"err")),
    (PACKET, bytes([98]) + number(0) + string(b"exec") + b"\1" + string(b"certificate")),
    (PACKET, bytes([98]) + number(0) + string(b"exec") + b"\0" + string(b"\xff\x00")),
    (PACKET, bytes([98]) + number(0) + string(b"shell") + b"\1"),
    (PACKET, bytes([98]) + number(0) + string(b"subsystem") + b"\1" + string(b"shell:deploy@web-1")),
    (PACKET, bytes([98]) + number(0) + string(b"subsystem") + b"\1" + string(b"sftp")),
    (PACKET, bytes([98]) + number(0) + string(b"env") + b"\1" + string(b"LC_ALL") + string(b"C")),
    (PACKET, bytes([98]) + number(0) + string(b"env") + b"\0" + string(b"LC_\xc3\xa9") + string(b"\xff\xfe")),
    (
        PACKET,
        bytes([98])
        + number(0)
        + string(b"pty-req")
        + b"\1"
        + string(b"xterm")
        + number(80)
        + number(24)
        + number(0) * 2
        + string(b"\x01" + number(3) + b"\x80" + number(9600) + b"\0"),
    ),
    (PACKET, bytes([98]) + number(0) + string(b"window-change") + b"\0" + number(0xFFFFFFFF) * 4),
    (PACKET, bytes([98]) + number(0) + string(b"signal") + b"\0" + string(b"TERM")),
    (PACKET, bytes([98]) + number(0) + string(b"break") + b"\1" + number(500)),
    (PACKET, bytes([98]) + number(0) + string(b"xon-xoff") + b"\0\1"),
    (
        PACKET,
        bytes([98])
        + number(0)
        + string(b"x11-req")
        + b"\1\0"
        + string(b"MIT-MAGIC-COOKIE-1")
        + string(b"00")
        + number(0),
    ),
    (PACKET, bytes([98]) + number(0) + string(b"auth-agent-req@openssh.com") + b"\1"),
    (PACKET, bytes([98]) + number(0) + string(b"eow@openssh.com") + b"\0"),
    (PACKET, bytes([98]) + number(0) + string(b"exit-status") + b"\0" + number(0)),
    (
        PACKET,
        bytes([98]) + number(0) + string(b"exit-signal") + b"\0" + string(b"TERM") + b"\0" + string(b"") * 2,
    ),
    (PACKET, bytes([98]) + number(0) + string(b"keepalive@openssh.com") + b"\1"),
    (PACKET, bytes([99]) + number(0)),
    (PACKET, bytes([100]) + number(0)),
    (PACKET, bytes([80]) + string(b"tcpip-forward") + b"\1" + string(b"0.0.0.0") + number(8080)),
    (PACKET, bytes([80]) + string(b"cancel-tcpip-forward") + b"\1" + string(b"0.0.0.0") + number(8080)),
    (PACKET, bytes([80]) + string(b"streamlocal-forward@openssh.com") + b"\1" + string(b"/run/x")),
    (PACKET, bytes([80]) + string(b"cancel-streamlocal-forward@openssh.com") + b"\1" + string(b"/run/x")),
    (PACKET, bytes([80]) + string(b"hostkeys-prove-00@openssh.com") + b"\1" + string(forge.blob("host"))),
    (PACKET, bytes([80]) + string(b"hostkeys-00@openssh.com") + b"\0" + string(forge.blob("host"))),
    (PACKET, bytes([80]) + string(b"keepalive@openssh.com") + b"\1"),
    (PACKET, bytes([80]) + string(b"no-more-sessions@openssh.com") + b"\0"),
    (PACKET, bytes([80]) + string(b"nobody-knows") + b"\1"),
    (PACKET, bytes([81])),
    (PACKET, bytes([82])),
    (FLOOD, bytes([80]) + string(b"keepalive@openssh.com") + b"\1"),
    (FLOOD, bytes([90]) + string(b"session") + number(0) + number(2**21) + number(32768)),
    (FLOOD, bytes([94]) + number(0) + string(b"")),
    (FLOOD, bytes([93]) + number(0) + number(1)),
    (FLOOD, bytes([98]) + number(0) + string(b"env") + b"\1" + string(b"LC_ALL") + string(b"C")),
    (FLOOD, bytes([98]) + number(0) + string(b"signal") + b"\0" + string(b"TERM")),
    (FLOOD, bytes([98]) + number(0) + string(b"auth-agent-req@openssh.com") + b"\0"),
)

LOGINS = _logins()
