"""Read the files that make a configuration: the TOML file itself, and the policy files that it names.

In      paths
Out     the tables of the TOML file; one Policy
Errors  ConfigError where nothing can be read at all; else Problems, to be listed beside those of the tables
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bastion.config_errors import ConfigError
from policies.document import parse_policy
from policies.engine import Policy
from policies.errors import PolicyInvalidError, PolicyUnreadableError
from policies.problem import Problem, parse_toml, shown
from policies.source import Source, read_source


def read_document(path: Path) -> dict[str, Any]:
    """Return the tables of the configuration file; raise ConfigError if it cannot be read or is not TOML."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        problem = Problem(str(path), f"byte {error.start}", "is not UTF-8, expected TOML")
        raise ConfigError([problem]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"cannot be read ({reason}), expected a configuration in TOML"
        raise ConfigError([Problem(str(path), "", message)]) from None
    tables = parse_toml(text, str(path))
    if isinstance(tables, Problem):
        raise ConfigError([tables])
    return tables


def read_policy(file: str, names: Sequence[str], folder: Path) -> tuple[Policy | None, list[Problem]]:
    """Return the policy of the named files, or None, and what is wrong with them or with naming them."""
    sources: list[Source] = []
    problems: list[Problem] = []
    for index, name in enumerate(names):
        key = f"policy.files[{index}]"
        if name in names[:index]:
            problems.append(Problem(file, key, f"{shown(name)} is there twice, expected each file once"))
            continue
        try:
            sources.append(read_source(name, folder))
        except PolicyUnreadableError as error:
            problems.append(Problem(file, key, str(error)))
    try:
        return parse_policy(sources), problems
    except PolicyInvalidError as error:
        return None, problems + list(error.problems)
