"""Read the configuration strictly: one TOML file and its policies in, one Config out.

In      the path of a TOML file
Out     Config; for editors, the JSON Schema of the file
Errors  ConfigError, with every problem of the file and of its policy files
Source  docs/configuration.md; TOML 1.0.0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from bastion.coherence import incoherences
from bastion.config_errors import ConfigError
from bastion.config_files import read_document, read_policy
from bastion.config_notify import AnswersTable, NotifyTable
from bastion.config_rows import (
    Rows,
    answer_settings,
    bastion_settings,
    channel,
    identity,
    issuer_settings,
    limits,
    person,
    recorder_settings,
    target,
)
from bastion.config_shapes import Table
from bastion.config_tables import (
    BastionTable,
    Document,
    IdentityTable,
    IssuerTable,
    LimitsTable,
    PersonTable,
    PolicyTable,
    RecorderTable,
    TargetTable,
    json_schema,
)
from bastion.config_warnings import warnings_about
from bastion.errors import KeyringError
from bastion.named_values import named_values
from bastion.settings import Config
from policies import advice
from policies.explain import explain
from policies.problem import Problem
from policies.source import LIBRARY_PREFIX

__all__ = ["Config", "ConfigError", "json_schema", "load"]

T = TypeVar("T", bound=Table)


def load(path: Path) -> Config:
    """Return the configuration in this file; raise ConfigError with all that is wrong."""
    file, folder = str(path), path.absolute().parent
    raw = read_document(path)
    findings: Sequence[Mapping[str, Any]] = []
    try:
        Document.model_validate(raw)
    except ValidationError as error:
        findings = error.errors()
    sound = _Sound(raw, findings)
    bastion, recorder = sound.table("bastion", BastionTable), sound.table("recorder", RecorderTable)
    bounds = sound.table("limits", LimitsTable)
    answers = sound.table("answers", AnswersTable)
    rows = Rows(
        bastion=bastion_settings(bastion, folder) if bastion else None,
        issuers={at: issuer_settings(row, folder) for at, row in sound.rows("issuer", IssuerTable)},
        persons={at: person(row, folder) for at, row in sound.rows("person", PersonTable)},
        identities={at: identity(row) for at, row in sound.rows("identity", IdentityTable)},
        targets={at: target(row, folder) for at, row in sound.rows("target", TargetTable)},
        channels={at: channel(row, folder) for at, row in sound.rows("notify", NotifyTable)},
        answers=answer_settings(answers) if answers else None,
        issuer_names=sound.names("issuer"),
        identity_names=sound.names("identity"),
        channel_names=sound.names("notify"),
    )
    problems = explain(file, json_schema(), findings)
    problems += [Problem(file, key, message) for key, message in incoherences(rows)]
    chosen = sound.table("policy", PolicyTable)
    policy, wrong = read_policy(file, chosen.files, path.parent) if chosen else (None, [])
    if policy is not None and chosen is not None and chosen.approvers is not None:
        policy = policy.with_approvers(chosen.approvers.approvers())
    problems += wrong
    if policy is not None and chosen is not None and rows.bastion is not None:
        try:
            named = named_values(
                file=None if chosen.known_values is None else folder / chosen.known_values,
                hashes=chosen.known_hashes,
                keys=rows.bastion.keys,
                key_files=[row.auth.file for row in rows.targets.values() if row.auth.file is not None],
                hashed=any(it.values for it in policy.exceptions),
            )
        except (ValueError, KeyringError) as error:
            problems.append(Problem(file, "policy", f"known values: {error}"))
        else:
            policy = replace(policy, named=named)
    if problems or not (rows.bastion and rows.answers and recorder and bounds and chosen and policy):
        raise ConfigError(problems)
    config = Config(
        source=path.absolute(),
        bastion=rows.bastion,
        recorder=recorder_settings(recorder),
        limits=limits(bounds),
        issuers=tuple(rows.issuers.values()),
        persons=tuple(rows.persons.values()),
        identities=tuple(rows.identities.values()),
        targets=tuple(rows.targets.values()),
        channels=tuple(rows.channels.values()),
        answers=rows.answers,
        policy=policy,
        policy_files=tuple(chosen.files),
        warnings=(),
    )
    found = [f"{file}: {line}" for line in warnings_about(config)]
    # What a shipped policy says by itself is meant so.
    advised = (*advice.warnings_about(policy.rules), *advice.warnings_about_limits(policy.limits))
    found += [str(one) for one in advised if not one.file.startswith(LIBRARY_PREFIX)]
    return replace(config, warnings=tuple(found))


def keys_folder(path: Path) -> Path:
    """Return the folder of keys that a configuration names, whatever else is wrong in it; raise ConfigError."""
    sound = _Sound(read_document(path), [])
    try:
        table = sound.table("bastion", BastionTable)
    except ValidationError as error:
        raise ConfigError(explain(str(path), json_schema(), error.errors())) from None
    assert table is not None  # noqa: S101 - nothing was said to be broken
    return bastion_settings(table, path.absolute().parent).keys


class _Sound:
    """The tables that have no finding against them, so that these can be compared while others are broken."""

    def __init__(self, raw: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> None:
        self._raw = raw
        self._broken = {tuple(finding["loc"][:depth]) for finding in findings for depth in (1, 2)}

    def table(self, section: str, model: type[T]) -> T | None:
        broken = (section,) in self._broken
        return None if broken else model.model_validate(self._raw.get(section, {}))

    def rows(self, section: str, model: type[T]) -> Iterator[tuple[int, T]]:
        for at, row in enumerate(self._list(section)):
            if (section, at) not in self._broken:
                yield at, model.model_validate(row)

    def names(self, section: str) -> frozenset[str]:
        named = [row.get("name") for row in self._list(section) if isinstance(row, dict)]
        return frozenset(name for name in named if isinstance(name, str))

    def _list(self, section: str) -> list[Any]:
        rows = self._raw.get(section, [])
        return rows if isinstance(rows, list) else []
