"""Know values by a keyed hash alone, so that a policy can speak of a value that is not written in it.

Values that are known so can be masked, or let pass. To mask one it has to be found first: what is tried is every
stretch of just its length, of the characters that passwords and tokens have, between two others. So a value with a
space, a quote, a comma or another sign in it can be known by a file only, and none is found in base64 or other forms.

In      a key; values, or hashes as `hash_value` writes them: LENGTH:HEX
Out     a hash; detectors, one for each length
Errors  ValueError for what is no hash, or no value that can be found; its text never holds the value
Source  RFC 2104 (HMAC), FIPS 180-4
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256

from policies.masking.detector import Detector, Kind
from policies.masking.known import NAME

LEAST_BYTES = 8
MOST_BYTES = 512
DIGEST_CHARACTERS = 32  # 128 bits

_WITHIN = r"A-Za-z0-9_.~!#$%^*+/=@-"
_FINDABLE = re.compile(rf"[{_WITHIN}]+".encode())
_HASH = re.compile(rf"([1-9][0-9]{{0,2}}):([0-9a-f]{{{DIGEST_CHARACTERS}}})")


def hash_value(key: bytes, value: bytes) -> str:
    """Return the hash of a value, with its length."""
    return f"{len(value)}:{hmac.new(key, value, sha256).hexdigest()[:DIGEST_CHARACTERS]}"


def check_findable(value: bytes) -> None:
    """Raise ValueError if a value cannot be found by its hash."""
    if not LEAST_BYTES <= len(value) <= MOST_BYTES:
        raise ValueError(f"a value of {len(value)} bytes, expected {LEAST_BYTES} to {MOST_BYTES}")
    if not _FINDABLE.fullmatch(value):
        raise ValueError("a value with a character that ends a word: list it in a file of known values")


def length_of(text: str) -> int:
    """Return the length of the value that was hashed; raise ValueError for what is no hash."""
    found = _HASH.fullmatch(text)
    if found is None or not LEAST_BYTES <= int(found[1]) <= MOST_BYTES:
        raise ValueError("got no hash of a value, expected LENGTH:HEX as `bastion hash-value` prints it")
    return int(found[1])


def hashed_values(key: bytes, hashes: Iterable[str]) -> list[Detector]:
    """Return what finds the values of these hashes, a detector for each length; raise ValueError."""
    by_length: dict[int, set[str]] = {}
    for text in hashes:
        by_length.setdefault(length_of(text), set()).add(text)
    return [_of_length(key, length, frozenset(texts)) for length, texts in sorted(by_length.items())]


def _of_length(key: bytes, length: int, hashes: frozenset[str]) -> Detector:
    return Detector(
        name=NAME,
        kind=Kind.SECRET,
        title="Value that the operator has named by its keyed hash",
        pattern=rf"(?:^|[^{_WITHIN}]|[=/@])(?P<v>[{_WITHIN}]{{{length}}})(?:$|[^{_WITHIN}]|[/@])",
        matches=(),
        check=lambda value: hash_value(key, value) in hashes,
        source="the configuration",
        rank=1,
    )
