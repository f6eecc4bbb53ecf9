"""Name what of a statement the rules have matched that hold or deny it, so that people see where to look.

In      Policy, Facts, the ids of rules that speak of them
Out     Part: a line of words, and the words of the statement that it is about
Holds   MAX_PARTS of them; that there are more is said
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policies.compiled import TOUCH_KEYS, Entry, touched
from policies.engine import Policy, bounded
from policies.facts import Command, Facts, Word

MAX_PARTS = 12
VERBS = {"reads": "reading", "writes": "writing", "contacts": "contacting"}


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a rule has matched: in words, and as the words that the statement has for it."""

    said: str
    words: tuple[str, ...] = ()


def held_parts(policy: Policy, facts: Facts, rules: Iterable[str]) -> tuple[Part, ...]:
    """Return what these rules have matched of a statement; nothing where they speak of all statements."""
    facts = bounded(facts)
    found: dict[Part, None] = {}
    for rule in rules:
        for entry in policy.entries(rule):
            if entry.speaks_of(facts):
                for part in _matched(entry, facts):
                    found.setdefault(part)
                    if len(found) > MAX_PARTS:
                        return (*list(found)[:MAX_PARTS], Part("and more"))
    return tuple(found)


def _matched(entry: Entry, facts: Facts) -> Iterator[Part]:
    """Yield what one entry has matched."""
    if entry.of_commands:
        yield from (_command(command) for command in facts.commands if entry.may_be(command))
    for key in TOUCH_KEYS:
        patterns = entry.touches.get(key)
        if patterns is not None:
            for touch in dict.fromkeys(touched(facts, key)):
                if patterns.may_become(touch.value, guess=entry.guess):
                    yield Part(f"{VERBS[key]} {_said(touch.value)}", (touch.value.text,))
    match = entry.match
    for flag in sorted((match.flags or frozenset()) & facts.flags):
        yield Part(f"{flag.value}: {facts.why.get(flag, 'yes')}")
    if match.operation is not None and facts.operation is not None:
        yield Part(f"the operation {facts.operation}")
    if entry.defines is not None:
        yield from (Part(f"setting {name}", (name,)) for name in facts.defines if entry.defines.has(name))
    if match.text is not None:
        yield Part("its text")


def _command(command: Command) -> Part:
    return Part(" ".join(map(_said, command.words)), tuple(word.text for word in command.words))


def _said(word: Word) -> str:
    return word.text if word.literal else f"<{word.text}: known when it runs>"
