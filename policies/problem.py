"""Say what is wrong in a file that an operator wrote: where, what, and what was expected.

In      text of a TOML file, keys and values from it
Out     Problem, whose str is one line: `FILE: KEY: message, expected ...`
Source  TOML 1.0.0
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SHOWN_CHARACTERS = 60

_TOML_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the file, the key in it (`rule[2].when.access`, counted from 0), and the message."""

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.message) if part)


def parse_toml(text: str, file: str) -> dict[str, Any] | Problem:
    """Return the tables of a TOML text, or the Problem with the line and column of its first mistake."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        return Problem(file, "", "is nested too deeply, expected the tables that the reference lists")
    except ValueError as error:
        message = str(error)
    place = _TOML_PLACE.search(message)
    if place is None:
        return Problem(file, "", f"is not TOML: {_lowered(message)}, expected TOML 1.0")
    line, column = place["line"], place["column"]
    if line is None:
        line, column = str(text.count("\n") + 1), str(len(text) - text.rfind("\n"))
    what = _lowered(message[: place.start()])
    return Problem(file, f"line {line}, column {column}", f"is not TOML: {what}, expected TOML 1.0")


def key_path(location: Sequence[str | int]) -> str:
    """Return a location such as ("rule", 2, "when") as people write it: `rule[2].when`."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            name = step if re.fullmatch(r"[A-Za-z0-9_-]+", step) else shown(step)
            path += f".{name}" if path else name
    return path


def shown(value: object) -> str:
    """Return a value as TOML would write it, on one line of ASCII, cut where it is long."""
    if isinstance(value, dict):
        return "a table" if value else "an empty table"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, str):
        cut = value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "..."
        return json.dumps(cut)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a very large number"
    return str(value)


def listed(words: Sequence[str], last: str = "or") -> str:
    """Return words as a sentence lists them: `a, b or c`."""
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:].rstrip(".")
