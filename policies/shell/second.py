"""Ask a second, independent parser of shell text whether it finds the same commands in a statement.

Two parsers that were written apart, and misread different things, must agree on which programs run, on what is
certain of their words, and on which files redirections name. Where they do not, nothing is known (law L4).

In      a statement and the facts that the first parser made of it
Out     the same facts, or facts that say `unparsed` and why
Holds   MAX_SOURCE_BYTES of source, MAX_TREE_BYTES of tree; blocks for about 4 ms, TIMEOUT_S at most
Errors  none: a parser that is missing, fails or is late has not agreed
Source  mvdan/sh (shfmt 3), in the wheel shfmt-py; its typed JSON follows the Go package syntax
"""

from __future__ import annotations

import itertools
import json
import os
import posixpath
import re
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from policies.facts import Command, Facts, Flag, unparsed
from policies.shell import quoting
from policies.shell.analyse import scripts_within
from policies.shell.doubt import doubtful

PROGRAM = Path(sys.executable).with_name("shfmt")
MAX_SOURCE_BYTES = 16 * 1024
MAX_SCRIPTS = 16
MAX_TREE_BYTES = 16 * 1024 * 1024
TIMEOUT_S = 2.0

_ARGUMENTS = (str(PROGRAM), "-ln=bash", "--to-json")
_ENVIRONMENT = {"GOMAXPROCS": "1", "GOGC": "off", "GOMEMLIMIT": "256MiB"}
_READ_BYTES = 256 * 1024
_FILES = frozenset({"<", ">", ">>", "<>", ">|", "&>", "&>>"})
_INPUTS = frozenset({"<", "<<", "<<-", "<<<"})
_DUPLICATES = frozenset({">&", "<&"})
_UNESCAPED = re.compile(rb"\\[$`\\\n]")  # within backticks a shell takes this backslash away before it parses
_BACKTICKS = re.compile(rb'"Backquotes":\s*true')
_BRACES = re.compile(rb"(?:[^{}]|\{[^{}]*\})*")
# What one parser calls a command and the other a part of the grammar; what they run is compared all the same.
_GRAMMAR = frozenset({"time", "coproc", "[", "[[", "((", "let"})
_CASE = re.compile(rb"\bcase\b")


class Several(Enum):
    """Stands for the words that braces expand to."""

    SEVERAL = "several"


SEVERAL = Several.SEVERAL
_Certain = str | None | Several


class _RefusedError(Exception):
    """The second parser reports an error."""


class _UnknownFormError(Exception):
    """The tree has a part whose text it does not take apart itself."""


@dataclass(slots=True)
class _Found:
    """What the second parser found: words that are not certain are None."""

    commands: list[tuple[_Certain, ...]] = field(default_factory=list)
    files: list[_Certain] = field(default_factory=list)


def agreed(source: bytes, facts: Facts) -> Facts:
    """Return the facts as they are if the second parser finds the same in `source`; else `unparsed`."""
    if Flag.UNPARSED in facts.flags:
        return facts
    why = _disagreement(source, facts)
    return unparsed(facts.statement, why, facts.language) if why else facts


def _case_in_sum(source: bytes) -> bool:
    """Say whether `case` may stand between "((" and "))"."""
    at = source.find(b"((")
    while at >= 0 and (case := _CASE.search(source, at)):
        end = source.find(b"))", at)
        if end < 0 or case.start() < end:
            return True
        at = source.find(b"((", end)
    return False


def _disagreement(source: bytes, facts: Facts) -> str:
    """Return in what the parsers differ: over the statement if it is doubtful, and over each doubtful script in it."""
    if len(source) > MAX_SOURCE_BYTES:
        return f"in doubt, and longer than {MAX_SOURCE_BYTES} bytes"
    if b"(((" in source:
        return "in doubt, and with three parentheses"
    if _case_in_sum(source):  # the parenthesis of a pattern has bash take "$((" for two substitutions
        return "in doubt, and with a case behind two parentheses"
    if b"\r" in source:
        return "a carriage return, which is a part of a word to a shell only"
    inside: dict[int, list[bytes]] = {}
    for parent, script in scripts_within(source):
        inside.setdefault(parent, []).append(script)
    if sum(len(scripts) for scripts in inside.values()) > MAX_SCRIPTS:
        return f"in doubt, and with more than {MAX_SCRIPTS} scripts inside it"
    try:
        why = _differs(_found([source]), facts, None)
        for parent, scripts in inside.items():
            if not why and any(doubtful(script) for script in scripts):
                why = _differs(_found(scripts), facts, parent)
    except _RefusedError:
        return "in doubt, and the second parser does not know it"
    except TimeoutError:
        return "in doubt, and the second parser was too slow"
    except (OSError, ValueError, LookupError, RecursionError):
        return "in doubt, and the second parser could not be asked"
    except _UnknownFormError as form:
        return f"in doubt, and the second parser does not take apart {form}"
    return why


def _found(scripts: Iterable[bytes]) -> _Found:
    """Return what the second parser finds in scripts, all of them together."""
    found = _Found()
    for script in scripts:
        if b"\0" in script:
            raise _RefusedError
        _walk(_tree(script), script, found)
    return found


def _tree(source: bytes) -> Any:
    """Return the second parser's tree."""
    text = os.memfd_create("statement")
    try:
        os.write(text, source)
        os.lseek(text, 0, os.SEEK_SET)
        process = subprocess.Popen(  # noqa: S603 - a fixed program; the statement is its input only
            _ARGUMENTS,
            stdin=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
        )
    finally:
        os.close(text)
    with process:
        try:
            answer = _read(process)
        except BaseException:
            process.kill()
            raise
    if process.returncode > 0:
        raise _RefusedError
    if process.returncode:
        raise ValueError(f"ended by signal {-process.returncode}")
    if source.count(b"`") != 2 * len(_BACKTICKS.findall(answer)):
        raise _UnknownFormError("backticks that are characters to it")
    return json.loads(answer)


def _read(process: subprocess.Popen[bytes]) -> bytes:
    """Read all that the process says; raise TimeoutError when it takes too long, ValueError at too much."""
    if process.stdout is None:
        raise ValueError("nothing to read from")
    out = process.stdout.fileno()
    by_s = time.monotonic() + TIMEOUT_S
    parts, size = list[bytes](), 0
    ready = select.poll()
    ready.register(out, select.POLLIN | select.POLLHUP)
    while True:
        left_s = by_s - time.monotonic()
        if left_s <= 0 or not ready.poll(left_s * 1000):
            raise TimeoutError
        part = os.read(out, _READ_BYTES)
        if not part:
            process.wait(max(by_s - time.monotonic(), 0.01))
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > MAX_TREE_BYTES:
            raise ValueError("too large a tree")


def _walk(node: Any, source: bytes, found: _Found) -> None:
    if isinstance(node, list):
        for one in node:
            _walk(one, source, found)
        return
    if not isinstance(node, dict):
        return
    match node.get("Type"):
        case "CallExpr" if "Args" in node:
            found.commands.append(tuple(_word(word) for word in node["Args"]))
        case "DeclClause":
            found.commands.append((node["Variant"]["Value"], *_declared(node.get("Args", ()))))
        case "ExtGlob" if any(char in node["Pattern"]["Value"] for char in "$`<>"):
            raise _UnknownFormError("an extended glob with an expansion in it")
        case "ParamExp" if b"<(" in _text(node, source) or b">(" in _text(node, source):
            raise _UnknownFormError("a process substitution within an expansion")
        case "CoprocClause":
            raise _UnknownFormError("a coprocess")
        case "CmdSubst" if b"<<" in _text(node, source):
            raise _UnknownFormError("a here-document within a substitution")
        case "SglQuoted" if node.get("Dollar") and "\\x{" in node.get("Value", ""):
            raise _UnknownFormError("a character in braces")
        case None if any(
            part["Type"] == "Lit" and "{" in part.get("Value", "") for part in node.get("Parts", ())
        ):
            _plain_braces(_text(node, source))
        case "CmdSubst" if node.get("Backquotes") and _UNESCAPED.search(_text(node, source)):
            raise _UnknownFormError("backticks with a backslash in them")
        case "DblQuoted" if b"'" in _text(node, source):
            _no_single_quotes(node)
    if "Hdoc" in node:
        _no_single_quotes(node["Hdoc"])
        if b"\\\n" in _text(node["Hdoc"], source) and any(p["Type"] != "Lit" for p in node["Hdoc"]["Parts"]):
            raise _UnknownFormError("a here-document that joins lines")
    inputs = [one for one in node.get("Redirs", ()) if one["Op"] in _INPUTS and "N" not in one]
    if len(inputs) > 1:
        raise _UnknownFormError("two inputs for one command")
    for one in node.get("Redirs", ()):
        _redirection(one, found)
    for value in node.values():
        if isinstance(value, dict | list):
            _walk(value, source, found)


def _plain_braces(word: bytes) -> None:
    if b"\\\n" in word:
        raise _UnknownFormError("braces in a word that goes on in the next line")
    if not _BRACES.fullmatch(word) and (b"," in word or b".." in word) and b"$" not in word:
        raise _UnknownFormError("braces within braces")


def _text(node: dict[str, Any], source: bytes) -> bytes:
    return source[node["Pos"]["Offset"] : node["End"]["Offset"]]


def _no_single_quotes(node: Any) -> None:
    """Refuse single quotes of an expansion within double quotes: there they may be plain characters."""
    if isinstance(node, list):
        for one in node:
            _no_single_quotes(one)
    elif isinstance(node, dict):
        if node.get("Type") == "SglQuoted":
            raise _UnknownFormError("single quotes within double quotes")
        if node.get("Type") not in ("CmdSubst", "ProcSubst"):
            for value in node.values():
                _no_single_quotes(value)


def _declared(arguments: list[dict[str, Any]]) -> Iterator[_Certain]:
    for one in arguments:
        name = one.get("Name", {}).get("Value", "")
        if not name:
            yield _word(one["Value"])
        elif one.get("Naked"):
            yield name if "Index" not in one else None
        else:
            value = _word(one["Value"]) if "Value" in one else ""
            plain = isinstance(value, str) and not ({"Index", "Array"} & one.keys())
            yield f"{name}{'+' if 'Append' in one else ''}={value}" if plain else None


def _redirection(redirection: dict[str, Any], found: _Found) -> None:
    operator = redirection["Op"]
    if operator in _FILES:
        found.files.append(_word(redirection["Word"]))
    elif operator in _DUPLICATES:
        word = _word(redirection["Word"])
        place = redirection["Word"]
        long = place["End"]["Offset"] - place["Pos"]["Offset"] > 1
        if isinstance(word, str) and word.startswith("-") and long:
            raise _UnknownFormError("a descriptor that is closed right before a word")
        if not isinstance(word, str) or (word != "-" and not word.rstrip("-").isdigit()):
            found.files.append(word)


def _word(word: dict[str, Any]) -> _Certain:
    """Return what a program gets; None where that is not certain from the text alone, SEVERAL where braces expand."""
    parts = word.get("Parts", ())
    bare = "".join(part.get("Value", "") if part["Type"] == "Lit" else "_" for part in parts)
    if quoting.has_braces(bare):
        return SEVERAL
    text = ""
    for part in parts:
        match part["Type"]:
            case "Lit":
                value = part.get("Value", "")  # left out where it is empty
                home = "./" if not text and value.startswith("\\~") else ""
                text += home + quoting.unquoted(value)
            case "SglQuoted" if part.get("Dollar"):
                text += quoting.ansi(part.get("Value", ""))
            case "SglQuoted":
                text += _at_home(text, part.get("Value", ""))
            case "DblQuoted":
                for inner in part.get("Parts", ()):
                    if inner["Type"] != "Lit":
                        return None
                    text += _at_home(text, quoting.double_unquoted(inner.get("Value", "")))
            case _:
                return None
    return text


def _at_home(before: str, quoted: str) -> str:
    """Return quoted text; one that begins a word with `~` names no home folder, but a file."""
    return "./" + quoted if not before and quoted.startswith("~") else quoted


def _differs(found: _Found, facts: Facts, parent: int | None) -> str:
    """Return in what the two differ, over the script of the command at `parent`; "" if they agree."""
    ours = [words for words in map(_behind_time, found.commands) if words[0] not in _GRAMMAR]
    theirs = [_certain(command) for command in _top(facts, parent)]
    if len(ours) != len(theirs):
        return f"two parsers find different commands: {_named(theirs)}, {_named(ours)}"
    for words in sorted(ours, key=_known, reverse=True):
        fits = [place for place, other in enumerate(theirs) if _fits(words, other)]
        if not fits:
            return f"two parsers find different words of {_named([words])}"
        del theirs[max(fits, key=lambda place: _known(theirs[place]))]
    named = Counter(_last(touch.value.text) for touch in (*facts.reads, *facts.writes, *facts.contacts))
    for file in (file for file in found.files if isinstance(file, str)):
        if file and not file.startswith("/dev/") and not named[_last(posixpath.normpath(file))]:
            return "two parsers find different redirections"
    return ""


def _behind_time(words: tuple[_Certain, ...]) -> tuple[_Certain, ...]:
    """Return what a program named as a word of the grammar starts (`x= time a`); the command itself, if it is none."""
    if words[0] not in ("time", "coproc"):
        return words
    behind = list(itertools.dropwhile(lambda word: isinstance(word, str) and word.startswith("-"), words[1:]))
    return tuple(behind) or words


def _known(words: Sequence[_Certain]) -> int:
    """Return how many words are certain."""
    return sum(word is not None for word in words)


def _top(facts: Facts, parent: int | None) -> Iterator[Command]:
    """Yield the commands that stand in the text itself, not those that are made of another's words."""
    within: set[int | None] = {parent}
    for place, command in enumerate(facts.commands):
        if command.parent not in within:
            continue
        if command.program.literal and command.program.text in _GRAMMAR:
            within.add(place)
        else:
            yield command


def _certain(command: Command) -> tuple[str | None, ...]:
    return tuple(word.text if word.form != "computed" else None for word in command.words)


def _fits(words: Sequence[_Certain], other: Sequence[str | None]) -> bool:
    """Say whether two accounts of a command may be of the same: SEVERAL stands for one word or more."""
    if SEVERAL not in words:
        return len(words) == len(other) and all(
            _same(one, two) for one, two in zip(words, other, strict=True)
        )
    at = words.index(SEVERAL)
    after = len(words) - at - 1
    if any(word is not None and quoting.has_braces(word) for word in other[at : len(other) - after]):
        return False  # the first parser took braces for characters
    if len(other) <= at + after or not _fits(words[:at], other[:at]):
        return False
    if SEVERAL not in words[at + 1 :]:
        return _fits(words[at + 1 :], other[len(other) - after :])
    return len(other) > at + after


def _same(one: _Certain, two: str | None) -> bool:
    """Say whether two words may be the same; `~` is $HOME, and what the first calls computed may be certain too."""
    return two is None or (two.startswith("~") or "=~" in two if one is None else one == two)


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _named(commands: Sequence[Sequence[_Certain]]) -> str:
    return " ".join(words[0] if isinstance(words[0], str) else "?" for words in commands[:8]) or "none"
