"""Hold the rules that speak of one kind of request, so that those a statement may meet are found at once.

In      rules whose `when` fits, and their compiled entries; Facts
Out     the rules that deny a statement or ask approval for it; what the rules that allow cover of it
Holds   the entries under the names of programs, the kinds of things touched, and the flags
Source  docs/security.md, laws L4 and L5
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from policies.compiled import TOUCH_KEYS, Entry, TouchKey, touched
from policies.coverage import Coverage, coverage
from policies.facts import Command, Facts, Flag, Word
from policies.model import Rule
from policies.needed import OfProgram
from policies.pattern import NO_STOPS, PATH_STOPS, Patterns

GROUP = 8  # entries that are ruled out together
MAX_NAMES, MAX_NAME = 4096, 64  # programs whose entries are kept, and the length of their names


class Scope:
    """Rules that fit a request, indexed."""

    def __init__(self, rules: Sequence[Rule], entries: Sequence[Entry]) -> None:
        self.rules = tuple(rules)
        self.entries = tuple(entries)
        self._always = [rule for rule in rules if rule.match is None and not rule.allows]
        self._everything = tuple(rule for rule in rules if rule.match is None and rule.allows)
        self._allowing = tuple(rule for rule in rules if rule.allows)
        self._against = _Index(entry for entry in entries if not entry.rule.allows)
        self._grants = [entry for entry in entries if entry.rule.allows]
        self._granting = _Index(entry for entry in self._grants if entry.of_commands)

    def against(self, facts: Facts) -> list[Rule]:
        """Return the rules that deny the statement or ask approval for it."""
        found = {rule.id: rule for rule in self._always}
        for command in facts.commands:
            for entry in self._against.met(command):
                if entry.rule.id not in found and entry.may_be(command) and entry.is_met_besides(facts):
                    found[entry.rule.id] = entry.rule
        for entry in dict.fromkeys(self._against.candidates(facts)):
            if entry.rule.id not in found and entry.speaks_of(facts):
                found[entry.rule.id] = entry.rule
        return list(found.values())

    def coverage(self, facts: Facts) -> Coverage:
        """Return what the rules that allow cover of the statement."""
        if self._everything and not self._grants:
            return Coverage(self._everything, ())
        covered = coverage(self._grants, self._granting.of_command, facts)
        if self._everything:
            return Coverage((*self._everything, *covered.rules), ())
        if covered.missing or covered.rules:
            return covered
        return Coverage(self._allowing, ())  # it does nothing at all: whoever may do something may do that


class _Index:
    """Entries, each under the one of its keys by which it is ruled out soonest."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._by_program: dict[str, list[Entry]] = defaultdict(list)
        self._by_flag: dict[Flag, list[Entry]] = defaultdict(list)
        self._named: list[Entry] = []
        self._of_any_program: list[Entry] = []
        self._known: dict[str, OfProgram] = {}
        self._ordered: dict[tuple[Entry, ...], OfProgram] = {}
        self._of_operations: list[Entry] = []
        self._of_definitions: list[Entry] = []
        by_text: list[Entry] = []
        by_touch: dict[TouchKey, list[Entry]] = {key: [] for key in TOUCH_KEYS}
        for entry in entries:
            programs = entry.line.program if entry.line is not None else entry.programs
            if programs is not None and not programs.globs:
                self._named.append(entry)
                for name in programs.known:
                    self._by_program[name].append(entry)
            elif programs is not None:
                self._of_any_program.append(entry)
            elif entry.touches:
                by_touch[next(iter(entry.touches))].append(entry)
            elif entry.match.flags is not None:
                for flag in entry.match.flags:
                    self._by_flag[flag].append(entry)
            elif entry.match.operation is not None:
                self._of_operations.append(entry)
            elif entry.defines is not None:
                self._of_definitions.append(entry)
            elif entry.of_commands:
                self._of_any_program.append(entry)
            else:
                by_text.append(entry)
        self._by_touch = [
            _Touching(key, [entry for entry in found if entry.guess is guess])
            for key, found in by_touch.items()
            for guess in (False, True)
        ]
        self._by_text = by_text
        self._texts = Patterns([text for entry in by_text for text in entry.match.text or ()])

    def of_command(self, command: Command) -> tuple[Entry, ...]:
        """Return the entries that may speak of the command, by its program alone."""
        if command.program.literal:
            return self._of_program(command.program).entries
        return self._that_may_be(command.program)

    def met(self, command: Command) -> Iterable[Entry]:
        """Return the entries that may speak of the command, by its program and a word that they need."""
        if command.program.literal:
            return self._of_program(command.program).met(command)
        return self._that_may_be(command.program)

    def candidates(self, facts: Facts) -> Iterator[Entry]:
        """Yield the entries beside those of programs that may speak of the statement; some may come twice."""
        for touching in self._by_touch:
            yield from touching.met(facts)
        for flag in facts.flags:
            yield from self._by_flag.get(flag, ())
        if facts.operation is not None:
            yield from self._of_operations
        if facts.defines:
            yield from self._of_definitions
        if self._by_text and self._texts.has(facts.statement):
            yield from self._by_text

    def _of_program(self, program: Word) -> OfProgram:
        """Return the entries of a program; they are put in order when its name first comes up."""
        known = self._known.get(program.text)
        if known is not None:
            return known
        entries = self._that_may_be(program)
        known = self._ordered.get(entries) or OfProgram(entries)
        if len(self._known) < MAX_NAMES and len(program.text) <= MAX_NAME:
            self._known[program.text] = self._ordered[entries] = known
        return known

    def _that_may_be(self, program: Word) -> tuple[Entry, ...]:
        return tuple(entry for entry in dict.fromkeys(self._by_name(program)) if entry.may_be_of(program))

    def _by_name(self, program: Word) -> Iterator[Entry]:
        if program.form == "literal":
            for path in dict.fromkeys((program.text, posixpath.normpath(program.text))):
                yield from self._by_program.get(path.rpartition("/")[2], ())
        elif program.form == "glob":
            yield from self._named
        yield from self._of_any_program


class _Touching:
    """Entries on one kind of thing touched, in groups; all patterns of a group, and of all groups, are also one."""

    def __init__(self, key: TouchKey, entries: list[Entry]) -> None:
        self._key = key
        self._groups = [
            (_together(key, group), group)
            for group in (entries[at : at + GROUP] for at in range(0, len(entries), GROUP))
        ]
        self._all = _together(key, entries)
        self._guess = bool(entries) and entries[0].guess

    def met(self, facts: Facts) -> Iterator[Entry]:
        """Yield the entries of the groups that may speak of something that is touched."""
        words = [touch.value for touch in touched(facts, self._key)]
        if self._groups and self._some(self._all, words):
            for patterns, entries in self._groups:
                if self._some(patterns, words):
                    yield from entries

    def _some(self, patterns: Patterns, words: list[Word]) -> bool:
        return any(patterns.may_become(word, guess=self._guess) for word in words)


def _together(key: TouchKey, entries: list[Entry]) -> Patterns:
    texts = [text for entry in entries for text in getattr(entry.match, key)]
    return Patterns(texts, NO_STOPS if key == "contacts" else PATH_STOPS, folder=True)
