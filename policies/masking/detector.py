"""Say what a detector is: a small declared thing that knows its own examples and is refused if it fails them.

In      name, kind, pattern, validator, examples, source
Out     Detector; `fault` says which of its own examples it fails
Source  docs/masking.md
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
ALNUM = LETTERS + DIGITS
UPPER = LETTERS[:26] + DIGITS
LOWER = LETTERS[26:] + DIGITS
HEX = "0123456789abcdef"

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class Kind(StrEnum):
    """What is lost when it leaves."""

    SECRET = "secret"  # noqa: S105 - the name of a kind
    PERSONAL = "personal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One format. `pattern` is RE2 over bytes, within one line; its group `v` (or all of it) is what gets masked."""

    name: str
    kind: Kind
    title: str
    pattern: str
    matches: tuple[str, ...]  # each must be found
    misses: tuple[str, ...] = ()  # each must be passed over
    check: Callable[[bytes], bool] | None = None
    gate: str = ""  # found at each match, where that is not at its beginning
    lead: str = ""  # the characters, as in a class, that a match has before what the gate finds
    wraps: bool = False  # may go on after a line end: its beginning is unmistakable
    default: bool = True
    source: str = ""
    rank: int = field(default=50)  # of two that begin at one place, the lower gives its name

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name: expected lower-case words joined by '-'")


def made(length: int, alphabet: str = ALNUM, seed: str = "") -> str:
    """Return text that looks random and is always the same, for examples that are nobody's secret."""
    out, number = "", 0
    while len(out) < length:
        digest = sha256(f"{seed}/{alphabet}/{number}".encode()).digest()
        out += "".join(alphabet[byte % len(alphabet)] for byte in digest)
        number += 1
    return out[:length]
