"""Split a command into words, if it is one simple command that every shell splits and expands alike.

In      the bytes of an exec request
Out     a list of Word, or None: some shell might do more with it than start one program with these words
Source  POSIX.1-2017 XCU section 2.2 and 2.6; what bash, dash, zsh, csh and fish do beyond it is left out
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Bare: no controls, substitutions, braces, redirections; "=" and "%" not first (zsh and fish expand them), a tilde
# only where it names a home. Within single quotes fish reads a backslash and csh an exclamation mark.
_PIECE = re.compile(
    rb"(?P<home>~(?:[A-Za-z_][A-Za-z0-9_.-]*)?(?=/| |\Z))"
    rb"|(?P<bare>[A-Za-z0-9_./@:,+%=-]+)"
    rb"|(?P<glob>[*?\[\]]+)"
    rb"|\\(?P<escaped>[ !\"#$%&'()*+,\-./:;<=>?@\[\\\]^`{|}~])"
    rb"|'(?P<quoted>[ \"-&(-\[\]-~]*)'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word without its quoting; in a `pattern` the shell may put names of files, each beginning as it does."""

    text: str
    pattern: bool = False


def simple_command(command: bytes) -> list[Word] | None:
    """Return the words of a simple command without assignments; None when it might be anything else."""
    words: list[Word] = []
    at = 0
    while True:
        found = _word(command, at)
        if found is None:
            return None
        word, at = found
        words.append(word)
        spaces = at
        while command[at : at + 1] == b" ":
            at += 1
        if at == spaces:
            break
    plain_name = re.fullmatch(r"[A-Za-z0-9_./-]+", words[0].text) and not words[0].pattern
    return words if at == len(command) and plain_name else None


def _word(command: bytes, start: int) -> tuple[Word, int] | None:
    """Return the word that begins here and where it ends; None when there is none, or none to be sure of."""
    text = bytearray()
    at = start
    pattern = False
    while piece := _PIECE.match(command, at):
        kind = piece.lastgroup or ""
        part = piece[kind]
        first = at == start
        if (kind == "home" and not first) or (kind == "glob" and not text):
            return None
        if first and part[:1] in (b"=", b"%") and kind == "bare":
            return None
        pattern = pattern or kind == "glob"
        text += part
        at = piece.end()
    if at == start or (pattern and text[:1] == b"-"):
        return None
    return Word(text=text.decode("ascii"), pattern=pattern), at
