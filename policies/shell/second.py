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

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from policies.facts import Command, Facts, Flag, unparsed
from policies.shell import quoting

PROGRAM = Path(sys.executable).with_name("shfmt")
MAX_SOURCE_BYTES = 16 * 1024
MAX_TREE_BYTES = 16 * 1024 * 1024
TIMEOUT_S = 2.0

_ARGUMENTS = (str(PROGRAM), "-ln=bash", "--to-json")
_ENVIRONMENT = {"GOMAXPROCS": "1", "GOGC": "off", "GOMEMLIMIT": "256MiB"}
_READ_BYTES = 256 * 1024
_FILES = frozenset({"<", ">", ">>", "<>", ">|", "&>", "&>>"})
_DUPLICATES = frozenset({">&", "<&"})
# What one parser calls a command and the other a part of the grammar; what they run is compared all the same.
_GRAMMAR = frozenset({"time", "coproc", "[", "[[", "((", "!", "let"})


class _UnknownFormError(Exception):
    """The tree has a part whose text it does not take apart itself."""


@dataclass(slots=True)
class _Found:
    """What the second parser found: words that are not certain are None."""

    commands: list[tuple[str | None, ...]] = field(default_factory=list)
    files: list[str | None] = field(default_factory=list)


def agreed(source: bytes, facts: Facts) -> Facts:
    """Return the facts as they are if the second parser finds the same in `source`; else `unparsed`."""
    if Flag.UNPARSED in facts.flags:
        return facts
    why = _disagreement(source, facts)
    return unparsed(facts.statement, why, facts.language) if why else facts


def _disagreement(source: bytes, facts: Facts) -> str:
    if len(source) > MAX_SOURCE_BYTES:
        return f"in doubt, and longer than {MAX_SOURCE_BYTES} bytes"
    if b"\0" in source:
        return "in doubt, and with a NUL byte"
    try:
        tree = _tree(source)
        if tree is None:
            return "in doubt, and the second parser does not know it"
        found = _Found()
        _walk(tree, found)
    except TimeoutError:
        return "in doubt, and the second parser was too slow"
    except (OSError, ValueError, RecursionError):
        return "in doubt, and the second parser could not be asked"
    except _UnknownFormError as form:
        return f"in doubt, and the second parser does not take apart {form}"
    return _differs(found, facts)


def _tree(source: bytes) -> Any:
    """Return the second parser's tree; None if it reports an error."""
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
    return json.loads(answer) if process.returncode == 0 else None


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


def _walk(node: Any, found: _Found) -> None:
    if isinstance(node, list):
        for one in node:
            _walk(one, found)
        return
    if not isinstance(node, dict):
        return
    kind = node.get("Type")
    if kind == "CallExpr" and "Args" in node:
        found.commands.append(tuple(_word(word) for word in node["Args"]))
    elif kind == "DeclClause":
        found.commands.append((node["Variant"]["Value"], *_declared(node.get("Args", ()))))
    elif kind == "ExtGlob" and any(char in node["Pattern"]["Value"] for char in "$`<>"):
        raise _UnknownFormError("an extended glob with an expansion in it")
    for one in node.get("Redirs", ()):
        _redirection(one, found)
    for value in node.values():
        if isinstance(value, dict | list):
            _walk(value, found)


def _declared(arguments: list[dict[str, Any]]) -> Iterator[str | None]:
    for one in arguments:
        name = one.get("Name", {}).get("Value", "")
        if not name:
            yield _word(one["Value"])
        elif one.get("Naked"):
            yield name if "Index" not in one else None
        else:
            value = _word(one["Value"]) if "Value" in one else ""
            plain = value is not None and not ({"Index", "Array", "Append"} & one.keys())
            yield f"{name}={value}" if plain else None


def _redirection(redirection: dict[str, Any], found: _Found) -> None:
    operator = redirection["Op"]
    if operator in _FILES:
        found.files.append(_word(redirection["Word"]))
    elif operator in _DUPLICATES:
        word = _word(redirection["Word"])
        if word is None or (word != "-" and not word.rstrip("-").isdigit()):
            found.files.append(word)


def _word(word: dict[str, Any]) -> str | None:
    """Return what a program gets; None where that is not certain from the text alone."""
    text = ""
    for part in word.get("Parts", ()):
        match part["Type"]:
            case "Lit":
                piece = quoting.unquoted(part["Value"])
                if piece is None:
                    return None
                if not text and part["Value"].startswith("\\~"):
                    text = "./"
                text += piece
            case "SglQuoted" if part.get("Dollar"):
                text += quoting.ansi(part.get("Value", ""))
            case "SglQuoted":
                text += _at_home(text, part.get("Value", ""))
            case "DblQuoted" if not part.get("Dollar"):
                for inner in part.get("Parts", ()):
                    if inner["Type"] != "Lit":
                        return None
                    text += _at_home(text, quoting.double_unquoted(inner["Value"]))
            case _:
                return None
    return text


def _at_home(before: str, quoted: str) -> str:
    """Return quoted text; one that begins a word with `~` names no home folder, but a file."""
    return "./" + quoted if not before and quoted.startswith("~") else quoted


def _differs(found: _Found, facts: Facts) -> str:
    """Return in what the two differ; "" if they agree."""
    ours = [words for words in found.commands if words[0] not in _GRAMMAR]
    theirs = [_certain(command) for command in _top(facts)]
    if len(ours) != len(theirs):
        return f"two parsers find different commands: {_named(theirs)}, {_named(ours)}"
    for words in sorted(ours, key=lambda words: -sum(word is not None for word in words)):
        fits = next((place for place, other in enumerate(theirs) if _fits(words, other)), None)
        if fits is None:
            return f"two parsers find different words of {words[0] or 'a command'}"
        del theirs[fits]
    named = Counter(_last(touch.value.text) for touch in (*facts.reads, *facts.writes, *facts.contacts))
    for file in found.files:
        if (
            file is not None
            and file != "/dev/null"
            and not file.startswith("/dev/")
            and not named[_last(file)]
        ):
            return "two parsers find different redirections"
    return ""


def _top(facts: Facts) -> Iterator[Command]:
    """Yield the commands that stand in the text itself, not those that are made of another's words."""
    plain = set[int]()
    for place, command in enumerate(facts.commands):
        if command.parent is not None and command.parent not in plain:
            continue
        if command.program.literal and command.program.text in _GRAMMAR:
            plain.add(place)
        else:
            yield command


def _certain(command: Command) -> tuple[str | None, ...]:
    return tuple(word.text if word.form != "computed" else None for word in command.words)


def _fits(words: tuple[str | None, ...], other: tuple[str | None, ...]) -> bool:
    if words[0] is not None and words[0] != other[0]:
        return False
    if len(words) == len(other):
        return all(one is None or one == two for one, two in zip(words, other, strict=True))
    if None not in words:
        return False
    left = Counter(other)
    left.subtract(word for word in words if word is not None)
    return min(left.values(), default=0) >= 0


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _named(commands: list[tuple[str | None, ...]]) -> str:
    return " ".join(words[0] or "?" for words in commands[:8]) or "none"
