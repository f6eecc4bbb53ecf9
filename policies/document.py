"""Read policy files strictly: TOML text in, one Policy out, or every mistake in it.

In      Source, as source.py finds it
Out     Policy; for editors, the JSON Schema of a policy file
Errors  PolicyInvalidError, with every problem of every file
Source  docs/configuration.md; TOML 1.0.0; JSON Schema 2020-12
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)

from policies.engine import Policy
from policies.errors import PolicyInvalidError
from policies.explain import explain
from policies.model import Access, PastQuota, Rule, VerdictKind, When
from policies.pattern import GLOB_PREFIX
from policies.problem import Problem, parse_toml, shown
from policies.schema import tidied
from policies.source import Source


def _rule_id(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9._-]+", text):
        raise ValueError(f'got {shown(text)}, expected lower-case letters, digits, ".", "_" and "-"')
    return text


def _pattern(text: str) -> str:
    if not text.removeprefix(GLOB_PREFIX) or not text.isprintable():
        raise ValueError(
            f'got {shown(text)}, expected printable text to match exactly, or "{GLOB_PREFIX}" and a glob'
        )
    return text


def _label(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(f"got {shown(text)}, expected the name of a label, which matches exactly")
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"got {shown(text)}, expected one line of printable text")
    return text


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


RuleId = Annotated[str, AfterValidator(_rule_id)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Label = Annotated[str, AfterValidator(_label)]
Patterns = Annotated[list[Pattern], Field(min_length=1)]
OneOrMore = Annotated[
    Patterns, BeforeValidator(_listed, json_schema_input_type=str | Annotated[list[str], Field(min_length=1)])
]


class Table(BaseModel):
    """A table of a policy file: no key that is not named, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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
            groups=_frozen(self.groups),
            identities=_frozen(self.identities),
            targets=_frozen(self.targets),
            labels=None if self.labels is None else {key: tuple(value) for key, value in self.labels.items()},
            logins=_frozen(self.logins),
            access=None if self.access is None else frozenset(self.access),
        )


class RuleTable(Table):
    """One rule. The order of rules never matters: deny wins over allow, and what no rule allows is denied."""

    id: RuleId = Field(
        description="The rule's name in verdicts and records; unique over all policy files.",
        examples=["ci-deploys-to-dev"],
    )
    verdict: Annotated[VerdictKind, Strict(False)] = Field(
        description="What becomes of a request that matches."
    )
    when: WhenTable = Field(
        default=WhenTable(), description="What the rule speaks of; left out, it speaks of everything."
    )
    reason: Annotated[str, AfterValidator(_one_line)] = Field(
        default="", description="Why, in one line; the bot sees it when it is denied."
    )
    past_quota: PastQuota = Field(
        default="end",
        description="In a rule that allows: what a session does past the recorder's quota: end, or go on "
        "with length and digest recorded only.",
    )

    @model_validator(mode="after")
    def _quota_of_allow(self) -> RuleTable:
        if "past_quota" in self.model_fields_set and self.verdict is not VerdictKind.ALLOW:
            raise ValueError(
                'past_quota is set where nothing is allowed, expected it with verdict = "allow" only'
            )
        return self

    def rule(self) -> Rule:
        """Return the rule that this table says."""
        return Rule(
            id=self.id,
            verdict=self.verdict,
            when=self.when.when(),
            reason=self.reason,
            past_quota=self.past_quota,
        )


class Document(Table):
    """A policy file: rules, and nothing else."""

    rule: list[RuleTable] = Field(default=[], description="The rules; a file without any allows nothing.")


def parse_policy(sources: Iterable[Source]) -> Policy:
    """Return the policy that the files make together; raise PolicyInvalidError with all that is wrong."""
    problems: list[Problem] = []
    rules: dict[str, tuple[Rule, str]] = {}
    for source in sources:
        tables, wrong = _rule_tables(source)
        problems += wrong
        for index, table in tables:
            place = f"{source.label}: rule[{index}]"
            if table.id in rules:
                message = f"{shown(table.id)} is taken by {rules[table.id][1]}, expected an id of its own"
                problems.append(Problem(source.label, f"rule[{index}].id", message))
            else:
                rules[table.id] = (table.rule(), place)
    if problems:
        raise PolicyInvalidError(problems)
    return Policy(rules=tuple(rule for rule, _ in rules.values()))


@cache
def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy file, for editors."""
    return tidied(Document.model_json_schema(), "bastion policy")


def _rule_tables(source: Source) -> tuple[list[tuple[int, RuleTable]], list[Problem]]:
    """Return the sound rules of one file, each with its index, and what is wrong with the rest."""
    raw = parse_toml(source.text, source.label)
    if isinstance(raw, Problem):
        return [], [raw]
    try:
        return list(enumerate(Document.model_validate(raw).rule)), []
    except ValidationError as error:
        findings = error.errors()
        broken = {finding["loc"][1] for finding in findings if len(finding["loc"]) > 1}
    rows = raw.get("rule")
    sound = [
        (index, RuleTable.model_validate(row))
        for index, row in enumerate(rows if isinstance(rows, list) else ())
        if index not in broken
    ]
    return sound, explain(source.label, json_schema(), findings)


def _frozen(patterns: list[str] | None) -> tuple[str, ...] | None:
    return None if patterns is None else tuple(patterns)
