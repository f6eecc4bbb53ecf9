"""Say what is masked in one session: the detectors that its rules choose, and what becomes of what each finds.

In      the [[mask]] rules whose `when` fits
Out     Plan, which gives a Redactor for each stream
Holds   the detectors compiled once for each choice of them; they are not even loaded where nothing is masked
Source  docs/masking.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from policies.masking.action import PASSES, Action, ActionKind
from policies.masking.exception import MaskException
from policies.masking.named import NOTHING_NAMED, Named
from policies.model import When

if TYPE_CHECKING:
    from policies.masking.finder import Finder
    from policies.masking.redactor import Redactor
    from policies.masking.scanner import Scanner

Unreadable = Literal["count", "deny"]

_STRICTEST_FIRST = (ActionKind.REDACT, ActionKind.HASH, ActionKind.PARTIAL, ActionKind.DETECT)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskRule:
    """One [[mask]] table: for whom and where, which detectors, and what becomes of what they find.

    Of files: `spool` says to look through the whole before any of it is let go of, `unreadable` what becomes of those
    that cannot be read.
    """

    id: str
    detectors: frozenset[str]
    action: Action
    when: When = field(default_factory=When)
    spool: bool = False
    unreadable: Unreadable = "count"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is masked in a session; of several rules for one detector the strictest counts.

    `passes` has, by detector, the hashes (under `value_key`) of values that pass.
    """

    finder: Finder
    actions: Mapping[str, Action]
    spool: bool = False
    refuses_unread: bool = False
    passes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    value_key: bytes = b""

    def redactor(self, key: bytes) -> Redactor:
        """Return a redactor for one stream; equal values give equal digests under one key."""
        from policies.masking.redactor import Redactor

        return Redactor(
            self.finder, key=key, actions=self.actions, passes=self.passes, value_key=self.value_key
        )

    def scanner(self, *, lead_bytes: int = 0, whole: bool = True, stops: bool = True) -> Scanner:
        """Return what looks through a stretch of a file, as Scanner has it."""
        from policies.masking.redactor import Redactor
        from policies.masking.scanner import Scanner

        finder = self.finder.of_files()
        return Scanner(
            lambda: Redactor(
                finder, key=b"", actions=self.actions, passes=self.passes, value_key=self.value_key
            ),
            lead_bytes=lead_bytes,
            whole=whole,
            stops=stops,
        )


def chosen(kinds: Iterable[str] | None, names: Iterable[str] | None) -> frozenset[str]:
    """Return the names of the detectors that a table chooses; raise ValueError for what there is not."""
    from policies.masking.catalogue import choose

    return choose(kinds, names)


def plan(
    rules: Iterable[MaskRule],
    counted: Iterable[str] = (),
    exceptions: Iterable[MaskException] = (),
    passed: Iterable[str] = (),
    named: Named = NOTHING_NAMED,
) -> Plan | None:
    """Return what these rules say together, and look for what is `counted`; None if nothing is looked for.

    Finds of `passed` detectors pass, and so do the values of `exceptions`. What is `named` is always masked.
    """
    actions: dict[str, Action] = {}
    rules = tuple(rules)
    for rule in rules:
        for name in rule.detectors:
            kept = actions.get(name)
            if kept is None or _rank(rule.action) < _rank(kept):
                actions[name] = rule.action
    for name in counted:
        actions.setdefault(name, PASSES)
    actions |= {name: PASSES for name in passed if name in actions}
    if not actions and not named:
        return None
    from policies.masking.catalogue import compiled, compiled_with
    from policies.masking.finder import Finder

    passes: dict[str, frozenset[str]] = {}
    for it in exceptions:
        for name in it.detectors:
            passes[name] = passes.get(name, frozenset()) | it.values
    names = frozenset(actions)
    made = compiled_with(names, named.detectors()) if named else compiled(names)
    return Plan(
        finder=Finder(made),
        actions=actions,
        spool=any(rule.spool for rule in rules),
        refuses_unread=any(rule.unreadable == "deny" for rule in rules),
        passes=passes,
        value_key=named.key,
    )


def _rank(action: Action) -> tuple[int, int]:
    """Return how much an action lets pass: which way, and how long an edge."""
    return _STRICTEST_FIRST.index(action.kind), action.first + action.last
