"""Declare the detectors of how people are reached: mail, telephone, addresses of the network.

Source  RFC 5321; ITU-T E.164; RFC 4291
"""

from __future__ import annotations

import re

from policies.masking.detector import Detector, Kind
from policies.masking.validators import is_address, is_named_phone, is_phone

# Last parts of names that have an @ in them and are no mail addresses: systemd units, files, packages, ciphers.
_NOT_DOMAINS = frozenset(
    b"service socket target timer slice mount automount scope device path swap local-fs png jpg jpeg gif svg webp ico js mjs cjs ts tsx "
    b"jsx css scss html htm json yaml yml toml py pyc rb go rs java class c h cc cpp hpp so dll exe sh conf cfg ini log txt md "
    b"gz xz zst zip tar deb rpm whl jar lock tmp bak sock pid img iso db sql xml map patch diff".split()
)
_ALGORITHMS = (
    b"openssh.com",
    b"libssh.org",
    b"lysator.liu.se",
    b"ssh.com",
    b"matt.ucc.asn.au",
    b"tinyssh.org",
    b"putty.projects.tartarus.org",
)
_VERSION = re.compile(rb"v?\d+(?:\.\d+)*")


def is_mail(value: bytes) -> bool:
    """Say whether this reads as somebody's mail address."""
    user, _, domain = value.rpartition(b"@")
    last = domain.rpartition(b".")[2].lower()
    if last in _NOT_DOMAINS or domain.lower().endswith(_ALGORITHMS) or user.lower() == b"git":
        return False
    return (
        b".." not in value
        and not user.endswith(b".")
        and b"-." not in domain
        and not _VERSION.fullmatch(domain)
    )


# fmt: off
DETECTORS = (
    Detector(
        name="email",
        kind=Kind.PERSONAL,
        title="E-mail address",
        pattern=r"(?P<v>[A-Za-z0-9_][A-Za-z0-9._%+'-]{0,63}(?:@|%40)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24})\b",
        gate=r"(?:@|%40)[A-Za-z0-9]",
        lead="A-Za-z0-9._%+'-",
        check=is_mail,
        matches=(
            "alice@example.com",
            "to: <bob.smith+x@mail.example.co.uk>",
            '"email":"o\'hara@example.org"',
            "carol%40example.com",
        ),
        misses=(
            "getty@tty1.service",
            "logo@2x.png",
            "git@github.com:x/y",
            "chacha20-poly1305@openssh.com",
            "a@b",
            "pkg@1.2.3",
        ),
        source="RFC 5321",
    ),
    Detector(
        name="phone",
        kind=Kind.PERSONAL,
        title="Telephone number in international form",
        pattern=r"(?:(?:^|[^\w+./-])\+|(?:^|[A-Za-z:=,;(\"'|>]\s?)00)(?P<v>[1-9][0-9]{0,2}(?:[ .-]{0,2}\(?[0-9]{1,5}\)?){1,7}[0-9])(?:$|[^\w@:/+=-])",
        check=lambda value: is_phone(b"+" + value),
        matches=(
            "+49 30 901820",
            "tel: +1 (202) 555-0123",
            "+442079460958",
            "phone=0044 20 7946 0958",
            "+33 6 12 34 56 78",
        ),
        misses=("+1000000000000000", "x+49301234567", "2024-01-01T00:00:00+0100", "+1 -1", "1+15551234567"),
        source="ITU-T E.164",
    ),
    Detector(
        name="phone-named",
        kind=Kind.PERSONAL,
        title="Telephone number after its name",
        pattern=r"(?i)(?:\b|_)(?:phone|telephone|tel|mobile|cell(?:phone)?|fax|msisdn|phone[_ -]?(?:number|no)|mobile[_ -]?(?:number|no))"
        r"(?:\\{0,3}[\"'])?\s{0,4}[:=]\s{0,4}(?:\\{0,3}[\"'])?(?P<v>\+?\(?[0-9][0-9() ./-]{5,20}[0-9])\b",
        check=is_named_phone,
        matches=('"phone": "(555) 123-4567"', "mobile=555-123-4567", "Tel: 030 901820"),
        misses=("phone: 12", "tel: none"),
        source="ITU-T E.164",
    ),
    Detector(
        name="ip-address",
        kind=Kind.PERSONAL,
        title="IP address",
        pattern=r"(?:^|[^\w.:-])(?P<v>(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?:$|[^\w.-])",
        check=is_address,
        default=False,
        matches=("from 192.0.2.17 port 22", "[2001:db8::17]"),
        misses=("127.0.0.1", "999.1.1.1", "12:34:56"),
        source="RFC 791; RFC 4291",
    ),
)
# fmt: on
