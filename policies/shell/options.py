"""Split the words of a command into options and operands, as getopt_long does.

In      words after the program; which options take a value
Out     Given: options in order, each with its value; operands
Source  POSIX.1-2017 XBD section 12.2; getopt_long(3)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from policies.facts import Word


@dataclass(slots=True)
class Given:
    """What a command was given; `rest` is the place of the first operand among the words, or their number."""

    options: list[tuple[str, Word | None]] = field(default_factory=list)
    operands: list[Word] = field(default_factory=list)
    rest: int = 0
    unsure: bool = False  # a computed word stands where an option could
    certain: bool = False  # `--` stands before the operands

    def has(self, *names: str) -> bool:
        return any(name in names for name, _value in self.options)

    def values(self, *names: str) -> list[Word]:
        """Return the values of these options, in order."""
        return [value for name, value in self.options if name in names and value is not None]


@dataclass(frozen=True, slots=True)
class Takes:
    """Which options take a value: letters, and long names (separated by spaces)."""

    short: str = ""
    long: str = ""

    def names(self) -> frozenset[str]:
        return _split(self.long)


@lru_cache(maxsize=1024)
def _split(names: str) -> frozenset[str]:
    return frozenset(names.split())


NONE = Takes()


def given(
    words: Sequence[Word], takes: Takes, *, stop: bool = False, single: bool = False, flags: Takes = NONE
) -> Given:
    """Read options; `stop` at the first operand, for commands that start others; `single` dashes begin long names.

    A long name may be cut short; those of `flags` are whole, and stand for themselves.
    """
    found = Given(rest=len(words))
    longs, whole = takes.names(), flags.names()
    at = 0
    while at < len(words):
        word = words[at]
        text = word.text if word.form != "computed" else word.prefix
        if not text.startswith("-") or text == "-":
            if word.form == "computed" and not text:
                found.unsure = True
            found.operands.append(word)
            found.rest = min(found.rest, at)
            if stop:
                return found
        elif text == "--":
            found.rest = min(found.rest, at + 1)
            found.operands += words[at + 1 :]
            found.certain = True
            return found
        elif text.startswith("--") or (single and len(text) > 2):
            at = _long(words, at, text.lstrip("-"), longs if text[2:] not in whole else frozenset(), found)
        else:
            at = _short(words, at, text, takes.short, found)
        at += 1
    return found


def may_have_value(options: Given, flags: Takes) -> bool:
    """Say whether the first operand may be the value of the option before it: it is none of those without one."""
    if options.certain or not options.options:
        return False
    name, value = options.options[-1]
    return value is None and name not in (flags.short if len(name) == 1 else flags.names())


def _long(words: Sequence[Word], at: int, text: str, longs: frozenset[str], found: Given) -> int:
    name, equals, _value = text.partition("=")
    full = name
    if name not in longs:  # getopt takes what is short but unmistakable
        near = [one for one in longs if one.startswith(name)] if len(name) > 1 else []
        full = near[0] if len(near) == 1 else name
    if equals:
        found.options.append((full, tail(words[at], words[at].text.find("=") + 1)))
    elif full in longs:
        at += 1
        found.options.append((full, words[at] if at < len(words) else None))
    else:
        found.options.append((full, None))
    return at


def _short(words: Sequence[Word], at: int, text: str, letters: str, found: Given) -> int:
    for place in range(1, len(text)):
        letter = text[place]
        if letter in letters:
            if place + 1 < len(text) or words[at].form == "computed":
                found.options.append((letter, tail(words[at], place + 1)))
                return at
            at += 1
            found.options.append((letter, words[at] if at < len(words) else None))
            return at
        found.options.append((letter, None))
    return at


def tail(word: Word, start: int) -> Word:
    """Return a word without its first characters."""
    return Word(word.text[start:], word.form, word.prefix[start:])
