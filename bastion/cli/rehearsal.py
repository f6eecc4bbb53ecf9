"""Judge what was recorded by a draft policy, and tell what would have become of it.

In      evidence, the configuration in force, a policy
Out     Report: how much was judged, and each request or statement whose verdict would be another
Errors  OperatorError where a recording does not hold
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bastion.cli.tables import table
from bastion.cli.times import iso, short
from bastion.errors import OperatorError
from bastion.principal import find_identity
from bastion.resolve import find_target
from bastion.settings import Config
from policies.engine import Policy
from policies.facts import Facts, Flag, Touch, Word, unparsed
from policies.model import Access, Request, Verdict
from policies.shell import analyse
from policies.shell.dialect import foreign
from recorder.chunk import ChunkError
from recorder.events import Event, Kind
from recorder.evidence import Evidence, Filter, SessionRow
from recorder.terminal import plain

DEFAULT_SHELL = "bash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request or statement as it was recorded; `statement` is None for an access that is no command."""

    at_us: int
    access: Access
    statement: bytes | None
    verdict: str
    rules: tuple[str, ...]
    facts: Facts | None = None


@dataclass(slots=True, kw_only=True)
class Change:
    """What the draft would have made of something else; `sessions` counts how often, and where it was first."""

    asked: Asked
    session: SessionRow
    would: Verdict
    count: int = 1

    @property
    def text(self) -> str:
        if self.asked.statement is None:
            return f"({self.asked.access.value})"
        return self.asked.statement.decode("utf-8", "surrogateescape")


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of a rehearsal."""

    sessions: int = 0
    judged: int = 0
    changes: dict[object, Change] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "sessions": self.sessions,
            "judged": self.judged,
            "changed": sum(change.count for change in self.changes.values()),
            "changes": [_change(change) for change in self.changes.values()],
        }

    def as_text(self) -> str:
        changed = Counter(
            {
                way: sum(each.count for each in self.changes.values() if _way(each) == way)
                for way in dict.fromkeys(map(_way, self.changes.values()))
            }
        )
        told = ", ".join(f"{count} from {way}" for way, count in changed.items())
        lines = [
            f"{self.judged} requests and statements in {self.sessions} sessions; would change: {told or 'none'}"
        ]
        rows = [
            (
                short(change.session.started_us + change.asked.at_us),
                plain(change.session.identity),
                plain(f"{change.session.login}@{change.session.target}"),
                _way(change),
                ", ".join(change.would.rules) or "no rule",
                f"{change.count}x" if change.count > 1 else "",
                plain(change.text),
            )
            for change in self.changes.values()
        ]
        if rows:
            heads = ("first", "identity", "where", "verdict", "by", "", "statement")
            lines += ["", table(rows, heads)]
        return "\n".join(lines)


def rehearsed(
    evidence: Evidence, config: Config, draft: Policy, *, since_us: int, groups: frozenset[str]
) -> Report:
    """Return what the draft would have changed in the sessions that began since."""
    report = Report()
    for row in reversed(evidence.sessions(Filter(since_us=since_us))):
        report.sessions += 1
        target = find_target(config, row.target)
        shell = DEFAULT_SHELL if target is None else target.shell
        try:
            for asked in asked_in(evidence.events(row.id)):
                _judge(report, row, asked, draft, _request(config, row, asked.access, groups), shell)
        except ChunkError as error:
            raise OperatorError(f"session {row.id}: {error}; `bastion verify {row.id}` says more") from error
    return report


def asked_in(events: Iterable[Event]) -> Iterator[Asked]:
    """Yield what was asked in a session, each with the verdict that it got.

    Of a command that was judged as a statement the statement counts, not that its access began.
    """
    requests: dict[int, Event] = {}
    begun: dict[int, Asked] = {}
    for event in events:
        match event.kind:
            case Kind.REQUEST:
                requests[event.channel] = event
            case Kind.VERDICT if (request := requests.pop(event.channel, None)) is not None:
                if (asked := _begun(request, event)) is not None:
                    begun[event.channel] = asked
            case Kind.STATEMENT if event.channel in begun:
                access = begun[event.channel].access
                if event.detail.get("request") is True:
                    begun[event.channel] = _asked(event, event, access, event.data)
                else:
                    yield _asked(event, event, access, event.data)
            case _:
                pass
    yield from begun.values()


def _begun(request: Event, verdict: Event) -> Asked | None:
    access = _access(request.detail.get("access"))
    if access is None:
        return None
    if verdict.detail.get("filtered") is False:
        access = Access.RAW
    command = access is Access.EXEC and request.detail.get("type") == "exec"
    return _asked(request, verdict, access, request.data if command else None)


def _asked(event: Event, verdict: Event, access: Access, statement: bytes | None) -> Asked:
    rules = verdict.detail.get("rules")
    facts = event.detail.get("facts")
    return Asked(
        at_us=event.at_us,
        access=access,
        statement=statement,
        verdict=str(verdict.detail.get("verdict")),
        rules=tuple(map(str, rules)) if isinstance(rules, list | tuple) else (),
        facts=_known(facts) if isinstance(facts, dict) else None,
    )


def _known(recorded: Mapping[str, Any]) -> Facts | None:
    """Return the facts of what is no shell statement as they were recorded; None for one that can be parsed again."""
    operation = recorded.get("operation")
    if operation is None and recorded.get("language") != "data":
        return None
    return Facts(
        statement="",
        language=str(recorded.get("language")),
        flags=frozenset(Flag(flag) for flag in recorded.get("flags") or () if flag in set(Flag)),
        operation=operation if isinstance(operation, str) else None,
        reads=tuple(Touch(Word(str(path))) for path in recorded.get("reads") or ()),
        writes=tuple(Touch(Word(str(path))) for path in recorded.get("writes") or ()),
    )


def facts_of(statement: bytes, shell: str) -> Facts:
    """Return the facts of a statement for a shell; this may wait for the second parser."""
    if why := foreign(shell, statement):
        return unparsed(statement.decode("utf-8", "surrogateescape"), why)
    return analyse(statement)


def _access(value: object) -> Access | None:
    return Access(value) if isinstance(value, str) and value in set(Access) else None


def _request(config: Config, row: SessionRow, access: Access, groups: frozenset[str]) -> Request:
    """Return who asked and where, by what the configuration says of them now."""
    identity, target = find_identity(config, row.identity), find_target(config, row.target)
    return Request(
        identity=row.identity,
        groups=groups | frozenset(identity.groups if identity is not None else ()),
        target=row.target,
        labels=target.labels if target is not None else {},
        login=row.login,
        access=access,
    )


def _judge(
    report: Report, row: SessionRow, asked: Asked, draft: Policy, request: Request, shell: str
) -> None:
    report.judged += 1
    if asked.facts is not None:
        would = draft.judge(request, asked.facts)
    elif asked.statement is None:
        would = draft.decide(request)
    else:
        would = draft.judge(request, facts_of(asked.statement, shell))
    if would.kind.value == asked.verdict:
        return
    key = (
        row.identity,
        row.target,
        row.login,
        asked.access,
        asked.statement,
        asked.verdict,
        would.kind,
        would.rules,
    )
    if (known := report.changes.get(key)) is not None:
        known.count += 1
    else:
        report.changes[key] = Change(asked=asked, session=row, would=would)


def _way(change: Change) -> str:
    return f"{plain(change.asked.verdict)} to {change.would.kind.value}"


def _change(change: Change) -> dict[str, Any]:
    return {
        "statement": None if change.asked.statement is None else change.text,
        "access": change.asked.access.value,
        "identity": change.session.identity,
        "target": change.session.target,
        "login": change.session.login,
        "was": {"verdict": change.asked.verdict, "rules": list(change.asked.rules)},
        "would": {
            "verdict": change.would.kind.value,
            "rules": list(change.would.rules),
            "reason": change.would.reason,
        },
        "count": change.count,
        "first": {
            "session": change.session.id,
            "at": iso(change.session.started_us + change.asked.at_us),
        },
    }
