"""Say what one shell statement would do.

In      the bytes of a statement, as they would run
Out     Facts; `unparsed` for what is too long, too deep, or not understood: never an exception
Holds   MAX_STATEMENT_BYTES; MAX_COMMANDS of findings.py; MAX_NESTING of walk.py
Source  docs/policies.md, Facts
"""

from __future__ import annotations

import logging
import re
import traceback
import unicodedata
from pathlib import Path

from policies.facts import Facts, Flag, Word, unparsed
from policies.shell.doubt import doubtful
from policies.shell.findings import Findings, TooMuch
from policies.shell.grammar import RESERVED
from policies.shell.programs import KnownPrograms
from policies.shell.walk import Walk

MAX_STATEMENT_BYTES = 64 * 1024
OWN_FAULT = "the analyser failed over it, which is a fault of its own"

log = logging.getLogger("policies.shell")

_PLAIN = re.compile(rb"[A-Za-z0-9_./-][A-Za-z0-9_./:@%+,-]*(?:[ ]+[A-Za-z0-9_./:=@%+,-]+)*[ ]*\n?")
_OPENS = RESERVED | {"time", "coproc", "in"}
_DECLARES = frozenset(["export", "declare", "typeset", "readonly", "local", "unset"])
_AFTER_COLON = re.compile(rb":\$([A-Za-z_][A-Za-z0-9_]*)(?!\[)")
_LITERAL_MARKS = (b"'", b"\\", b"`", b"<<")  # beside these a dollar may be no expansion
_SEEN = frozenset("\t\n")


def quick(source: bytes | str) -> Facts:
    """Return the facts by the first parser alone."""
    data = source.encode("utf-8", "surrogateescape") if isinstance(source, str) else source
    found = _first(data)
    if isinstance(found, Facts):
        return found
    if any(doubtful(script) for _, script in found.scripts) and not doubtful(data):
        found.flag(Flag.UNPARSED, "a script inside it may be misread")
    return found.facts()


def scripts_within(source: bytes) -> list[tuple[int, bytes]]:
    """Return the scripts that commands of a statement run: the place of the command, and the text."""
    found = _first(source)
    return found.scripts if isinstance(found, Findings) else []


def _first(data: bytes) -> Findings | Facts:
    """Return what the first parser finds, or facts that say why it finds nothing."""
    text = data.decode("utf-8", "surrogateescape")
    if len(data) > MAX_STATEMENT_BYTES:
        return unparsed(text[:200], f"longer than {MAX_STATEMENT_BYTES} bytes")
    if b"\0" in data:
        return unparsed(text, f"a NUL at byte {data.index(0)}")
    findings = Findings(text)
    walk = Walk(findings, KnownPrograms(), None, 0)
    try:
        if not _plain(walk, data) and not walk.script(_spelt_out(data), "channel"):
            return unparsed(text, "the grammar does not know it")
    except TooMuch as error:
        return unparsed(text, str(error))
    except RecursionError:
        return unparsed(text, "nested too deeply")
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError) as error:
        log.error("%s: %s", OWN_FAULT, _place(error))
        return unparsed(text, OWN_FAULT)
    if not data.isascii() or not text.isprintable():
        _note_hidden(findings, text)
    return findings


def _place(error: Exception) -> str:
    """Return what went wrong and where, without what the statement says."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name} ({Path(frame.filename).name}:{frame.lineno})"


def _spelt_out(data: bytes) -> bytes:
    """Return `:$NAME` as `:${NAME}`, which is the same to a shell: the grammar stumbles over `PATH=$PATH:$HOME/bin`."""
    if b":$" not in data or any(mark in data for mark in _LITERAL_MARKS):
        return data
    return _AFTER_COLON.sub(rb":${\1}", data)


def _plain(walk: Walk, data: bytes) -> bool:
    """Take a line of plain words, which needs no grammar; false if it is anything else."""
    if not _PLAIN.fullmatch(data):
        return False
    words = [Word(word) for word in data.decode("ascii").split()]
    first = words[0].text
    if first in _OPENS or first in _DECLARES or first == "." or "=" in first:
        return False
    walk.run(words, "channel")
    return True


def _note_hidden(findings: Findings, text: str) -> None:
    """Flag characters that do not show, or turn the text around them about."""
    for char in text:
        if char.isascii() and (char.isprintable() or char in _SEEN):
            continue
        category = unicodedata.category(char)
        if (
            char.isascii()
            or category in ("Cc", "Cf", "Zl", "Zp", "Co", "Cn")
            or (category == "Zs" and char != " ")
        ):
            findings.flag(Flag.HIDDEN, f"U+{ord(char):04X} does not show")
            return
