"""Lay out the tables that say for whom and where something holds, and the texts that all tables share.

Source  docs/policies.md
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from policies.document_table import Table, listed
from policies.model import Access, When
from policies.pattern import GLOB_PREFIX, glob_mistake
from policies.problem import shown


def _rule_id(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9._-]+", text):
        raise ValueError(f'got {shown(text)}, expected lower-case letters, digits, ".", "_" and "-"')
    return text


def checked_pattern(text: str) -> str:
    if not text.removeprefix(GLOB_PREFIX) or not text.isprintable():
        raise ValueError(
            f'got {shown(text)}, expected printable text to match exactly, or "{GLOB_PREFIX}" and a glob'
        )
    if wrong := glob_mistake(text):
        raise ValueError(f"{shown(text)} {wrong}")
    return text


def one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"got {shown(text)}, expected one line of printable text")
    return text


def _label(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(f"got {shown(text)}, expected the name of a label, which matches exactly")
    return text


RuleId = Annotated[str, AfterValidator(_rule_id)]
Pattern = Annotated[str, AfterValidator(checked_pattern)]
Label = Annotated[str, AfterValidator(_label)]
Patterns = Annotated[list[Pattern], Field(min_length=1)]
OneOrMore = Annotated[
    Patterns, BeforeValidator(listed, json_schema_input_type=str | Annotated[list[str], Field(min_length=1)])
]


class WhenTable(Table):
    """What the rule speaks of; every field must match, and a field that is left out matches anything."""

    groups: Patterns | None = Field(
        default=None, description="Groups; any of the identity's is enough.", examples=[["ci"]]
    )
    identities: Patterns | None = Field(
        default=None, description="Names of identities.", examples=[["orders-deployer"]]
    )
    targets: Patterns | None = Field(default=None, description="Names of targets.", examples=[["glob:web-*"]])
    labels: Annotated[dict[Label, OneOrMore], Field(min_length=1)] | None = Field(
        default=None,
        description="Labels of the target: each key must be there, with the value or one of the values.",
        examples=[{"env": "dev"}],
    )
    logins: Patterns | None = Field(
        default=None, description="User names on the target.", examples=[["deploy"]]
    )
    access: Annotated[list[Annotated[Access, Strict(False)]], Field(min_length=1)] | None = Field(
        default=None, description="Kinds of access: exec, shell, sftp, raw.", examples=[["exec"]]
    )

    def when(self) -> When:
        """Return what this table says."""
        return When(
            groups=frozen(self.groups),
            identities=frozen(self.identities),
            targets=frozen(self.targets),
            labels=None if self.labels is None else {key: tuple(value) for key, value in self.labels.items()},
            logins=frozen(self.logins),
            access=None if self.access is None else frozenset(self.access),
        )


def frozen(patterns: list[str] | None) -> tuple[str, ...] | None:
    """Return a list of a table as the model has it."""
    return None if patterns is None else tuple(patterns)
