"""Choose which ciphers and key exchanges to offer.

OpenSSH's client prefers chacha20-poly1305 and the client's order wins (RFC 4253 section 7.1), but asyncssh runs that
cipher in slow steps: offering only AES-GCM, where the CPU has AES, tripled bulk throughput. GCM needs OpenSSH 6.2
or later. Without AES in hardware chacha20 comes first.

Other clients get AES-CTR after these, since some have neither (Debian 12's Paramiko). OpenSSH does not: it would prefer
CTR to GCM. With CTR goes encrypt-and-MAC, which the prefix truncation of Terrapin does not touch.

A stranger chooses the key exchange, so that only those are offered that cost us little: with rsa2048-sha256 the server
makes an RSA key for each connection (10 to 300 ms), and finite-field groups go up to 8192 bits. OpenSSH since 5.7 and
all other maintained clients have one of these.

Source  RFC 5647; OpenSSH PROTOCOL.chacha20poly1305; RFC 8731; RFC 5656; RFC 9142 section 4
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

AES_GCM = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"]
AES_CTR = ["aes256-ctr", "aes192-ctr", "aes128-ctr"]
MACS = ["hmac-sha2-256", "hmac-sha2-512"]
CHACHA = ["chacha20-poly1305@openssh.com"]
KEY_EXCHANGES = [
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
]


@cache
def offered_ciphers() -> list[str]:
    """Return the ciphers to offer, best first."""
    return AES_GCM if _has_aes() else [*CHACHA, *AES_GCM]


def ciphers_for(version: bytes, offered: Sequence[bytes]) -> Sequence[bytes]:
    """Return what to offer to a client with this identification string, beside what all are offered."""
    if version.startswith(b"SSH-2.0-OpenSSH"):
        return offered
    return [*offered, *(name.encode() for name in AES_CTR)]


def _has_aes() -> bool:
    """Say whether the CPU has AES instructions; assume so where the kernel does not tell."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return True
    return " aes" in flags
