"""Read an OpenSSH public key line far enough to know that it is whole and says one type.

In      a line: type, base64, comment
Out     the line without its comment
Errors  ValueError, whose text says what was got and what was expected
Source  RFC 4253 section 6.6; RFC 8709 section 4; RFC 5656 section 3.1; RFC 4251 section 5
"""

from __future__ import annotations

import base64
import binascii

from policies.problem import listed, shown

KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
_FIELDS = {"ssh-ed25519": 2, "ssh-rsa": 3}  # and 3 for ECDSA: type, curve, point


def parse_public_key_line(line: str) -> str:
    """Return `TYPE BASE64`; refuse certificates, private keys and known_hosts lines with a host in front."""
    words = line.split()
    if len(line.splitlines()) != 1 or len(words) < 2 or words[0] not in KEY_TYPES:
        got = "more than one line" if len(line.splitlines()) > 1 else shown(line)
        raise ValueError(f'got {got}, expected one line "TYPE BASE64", TYPE one of {listed(KEY_TYPES)}')
    kind, encoded = words[:2]
    try:
        fields = _fields(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError(
            f"the key after {kind} is cut or altered, expected the whole line of a .pub file"
        ) from None
    if fields[:1] != [kind.encode()]:
        inner = shown(fields[0].decode("ascii", "replace")) if fields else "nothing"
        raise ValueError(
            f"the key says it is {inner} but the line says {kind}, expected the same type in both"
        )
    wrong_length = kind == "ssh-ed25519" and len(fields[-1]) != 32
    wrong_curve = kind.startswith("ecdsa-") and fields[1:2] != [kind.removeprefix("ecdsa-sha2-").encode()]
    if len(fields) != _FIELDS.get(kind, 3) or wrong_length or wrong_curve:
        raise ValueError(f"the key is not a whole {kind} key, expected the whole line of a .pub file")
    return f"{kind} {encoded}"


def _fields(blob: bytes) -> list[bytes]:
    """Return the strings of an SSH blob (RFC 4251 section 5); raise ValueError if one is cut."""
    fields = []
    while blob:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length or len(blob) < 4:
            raise ValueError
        fields.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return fields
