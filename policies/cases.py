"""Test policies like code: tables of statements, each with the verdict that is expected of it.

In      TOML: `[[case]]` tables, in FILE.cases.toml beside FILE.toml or in library/cases/NAME.toml of what is shipped
Out     for each statement a Result: the verdict that was expected, the one that was given
Errors  PolicyUnreadableError, PolicyInvalidError with every problem of a table
Source  docs/policies.md
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict, ValidationError, model_validator

from policies.document import parse_policy
from policies.document_table import Table
from policies.engine import Policy
from policies.errors import PolicyInvalidError
from policies.explain import explain
from policies.facts import Facts, Touch, Word
from policies.model import Access, Operation, Request, Verdict, VerdictKind
from policies.problem import Problem, parse_toml, shown
from policies.schema import tidied
from policies.shell import analyse
from policies.source import LIBRARY_PREFIX, Source, library_names, read_source

SUFFIX = ".cases.toml"

_WHO_AND_WHERE = ("access", "identity", "groups", "target", "labels", "login")


class CaseTable(Table):
    """What is judged, and the verdict that it must get."""

    statement: str | None = Field(default=None, description="One shell statement.")
    statements: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, description="Several, which must all get the verdict."
    )
    operation: Operation | None = Field(default=None, description="An operation on files.")
    reads: list[str] = Field(default=[], description="The files that the operation reads.")
    writes: list[str] = Field(default=[], description="The files that the operation writes.")
    verdict: Annotated[VerdictKind, Strict(False)] = Field(description="The verdict that is expected.")
    rules: list[str] = Field(default=[], description="Rules that must be among those that made it.")
    policy: Annotated[
        list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
    ] = Field(default=[], description="Policies to judge by together, instead of the one that is tested.")
    access: Annotated[Access, Strict(False)] | None = Field(default=None, description="How it is asked for.")
    identity: str | None = Field(default=None, description="Who asks.")
    groups: list[str] | None = Field(default=None, description="The groups of who asks.")
    target: str | None = Field(default=None, description="Where.")
    labels: dict[str, str] | None = Field(default=None, description="The labels of the target.")
    login: str | None = Field(default=None, description="As which user there.")

    @model_validator(mode="after")
    def _one_subject(self) -> CaseTable:
        if [self.statement, self.statements, self.operation].count(None) != 2:
            raise ValueError("expected one of statement, statements and operation")
        if self.operation is None and (self.reads or self.writes):
            raise ValueError("reads and writes are those of an operation, expected operation beside them")
        return self

    def subjects(self) -> Iterator[tuple[str, Facts]]:
        """Yield what is judged: its text, its facts."""
        if self.operation is not None:
            paths = " ".join([*self.reads, *self.writes])
            yield (
                f"{self.operation} {paths}",
                Facts(
                    statement="",
                    language="sftp",
                    operation=self.operation,
                    reads=tuple(Touch(Word(path)) for path in self.reads),
                    writes=tuple(Touch(Word(path)) for path in self.writes),
                ),
            )
        for text in self.statements or ([] if self.statement is None else [self.statement]):
            yield text, analyse(text)

    def request(self) -> Request | None:
        """Return who asks and where, as far as the case says; None if it says nothing: every `when` is then met."""
        if all(getattr(self, key) is None for key in _WHO_AND_WHERE):
            return None
        return Request(
            identity=self.identity or "",
            groups=frozenset(self.groups or ()),
            target=self.target or "",
            labels=self.labels or {},
            login=self.login or "",
            access=self.access or (Access.SFTP if self.operation else Access.EXEC),
        )


class CaseDocument(Table):
    """A table of cases, and nothing else."""

    case: list[CaseTable] = Field(default=[], description="The cases.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one statement of one case; `place` is the file and the key of the case."""

    place: str
    statement: str
    expected: VerdictKind
    expected_rules: tuple[str, ...]
    verdict: Verdict

    @property
    def passed(self) -> bool:
        return self.verdict.kind is self.expected and set(self.expected_rules) <= set(self.verdict.rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A table of cases, and the policy that it tests: a name as `read_source` takes it, from `folder`."""

    cases: Source
    policy: str
    folder: Path


def library_suites() -> Iterator[Suite]:
    """Yield the tables of the policies that are shipped."""
    folder = resources.files("policies").joinpath("library", "cases")
    for name in library_names():
        file = folder.joinpath(f"{name}.toml")
        if file.is_file():
            cases = Source(label=f"{LIBRARY_PREFIX}{name} (cases)", text=file.read_text("utf-8"))
            yield Suite(cases=cases, policy=f"{LIBRARY_PREFIX}{name}", folder=Path())


def suite_of(name: str) -> Suite:
    """Return the table beside a policy file, or of the one that is shipped; raise PolicyUnreadableError."""
    if name.startswith(LIBRARY_PREFIX):
        read_source(name, Path())
        if found := next((suite for suite in library_suites() if suite.policy == name), None):
            return found
    path = Path(name)
    policy = path.with_name(path.name.removesuffix(SUFFIX) + ".toml") if name.endswith(SUFFIX) else path
    cases = policy.with_name(policy.name.removesuffix(".toml") + SUFFIX)
    return Suite(cases=read_source(cases.name, cases.parent), policy=policy.name, folder=policy.parent)


def run(suite: Suite) -> Iterator[Result]:
    """Judge every case of a table; raise PolicyInvalidError for a mistake in it or in a policy that it names."""
    policies: dict[tuple[str, ...], Policy] = {}
    for at, case in enumerate(_read(suite.cases)):
        named = tuple(case.policy) or (suite.policy,)
        if named not in policies:
            policies[named] = parse_policy(_sources(named, suite))
        policy, request = policies[named], case.request()
        for statement, facts in case.subjects():
            yield Result(
                place=f"{suite.cases.label}: case[{at}]",
                statement=statement,
                expected=case.verdict,
                expected_rules=tuple(case.rules),
                verdict=policy.judge_alone(facts) if request is None else policy.judge(request, facts),
            )


def _sources(named: Sequence[str], suite: Suite) -> list[Source]:
    shipped = library_names()
    return [
        read_source(f"{LIBRARY_PREFIX}{name}" if name in shipped else name, suite.folder) for name in named
    ]


def _read(source: Source) -> list[CaseTable]:
    raw = parse_toml(source.text, source.label)
    if isinstance(raw, Problem):
        raise PolicyInvalidError([raw])
    try:
        cases = CaseDocument.model_validate(raw).case
    except ValidationError as error:
        raise PolicyInvalidError(explain(source.label, _schema(), error.errors())) from None
    if not cases:
        raise PolicyInvalidError(
            [Problem(source.label, "case", f"has {shown([])}, expected at least one case")]
        )
    return cases


@cache
def _schema() -> dict[str, Any]:
    return tidied(CaseDocument.model_json_schema(), "bastion policy cases")
