"""Resolve the quotes of a word as the second parser gives them: as written, without what surrounds them.

In      the text of one part of a word
Out     what it stands for
Source  POSIX.1-2017 XCU section 2.2; bash(1), QUOTING, ANSI-C Quoting, Brace Expansion
"""

from __future__ import annotations

import re

_ANSI = dict(zip(b"abeEfnrtv\\'\"?", b"\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))
_DIGITS = {ord("x"): (16, 2), ord("u"): (16, 4), ord("U"): (16, 8)}
_HEXADECIMAL = b"01234567abcdefABCDEF89"


def has_braces(text: str) -> bool:
    """Say whether bare text has braces that may expand."""
    if "{" not in text:
        return False
    bare = re.sub(r"\\.", "_", text, flags=re.DOTALL)
    opened = bare.find("{")
    return opened >= 0 and "}" in bare[opened:] and ("," in bare[opened:] or ".." in bare[opened:])


def unquoted(text: str) -> str:
    """Return bare text without its backslashes."""
    return re.sub(r"\\(.)", lambda found: found[1] if found[1] != "\n" else "", text, flags=re.DOTALL)


def double_unquoted(text: str) -> str:
    """Return the text between double quotes without the backslashes that mean something there."""
    made, at = list[str](), 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in ("$", "`", '"', "\\", "\n"):
            at += 1
            made.append(text[at] if text[at] != "\n" else "")
        else:
            made.append(text[at])
        at += 1
    return "".join(made)


def ansi(text: str) -> str:
    """Return what stands between `$'` and `'`, its escapes resolved byte by byte; it ends at a NUL."""
    source = text.encode("utf-8", "surrogateescape")
    made, at = bytearray(), 0
    while at < len(source):
        byte = source[at]
        at += 1
        if byte != 0x5C or at == len(source):
            made.append(byte)
            continue
        byte = source[at]
        at += 1
        if byte in _ANSI:
            made.append(_ANSI[byte])
        elif byte == ord("c") and at < len(source):
            at += source[at : at + 2] == b"\\\\"  # \c\\ is one control character
            made.append(source[at] & 0x1F)
            at += 1
        else:
            at = _number(source, at, byte, made)
    return bytes(made).partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(source: bytes, at: int, kind: int, made: bytearray) -> int:
    """Add the character that digits name, or the backslash where there are none; return where they end."""
    base, most = _DIGITS.get(kind, (8, 3))
    start = at if kind in _DIGITS else at - 1
    end = start
    while end < min(start + most, len(source)) and source[end] in _HEXADECIMAL[: 8 if base == 8 else None]:
        end += 1
    if end == start:
        made += bytes((0x5C, kind))
        return at
    code = int(source[start:end], base)
    if most <= 3:
        made.append(code & 0xFF)
    else:
        made += chr(min(code, 0x10FFFF)).encode("utf-8", "surrogatepass")
    return end
