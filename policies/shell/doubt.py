"""Say when the grammar of the first parser cannot be trusted alone.

The forms listed here are those that it is known to misread without reporting an error; each was found by running
random programs in a real shell (tests/oracle), and has a vector in tests/vectors/shell.

In      the bytes of a statement
Out     "" or, in a few words, why a second parser must agree
Holds   one pass over the bytes for each form; nothing backtracks
"""

from __future__ import annotations

_BLANK = b" \t"
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n") + b"\x7f"
_WORDS = {b"coproc": "a coprocess"}


def doubtful(source: bytes) -> str:
    """Return why the first parser may misread this statement silently; "" if it does not."""
    if source.translate(None, _CONTROLS) != source:
        return "a control character"
    if b"\\\n" in source and _splits_word(source):
        return "a word that goes on in the next line"
    if b"\n\\" in source:
        return "a line that begins with a backslash"
    if b"`" in source and (source.count(b"`") > 2 or b"${" in source):
        return "backticks within or beside another substitution"
    for word, what in _WORDS.items():
        if word in source:
            return what
    return ""


def _splits_word(source: bytes) -> bool:
    """Say whether a backslash-newline stands inside a word, or is itself escaped."""
    at = source.find(b"\\\n")
    while at >= 0:
        if at and source[at - 1] not in _BLANK:
            return True
        at = source.find(b"\\\n", at + 2)
    return False
