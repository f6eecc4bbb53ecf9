"""Turn a validator's findings into Problems that name the file, the key, and what was expected there.

In      findings as pydantic lists them (`type`, `loc`, `msg`, `input`, `ctx`), and the JSON Schema they broke
Out     Problem, one for each finding, in the same order
Source  docs/configuration.md
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from policies.problem import Problem, key_path, listed, shown
from policies.schema import Schema, in_words, node_at


def explain(file: str, schema: Schema, findings: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """Return a Problem for each finding."""
    problems = []
    for finding in findings:
        location = [step for step in finding["loc"] if step != "[key]"]
        problems.append(Problem(file, key_path(location), _message(schema, location, finding)))
    return problems


def _message(schema: Schema, location: Sequence[str | int], finding: Mapping[str, Any]) -> str:
    match finding["type"]:
        case "value_error":
            return str(finding["ctx"]["error"])
        case "extra_forbidden":
            return unknown_key(str(location[-1]), node_at(schema, location[:-1]).get("properties", {}))
        case "missing":
            return f"is missing, expected {in_words(schema, node_at(schema, location))}"
        case _:
            return f"got {shown(finding['input'])}, expected {in_words(schema, node_at(schema, location))}"


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return what to say of a key that is none of the known ones, with the nearest of them if one is near."""
    names = sorted(known)
    near = difflib.get_close_matches(key.lower(), names, n=1)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    return f"unknown key{hint}, expected {listed(names)}"
