"""Say whether the rules that allow cover the whole of a statement (law L4).

In      compiled entries of rules that allow; Facts
Out     Coverage: the rules that cover something, and what is left that none covers
Source  docs/policies.md; docs/security.md, law L4
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from policies.compiled import TOUCH_KEYS, Entry, TouchKey, surely_word, touched
from policies.facts import Command, Facts, Flag, Touch
from policies.model import Rule
from policies.problem import shown

# A statement with one of these does more than its commands and files tell; a rule has to grant it by name.
GRAVE = (
    *(Flag.UNPARSED, Flag.OPAQUE, Flag.HIDDEN, Flag.INTERPRETER),
    *(Flag.DATA, Flag.DEFINES, Flag.SWITCHES_INPUT),
)

_DOES: dict[TouchKey, str] = {"reads": "reading", "writes": "writing", "contacts": "contact with"}


@dataclass(frozen=True, slots=True)
class Coverage:
    """The rules that cover some part of a statement, and the parts that are covered by none, in words.

    `input_stays` says that what follows on the channel is still for the shell: nothing may read it, or a rule says so.
    """

    rules: tuple[Rule, ...]
    missing: tuple[str, ...]
    input_stays: bool = True


def coverage(entries: Sequence[Entry], of: Callable[[Command], Iterable[Entry]], facts: Facts) -> Coverage:
    """Return what the entries cover; `of` narrows them to those that may speak of a command."""
    return _Statement(entries, of, facts).coverage()


class _Statement:
    """One statement while it is held against the entries."""

    def __init__(
        self, entries: Sequence[Entry], of: Callable[[Command], Iterable[Entry]], facts: Facts
    ) -> None:
        self._facts = facts
        fitting = [entry for entry in entries if self._operation_fits(entry)]
        self._free = [entry for entry in fitting if not entry.of_commands]
        self._own = [
            [entry for entry in of(command) if self._operation_fits(entry) and entry.surely_is(command)]
            for command in facts.commands
        ]
        self._pinned: list[list[Entry]] = []
        for at in range(len(facts.commands)):
            self._pinned.append(self._pinning(at))
        self._rules: list[Rule] = []

    def coverage(self) -> Coverage:
        missing = [*self._commands(), *self._touches(), *self._operation(), *self._flags()]
        rules = tuple(self._rules)
        stays = Flag.MAY_READ_STDIN not in self._facts.flags or self._granted(Flag.MAY_READ_STDIN)
        return Coverage(rules, tuple(dict.fromkeys(missing)), stays)

    def _covered(self, by: Iterable[Entry]) -> bool:
        found = list(by)
        self._rules += [entry.rule for entry in found]
        return bool(found)

    def _operation_fits(self, entry: Entry) -> bool:
        return entry.match.operation is None or self._facts.operation in entry.match.operation

    def _pinning(self, at: int) -> list[Entry]:
        """Return the entries that say every word of the command, or of one in whose words this one is written."""
        command = self._facts.commands[at]
        pinning = [entry for entry in self._own[at] if entry.pins]
        above = command.parent
        if above is not None and above < at and _written_in(command, self._facts.commands[above]):
            pinning += self._pinned[above]
        return pinning

    def _commands(self) -> Iterator[str]:
        for at, command in enumerate(self._facts.commands):
            if not self._covered([*self._own[at], *self._pinned[at]]):
                above = command.parent
                under = (
                    f" under {shown(self._facts.commands[above].program.text)}" if above is not None else ""
                )
                yield f"the command {shown(command.program.text)}{under} with these words"

    def _touches(self) -> Iterator[str]:
        for key in TOUCH_KEYS:
            for touch in touched(self._facts, key):
                if not self._covered(self._covering(key, touch)):
                    yield f"{_DOES[key]} {shown(touch.value.text)}"

    def _covering(self, key: TouchKey, touch: Touch) -> Iterator[Entry]:
        own = self._own[touch.by] if touch.by is not None else []
        for entry in (*self._free, *own):
            if key in entry.touches:
                if surely_word(entry.touches[key], touch.value):
                    yield entry
            elif entry.match.operation is not None and not entry.touches:
                yield entry  # an operation alone speaks of every path
        if touch.by is not None:
            yield from self._pinned[touch.by]

    def _operation(self) -> Iterator[str]:
        facts = self._facts
        if facts.operation is None or any(touched(facts, key) for key in TOUCH_KEYS):
            return
        if not self._covered(entry for entry in self._free if entry.match.operation and not entry.touches):
            yield f"the operation {facts.operation}"

    def _flags(self) -> Iterator[str]:
        for flag in GRAVE:
            if flag in self._facts.flags and not self._granted(flag):
                yield f"what is {flag.value}" + (f": {why}" if (why := self._facts.why.get(flag)) else "")

    def _granted(self, flag: Flag) -> bool:
        if self._covered(entry for entry in self._free if _grants(entry, flag)):
            return True
        if flag is Flag.DEFINES and self._facts.defines:
            names = [self._defining(name) for name in self._facts.defines]
            if all(names):
                return self._covered(entry for found in names for entry in found)
        granting = [
            [entry for entry in (*self._own[at], *self._pinned[at]) if _grants(entry, flag)]
            or (self._pinned[at] if flag is Flag.INTERPRETER else [])
            for at, command in enumerate(self._facts.commands)
            if flag in command.flags
        ]
        return all(granting) and self._covered(entry for found in granting for entry in found)

    def _defining(self, name: str) -> list[Entry]:
        return [entry for entry in self._free if entry.defines is not None and entry.defines.has(name)]


def _grants(entry: Entry, flag: Flag) -> bool:
    """Say whether the entry names the flag for whatever it speaks of."""
    return entry.match.flags is not None and flag in entry.match.flags and entry.defines is None


def _written_in(command: Command, above: Command) -> bool:
    """Say whether what is known of a command's words stands in the words of the one above.

    It does not where they came on the standard input of a shell, which the words of that shell do not pin.
    """
    return all(
        any(word.text in written.text for written in above.words) for word in command.words if word.literal
    )
