"""Find entries of `match` that no statement can ever meet, so that a rule which does nothing is not thought to.

In      Match; patterns of programs
Out     one sentence with what was expected, or None
Source  docs/policies.md
"""

from __future__ import annotations

import difflib
import posixpath
import re

from policies.classes import CLASS_PREFIX, CLASSES
from policies.facts import Flag
from policies.model import Match
from policies.pattern import GLOB_PREFIX
from policies.problem import listed, shown

_OBJECT_STORES = ("s3", "gs", "az")


def misspelt_program(text: str) -> str | None:
    """Return what is wrong with a pattern of a program."""
    if not text.startswith(CLASS_PREFIX):
        return None
    name = text.removeprefix(CLASS_PREFIX)
    if name in CLASSES:
        return None
    near = difflib.get_close_matches(name, CLASSES, n=1)
    hint = f' (did you mean "{CLASS_PREFIX}{near[0]}"?)' if near else ""
    return f"no class of programs is called {shown(name)}{hint}, expected {listed(sorted(CLASSES))}"


def contradiction(match: Match, *, denies: bool = False) -> str | None:
    """Return why the entry can never match; with `denies`, in a rule that denies or asks approval."""
    return _of_words(match) or _of_paths(match) or _of_kinds(match, denies=denies)


def _of_words(match: Match) -> str | None:
    none = set(match.args_none or ())
    if match.args_any is not None and none.issuperset(match.args_any):
        return "args_none rules out all of args_any, expected them to differ"
    if clash := sorted(none & set(match.args_all or ())):
        return f"args_none rules out {shown(clash[0])} of args_all, expected them to differ"
    if match.argv is None:
        return None
    asks = match.args_any is not None or match.args_all is not None
    if len(match.argv) == 1 and not match.more and asks:
        return 'argv is the program alone, and args_any or args_all asks for a word, expected "..." at the end of argv'
    programs = (match.program, match.argv[0])
    if match.program is not None and all(_exact_names(names) for names in programs if names is not None):
        last = [{text.rpartition("/")[2] for text in names} for names in programs if names is not None]
        if last[0].isdisjoint(last[1]):
            return f"argv begins with {shown(match.argv[0][0])}, expected a program that `program` lists"
    return None


def _exact_names(texts: tuple[str, ...]) -> bool:
    return not any(text.startswith((GLOB_PREFIX, CLASS_PREFIX)) for text in texts)


def _of_paths(match: Match) -> str | None:
    for key in ("reads", "writes"):
        for text in getattr(match, key) or ():
            if not text.startswith(GLOB_PREFIX) and text != (plain := posixpath.normpath(text)):
                return (
                    f"{key} has {shown(text)}, which paths in facts never look like, expected {shown(plain)}"
                )
    for text in match.contacts or ():
        host = text.removeprefix(GLOB_PREFIX)
        scheme = re.match(r"([a-z0-9+.-]+)://", host)
        if "@" in host or (scheme and scheme[1] not in _OBJECT_STORES):
            return f"contacts has {shown(text)}, expected a host without user, scheme and port"
    return None


def _of_kinds(match: Match, *, denies: bool) -> str | None:
    of_commands = [
        key
        for key in ("program", "argv", "args_any", "args_all", "args_none")
        if getattr(match, key) is not None
    ]
    if match.operation is not None and of_commands:
        return f"an operation on files has no command, expected operation without {of_commands[0]}"
    known = [
        *of_commands,
        *(key for key in ("reads", "writes", "contacts", "defines") if getattr(match, key)),
    ]
    if denies and match.flags == frozenset({Flag.UNPARSED}) and known:
        return (
            f"of a statement that is unparsed nothing is known for {known[0]},"
            f' expected flags = ["unparsed"] in an entry of its own'
        )
    return None
