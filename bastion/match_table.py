"""Judge the `match` table of an identity before any token meets it.

In      the table as TOML gives it
Out     the same table; a canonical text, equal for tables that match the same tokens by the same words
Errors  ValueError, naming each claim in it, what was got and what was expected
Source  docs/configuration.md; THREATS T12 and T13
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from policies.pattern import GLOB_PREFIX, glob_mistake
from policies.problem import key_path, shown

_EXPECTED = "expected a string, a whole number, true, false, a list of these, or a table of nested claims"


def check_match(match: dict[str, Any]) -> dict[str, Any]:
    """Return the table, if it says something about a token."""
    wrong = [f"{key_path(path)}: {message}" for path, message in _mistakes(match, ())]
    if wrong:
        raise ValueError("; ".join(wrong))
    if not any(_says_something(value) for _, value in _leaves(match, ())):
        raise ValueError(
            'nothing but "glob:*" would match every token of the issuer, expected a value to compare'
        )
    return match


def canonical_match(match: Mapping[str, Any]) -> str:
    """Return one text for all ways of writing the same match: the order of claims and of choices is free."""
    leaves = [
        (path, sorted(json.dumps(choice) for choice in (value if isinstance(value, list) else [value])))
        for path, value in _leaves(match, ())
    ]
    return json.dumps(sorted(leaves))


def _mistakes(table: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if not table:
        yield above, f"got an empty table, {_EXPECTED}"
    for key, value in table.items():
        path = (*above, key)
        if isinstance(value, dict):
            yield from _mistakes(value, path)
        elif not key:
            yield path, "the claim has no name, expected the name of a claim"
        elif value == []:
            yield path, f"got an empty list, which would match nothing, {_EXPECTED}"
        else:
            for choice in value if isinstance(value, list) else [value]:
                if not isinstance(choice, str | int):
                    yield path, f"got {shown(choice)}, {_EXPECTED}"
                elif choice == GLOB_PREFIX:
                    yield path, f'got "{GLOB_PREFIX}", expected a glob after it such as "glob:refs/tags/*"'
                elif isinstance(choice, str) and (wrong := glob_mistake(choice)):
                    yield path, f"{shown(choice)} {wrong}"


def _leaves(table: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _says_something(value: object) -> bool:
    """Say whether a value keeps any token out; a list does if each of its choices does."""
    choices = value if isinstance(value, list) else [value]
    return not any(
        isinstance(choice, str)
        and choice.startswith(GLOB_PREFIX)
        and not choice[len(GLOB_PREFIX) :].strip("*?")
        for choice in choices
    )
