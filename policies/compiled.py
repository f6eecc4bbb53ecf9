"""Hold one entry of a rule's `match` against the facts of a statement.

In      Match, as model.py names it; Facts
Out     Entry: whether it denies a statement (any one thing of it is enough), and what of it an allow covers
Holds   compiled patterns, nothing of a statement
Errors  ValueError from a pattern that is no glob
Source  docs/policies.md; docs/security.md, law L4
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Literal

from policies.classes import CLASS_PREFIX, CLASSES
from policies.facts import Command, Facts, Touch, Word
from policies.model import Match, Rule
from policies.pattern import NO_STOPS, PATH_STOPS, Patterns

STANDARD_FOLDERS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")

TouchKey = Literal["reads", "writes", "contacts"]
TOUCH_KEYS: tuple[TouchKey, ...] = ("reads", "writes", "contacts")


class Programs:
    """The alternatives for a program: names, paths, globs of either, and classes."""

    def __init__(self, texts: Iterable[str]) -> None:
        names: list[str] = []
        paths: list[str] = []
        for text in texts:
            if text.startswith(CLASS_PREFIX):
                names += sorted(CLASSES[text.removeprefix(CLASS_PREFIX)])
            else:
                (paths if "/" in text else names).append(text)
        self._names = Patterns(names, PATH_STOPS)
        self._paths = Patterns(paths, PATH_STOPS)
        last = {text.rpartition("/")[2] for text in paths}
        self.globs = bool(self._names.globs) or any(set(name) & set("*?[") for name in last)
        self.known = self._names.exact | last

    def may_be(self, word: Word) -> bool:
        """Say whether the word names one of them, wherever it lies; of a computed word its flag tells, not this."""
        if word.form == "computed":
            return False
        name = Word(word.text.rpartition("/")[2], word.form)
        if self._names.may_become(name):
            return True
        if not word.literal:
            return self._paths.may_become(word)
        return self._paths.has(word.text) or self._paths.has(posixpath.normpath(word.text))

    def surely_is(self, word: Word) -> bool:
        """Say whether the word names one of them in its own place: bare, or in a folder of the system."""
        if not word.literal:
            return False
        folder, slash, name = word.text.rpartition("/")
        if (not slash or folder in STANDARD_FOLDERS) and self._names.has(name):
            return True
        return self._paths.has(word.text)


@dataclass(frozen=True, slots=True)
class Line:
    """The words of a whole command, from the program on; `more` says that any may follow."""

    program: Programs
    words: tuple[Patterns, ...]
    more: bool

    def surely_is(self, command: Command) -> bool:
        """Say whether the command is this, whatever the shell makes of its words."""
        words = command.words[1:]
        if len(words) < len(self.words) or (len(words) > len(self.words) and not self.more):
            return False
        return self.program.surely_is(command.program) and all(map(surely_word, self.words, words))

    def may_be(self, command: Command, *, guess: bool) -> bool:
        """Say whether the command is, or may become, this: a word that is not literal may become any number."""
        if not self.program.may_be(command.program):
            return False
        places = {0}
        for word in command.words[1:]:
            if self.more and len(self.words) in places:
                return True
            reached: set[int] = set()
            for place in places:
                if word.form == "computed" and guess:
                    reached.add(place)
                if place < len(self.words) and self.words[place].may_become(word, guess=guess):
                    one = word.literal or (word.form == "computed" and not guess)
                    reached.update([place + 1] if one else range(place + 1, len(self.words) + 1))
            places = reached
        return len(self.words) in places


class Entry:
    """One entry of a rule, compiled; `number` is its place in the rule's `match`."""

    def __init__(self, rule: Rule, match: Match, number: int) -> None:
        """Compile the entry; raise ValueError for a pattern that is no glob."""
        self.rule = rule
        self.match = match
        self.number = number
        self.guess = rule.computed
        self.line: Line | None = None
        if match.argv is not None:
            program, *words = match.argv
            self.line = Line(
                Programs(program), tuple(Patterns(texts, PATH_STOPS) for texts in words), match.more
            )
        self.programs = None if match.program is None else Programs(match.program)
        self._args_any = _patterns(match.args_any, PATH_STOPS)
        self._args_all = tuple(Patterns((text,), PATH_STOPS) for text in match.args_all or ())
        self._args_none = _patterns(match.args_none, PATH_STOPS)
        self.touches: dict[TouchKey, Patterns] = {
            key: Patterns(texts, NO_STOPS if key == "contacts" else PATH_STOPS, folder=not rule.allows)
            for key in TOUCH_KEYS
            if (texts := getattr(match, key)) is not None
        }
        self.defines = _patterns(match.defines, NO_STOPS)
        self._text = _patterns(match.text, NO_STOPS)
        self._text_none = _patterns(match.text_none, NO_STOPS)
        asked = (match.program, match.argv, match.args_any, match.args_all, match.args_none)
        self.of_commands = any(each is not None for each in asked)
        besides = (match.flags, match.operation, match.defines, match.text, match.text_none)
        self._asks_besides = bool(self.touches) or any(each is not None for each in besides)
        self.pins = self.line is not None and not self.line.more

    @property
    def keys(self) -> int:
        """Return how many keys the entry has."""
        return sum(
            getattr(self.match, key.name) is not None for key in fields(self.match) if key.name != "more"
        )

    def speaks_of(self, facts: Facts) -> bool:
        """Say whether the statement meets every key: a rule that does not allow then matches."""
        if self.of_commands and not any(map(self.may_be, facts.commands)):
            return False
        return self.is_met_besides(facts)

    def is_met_besides(self, facts: Facts) -> bool:
        """Say whether the statement meets every key that is not of a command."""
        return not self._asks_besides or next(self._unmet_besides(facts), None) is None

    @property
    def needed(self) -> tuple[str, ...] | None:
        """Return patterns of which a command has to have a word for the entry to speak of it; None if of none.

        Where every word of a command is literal, one of them has to be matched; else one has to be, or may become so.
        """
        match = self.match
        if match.args_any is not None:
            return match.args_any
        if match.args_all:
            return match.args_all[:1]
        return match.argv[1] if match.argv is not None and len(match.argv) > 1 else None

    def unmet(self, facts: Facts) -> list[str]:
        """Return the keys that the statement does not meet; of a command's, those that the nearest one does not."""
        wrong: list[str] = []
        if self.of_commands:
            found = [list(self._unmet_by(command)) for command in facts.commands]
            wrong = min(found, key=len, default=["program"])
        return [*wrong, *self._unmet_besides(facts)]

    def _unmet_besides(self, facts: Facts) -> Iterator[str]:
        match = self.match
        if match.flags is not None and match.flags.isdisjoint(facts.flags):
            yield "flags"
        if match.operation is not None and facts.operation not in match.operation:
            yield "operation"
        for key, patterns in self.touches.items():
            if not self._some(patterns, [touch.value for touch in touched(facts, key)]):
                yield key
        if self.defines is not None and not any(map(self.defines.has, facts.defines)):
            yield "defines"
        if self._text is not None and not self._text.has(facts.statement):
            yield "text"
        if self._text_none is not None and self._text_none.has(facts.statement):
            yield "text_none"

    def may_be_of(self, program: Word) -> bool:
        """Say whether the entry may speak of a command of this program."""
        return (self.programs is None or self.programs.may_be(program)) and (
            self.line is None or self.line.program.may_be(program)
        )

    def may_be(self, command: Command) -> bool:
        """Say whether the command is one that the entry speaks of, or may be one when it runs."""
        return next(self._unmet_by(command), None) is None

    def _unmet_by(self, command: Command) -> Iterator[str]:
        if self.programs is not None and not self.programs.may_be(command.program):
            yield "program"
        if self.line is not None and not self.line.may_be(command, guess=self.guess):
            yield "argv"
        words = command.words[1:]
        if self._args_any is not None and not self._some(self._args_any, words):
            yield "args_any"
        if not all(self._some(patterns, words) for patterns in self._args_all):
            yield "args_all"
        if self._args_none is not None and any(map(self._args_none.surely, words)):
            yield "args_none"

    def _some(self, patterns: Patterns, words: Iterable[Word]) -> bool:
        return any(patterns.may_become(word, guess=self.guess) for word in words)

    def surely_is(self, command: Command) -> bool:
        """Say whether the command is one that the entry speaks of, whatever its words become."""
        if not self.of_commands:
            return False
        if self.programs is not None and not self.programs.surely_is(command.program):
            return False
        if self.line is not None and not self.line.surely_is(command):
            return False
        words = command.words[1:]
        return (
            (self._args_any is None or any(surely_word(self._args_any, word) for word in words))
            and all(any(surely_word(patterns, word) for word in words) for patterns in self._args_all)
            and (
                self._args_none is None
                or not any(self._args_none.may_become(word, option=True) for word in words)
            )
        )


def touched(facts: Facts, key: TouchKey) -> tuple[Touch, ...]:
    """Return the files read or written, or the hosts contacted."""
    match key:
        case "reads":
            return facts.reads
        case "writes":
            return facts.writes
        case "contacts":
            return facts.contacts


def surely_word(patterns: Patterns, word: Word) -> bool:
    """Say whether whatever the shell makes of a word matches; of a computed word nothing is sure."""
    return word.form != "computed" and patterns.surely(word)


def _patterns(texts: tuple[str, ...] | None, stops: str) -> Patterns | None:
    return None if texts is None else Patterns(texts, stops)
