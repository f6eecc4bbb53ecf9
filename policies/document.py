"""Read policy files strictly: TOML text in, one Policy out, or every mistake in it.

In      Source, as source.py finds it
Out     Policy; for editors, the JSON Schema of a policy file
Errors  PolicyInvalidError, with every problem of every file
Source  docs/configuration.md; TOML 1.0.0; JSON Schema 2020-12
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Strict,
    ValidationError,
    model_validator,
)

from policies.contradiction import contradiction, misspelt_program
from policies.document_approvers import ApproversTable
from policies.document_exception import ExceptionTable
from policies.document_limit import LimitTable
from policies.document_mask import MaskTable
from policies.document_table import Table, listed
from policies.document_when import OneOrMore, RuleId, WhenTable, checked_pattern, frozen, one_line
from policies.engine import Policy
from policies.errors import PolicyInvalidError
from policies.explain import explain
from policies.facts import Flag
from policies.limit import Limit
from policies.masking.exception import MaskException
from policies.masking.plan import MaskRule
from policies.model import Match, Operation, PastQuota, Rule, Severity, VerdictKind
from policies.problem import Problem, parse_toml, shown
from policies.schema import tidied
from policies.source import Source

ELLIPSIS = "..."


def _program(text: str) -> str:
    if wrong := misspelt_program(checked_pattern(text)):
        raise ValueError(wrong)
    return text


def _attack(text: str) -> str:
    if not re.fullmatch(r"T[0-9]{4}(\.[0-9]{3})?", text):
        raise ValueError(f'got {shown(text)}, expected a technique of MITRE ATT&CK such as "T1567.002"')
    return text


Programs = Annotated[
    list[Annotated[str, AfterValidator(_program)]],
    Field(min_length=1),
    BeforeValidator(listed, json_schema_input_type=str | Annotated[list[str], Field(min_length=1)]),
]
Flags = Annotated[
    list[Annotated[Flag, Strict(False)]],
    Field(min_length=1),
    BeforeValidator(listed, json_schema_input_type=Flag | Annotated[list[Flag], Field(min_length=1)]),
]
Operations = Annotated[
    list[Operation],
    Field(min_length=1),
    BeforeValidator(
        listed, json_schema_input_type=Operation | Annotated[list[Operation], Field(min_length=1)]
    ),
]


class MatchTable(Table):
    """What the rule speaks of in a statement: all keys of an entry must hold, one entry of the list is enough.

    A rule that denies or asks approval needs one thing of the statement that matches; a rule that allows covers what it
    matches, and all of the statement must be covered. In `reads`, `writes`, programs and words, `*` stops at `/` and
    `:`; `**` does not. Where a list is asked for, a single string will do.
    """

    program: Programs | None = Field(
        default=None,
        description="Programs, by name, path or `class:NAME`. A name denies the program wherever it lies, and "
        "allows it bare or in a folder of the system only.",
        examples=[["rm", "class:shells"]],
    )
    argv: Annotated[list[OneOrMore], Field(min_length=1)] | None = Field(
        default=None,
        description="Every word of a command from the program on, each a pattern or a list of alternatives; "
        '"..." at the end lets any words follow.',
        examples=[["/opt/release", ["deploy", "rollback"], "glob:v[0-9]*"]],
    )
    args_any: OneOrMore | None = Field(
        default=None, description="Some word after the program is one of these.", examples=[["cp", "sync"]]
    )
    args_all: OneOrMore | None = Field(
        default=None,
        description="For each of these some word after the program matches.",
        examples=[["-r", "/"]],
    )
    args_none: OneOrMore | None = Field(
        default=None,
        description="No word after the program is one of these.",
        examples=[["--dry-run"]],
    )
    reads: OneOrMore | None = Field(
        default=None, description="Files that are read.", examples=[["glob:/etc/ssl/private/**"]]
    )
    writes: OneOrMore | None = Field(
        default=None, description="Files that are written, made or removed.", examples=[["glob:/etc/**"]]
    )
    contacts: OneOrMore | None = Field(
        default=None,
        description="Hosts, or buckets such as `s3://NAME`; here `*` stops at nothing.",
        examples=[["glob:*.example.com"]],
    )
    defines: OneOrMore | None = Field(
        default=None,
        description="Names of functions, aliases and variables that are set and change what follows.",
        examples=[["PATH", "LD_PRELOAD"]],
    )
    flags: Flags | None = Field(
        default=None, description="What the statement does beside; any is enough.", examples=[["opaque"]]
    )
    operation: Operations | None = Field(
        default=None, description="Operations on files over sftp, scp and the like.", examples=[["upload"]]
    )
    text: OneOrMore | None = Field(
        default=None,
        description="The whole text of the statement, in rules that do not allow; for what the facts do not say.",
        examples=[["glob:**stratum+tcp**"]],
    )
    text_none: OneOrMore | None = Field(
        default=None,
        description="The whole text of the statement is none of these, in rules that do not allow.",
        examples=[['eval "$(ssh-agent -s)"']],
    )

    @model_validator(mode="after")
    def _can_match(self) -> MatchTable:
        if not self.model_fields_set:
            raise ValueError('got an empty table, expected at least one key such as program = "rm"')
        if self.model_fields_set == {"text_none"}:
            raise ValueError('got text_none alone, expected a key beside it such as flags = "opaque"')
        if self.argv is not None:
            places = [at for at, words in enumerate(self.argv) if ELLIPSIS in words]
            if places and (places != [len(self.argv) - 1] or self.argv[-1] != [ELLIPSIS] or places == [0]):
                raise ValueError(
                    f'argv has "{ELLIPSIS}" in a place of its own, expected it last, after a program'
                )
            for text in self.argv[0]:
                if wrong := misspelt_program(text):
                    raise ValueError(f"argv: {wrong}")
        if wrong := contradiction(self.match()):
            raise ValueError(f"can never match: {wrong}")
        return self

    def match(self) -> Match:
        """Return what this table says."""
        more = self.argv is not None and self.argv[-1] == [ELLIPSIS]
        argv = None if self.argv is None else tuple(tuple(words) for words in self.argv)
        return Match(
            program=frozen(self.program),
            argv=argv[:-1] if argv is not None and more else argv,
            more=more,
            args_any=frozen(self.args_any),
            args_all=frozen(self.args_all),
            args_none=frozen(self.args_none),
            reads=frozen(self.reads),
            writes=frozen(self.writes),
            contacts=frozen(self.contacts),
            defines=frozen(self.defines),
            flags=None if self.flags is None else frozenset(self.flags),
            operation=None if self.operation is None else frozenset(self.operation),
            text=frozen(self.text),
            text_none=frozen(self.text_none),
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
    match: Annotated[list[MatchTable], Field(min_length=1)] | None = Field(
        default=None,
        description="What the rule speaks of in a statement, as entries of which one is enough; left out, it speaks "
        "of every statement, even of one that is not understood.",
    )
    reason: Annotated[str, AfterValidator(one_line)] = Field(
        default="", description="Why, in one line; the bot sees it when it is denied."
    )
    severity: Annotated[Severity, Strict(False)] | None = Field(
        default=None, description="How bad it is that the rule matches; a record and an alert say it."
    )
    attack: Annotated[str, AfterValidator(_attack)] | None = Field(
        default=None, description="The technique of MITRE ATT&CK that it speaks of.", examples=["T1567.002"]
    )
    computed: bool = Field(
        default=True,
        description="In a rule that does not allow: a word that is known only at run time (`$x`) counts as whatever it "
        "may be; if false, only as what it looks like (`/etc/$x`).",
    )
    warn: bool = Field(
        default=False, description="In a rule that allows: let it run, and tell the bot the reason."
    )
    notify: bool = Field(default=False, description="Send what matches to the log as an alert.")
    approvers: ApproversTable | None = Field(
        default=None,
        description='In a rule with verdict = "approve": who may approve; without it nobody can.',
    )
    past_quota: PastQuota = Field(
        default="end",
        description="In a rule that allows: what a session does past the recorder's quota: end, or go on "
        "with length and digest recorded only.",
    )

    @model_validator(mode="after")
    def _fits_verdict(self) -> RuleTable:
        allows = self.verdict is VerdictKind.ALLOW
        for key in ("past_quota", "warn"):
            if key in self.model_fields_set and not allows:
                raise ValueError(
                    f'{key} is set where nothing is allowed, expected it with verdict = "allow" only'
                )
        if "computed" in self.model_fields_set and (allows or self.match is None):
            raise ValueError(
                "computed is set where no statement is denied, expected it beside match and a deny"
            )
        if self.approvers is not None and self.verdict is not VerdictKind.APPROVE:
            raise ValueError(
                'approvers is set where nobody is asked, expected it with verdict = "approve" only'
            )
        for at, entry in enumerate(self.match or ()):
            if allows and (key := next((key for key in ("text", "text_none") if getattr(entry, key)), "")):
                raise ValueError(
                    f"match[{at}].{key} is set in a rule that allows, expected the facts: text proves nothing"
                )
            if not allows and (wrong := contradiction(entry.match(), denies=True)):
                raise ValueError(f"match[{at}] can never match: {wrong}")
        return self

    def rule(self, place: tuple[str, str]) -> Rule:
        """Return the rule that this table says; `place` is its file and key."""
        return Rule(
            id=self.id,
            verdict=self.verdict,
            when=self.when.when(),
            match=None if self.match is None else tuple(entry.match() for entry in self.match),
            reason=self.reason,
            severity=self.severity,
            attack=self.attack,
            computed=self.computed,
            warn=self.warn,
            notify=self.notify,
            approvers=None if self.approvers is None else self.approvers.approvers(),
            past_quota=self.past_quota,
            place=place,
        )


class Document(Table):
    """A policy file: rules, what is masked, and how much may pass."""

    rule: list[RuleTable] = Field(default=[], description="The rules; a file without any allows nothing.")
    mask: list[MaskTable] = Field(default=[], description="What is masked in answers and records.")
    exception: list[ExceptionTable] = Field(default=[], description="What masks let pass after all.")
    limit: list[LimitTable] = Field(default=[], description="How much of the answers may pass.")


_Row = RuleTable | MaskTable | ExceptionTable | LimitTable


def parse_policy(sources: Iterable[Source]) -> Policy:
    """Return the policy that the files make together; raise PolicyInvalidError with all that is wrong."""
    problems: list[Problem] = []
    taken: dict[str, str] = {}
    rules: list[Rule] = []
    masks: list[MaskRule] = []
    exceptions: list[MaskException] = []
    limits: list[Limit] = []
    for source in sources:
        tables, wrong = _tables(source)
        problems += wrong
        for key, table in tables:
            if table.id in taken:
                message = f"{shown(table.id)} is taken by {taken[table.id]}, expected an id of its own"
                problems.append(Problem(source.label, f"{key}.id", message))
                continue
            taken[table.id] = f"{source.label}: {key}"
            if isinstance(table, MaskTable):
                masks.append(table.rule())
            elif isinstance(table, ExceptionTable):
                exceptions.append(table.exception())
            elif isinstance(table, LimitTable):
                limits.append(table.limit((source.label, key)))
            else:
                rules.append(table.rule((source.label, key)))
    if problems:
        raise PolicyInvalidError(problems)
    return Policy(rules=tuple(rules), masks=tuple(masks), exceptions=tuple(exceptions), limits=tuple(limits))


@cache
def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy file, for editors."""
    return tidied(Document.model_json_schema(), "bastion policy")


def _tables(source: Source) -> tuple[list[tuple[str, _Row]], list[Problem]]:
    """Return the sound tables of one file, each with its key, and what is wrong with the rest."""
    raw = parse_toml(source.text, source.label)
    if isinstance(raw, Problem):
        return [], [raw]
    kinds: dict[str, type[_Row]] = {
        "rule": RuleTable,
        "mask": MaskTable,
        "exception": ExceptionTable,
        "limit": LimitTable,
    }
    findings: Sequence[Mapping[str, Any]] = ()
    try:
        Document.model_validate(raw)
    except ValidationError as error:
        findings = error.errors()
    broken = {finding["loc"][:2] for finding in findings}
    sound: list[tuple[str, _Row]] = []
    for name, kind in kinds.items():
        rows = raw.get(name)
        for index, row in enumerate(rows if isinstance(rows, list) else ()):
            if (name, index) not in broken and (name,) not in broken:
                sound.append((f"{name}[{index}]", kind.model_validate(row)))
    return sound, explain(source.label, json_schema(), findings) if findings else []
