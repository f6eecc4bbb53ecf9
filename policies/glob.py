"""Parse globs, and compare two sets of texts of which one is known only in part.

In      the glob of a pattern: `*` any run of characters (not of those it stops at), `**` any run, `?` any one,
        `[a-z]` and `[!x]` one of a class; a word of a statement that is not literal
Out     Glob: parts, from which pattern.py makes a linear-time expression; `meets` and `includes`
Holds   for each glob a mask for each character that was met, 1,024 at most; a word is looked at for its first 256 parts
Errors  ValueError, saying what is wrong with a glob
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from policies.facts import Word

MAX_RANGE = 256  # characters between the ends of `[a-z]`
MAX_WORD_PARTS = 256
MAX_MASKS = 1024

_EXTENDED = re.compile(r"[?*+@!]\(")
_DOTTED = re.compile(r"(?:^|/)\.\.?[*?\[]")  # `.*` and `.?` may become `..`
_CLASS = re.compile(r"\[(?P<not>[!^]?)(?P<inside>\]?[^\]]*)\]")
_SUBSTITUTION = re.compile(r"[$<>=]\(|`")
_VARIABLE = re.compile(r"\$(?:\{[^{}]*\}|[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-])")
_ALTERNATIVES = re.compile(r"\{[^{}]*,[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Characters:
    """A set of characters: those listed, or all but those."""

    listed: frozenset[str] = frozenset()
    all_but: bool = False

    def meets(self, other: Characters) -> bool:
        """Say whether some character is in both."""
        if self.all_but and other.all_but:
            return True
        if self.all_but:
            return not other.listed <= self.listed
        if other.all_but:
            return not self.listed <= other.listed
        return not self.listed.isdisjoint(other.listed)

    def includes(self, other: Characters) -> bool:
        """Say whether every character of the other is in this one."""
        if other.all_but:
            return self.all_but and self.listed <= other.listed
        return self.listed.isdisjoint(other.listed) if self.all_but else other.listed <= self.listed

    def __contains__(self, character: str) -> bool:
        return (character in self.listed) != self.all_but


ANY = Characters(all_but=True)
_NAME = Characters(frozenset("/"), all_but=True)


@dataclass(frozen=True, slots=True)
class Part:
    """One character of a set, or any run of them."""

    characters: Characters
    run: bool = False


@dataclass(frozen=True)
class Glob:
    """Parts in a row; those from `start` to before `end` of each optional stretch may be left out together."""

    parts: tuple[Part, ...]
    optional: tuple[tuple[int, int], ...] = ()
    _masks: dict[tuple[str | Characters, bool], int] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @cached_property
    def ends(self) -> tuple[str, str]:
        """Return what every text that fits begins with, and what it ends with, as far as that is one text."""
        begins = len(self.parts)
        behind = 0
        for at, part in enumerate(self.parts):
            if part.run or part.characters.all_but or len(part.characters.listed) != 1:
                begins = min(begins, at)
                behind = at + 1
        for start, end in self.optional:
            begins = min(begins, start)
            behind = max(behind, end)
        return _text(self.parts[:begins]), _text(self.parts[behind:])

    def may_meet(self, word: Glob) -> bool:
        """Say at little cost that no text fits both, or that one may."""
        begins, ends = self.ends
        its_begins, its_ends = word.ends
        return (begins.startswith(its_begins) or its_begins.startswith(begins)) and (
            ends.endswith(its_ends) or its_ends.endswith(ends)
        )

    def meets(self, word: Glob) -> bool:
        """Say whether some text fits both this glob and the word's."""
        return self._run(word, Characters.meets, stays=False)

    def includes(self, word: Glob) -> bool:
        """Say whether every text that fits the word's glob surely fits this one."""
        return self._run(word, Characters.includes, stays=True)

    def _run(self, word: Glob, compare: Callable[[Characters, Characters], bool], *, stays: bool) -> bool:
        runs = sum(1 << at for at, part in enumerate(self.parts) if part.run)
        states = self._spread(1, runs)
        for part in word.parts:
            mask = self._mask(part.characters, compare, stays=stays)
            if not part.run:
                states = self._spread(_stepped(states, mask, runs), runs)
            elif stays:  # only a run takes in a run
                states = self._spread(states & mask & runs, runs)
            else:
                before = 0
                while states != before:
                    before = states
                    states |= self._spread(_stepped(states, mask, runs), runs)
            if not states:
                return False
        return bool(states >> len(self.parts) & 1)

    def _spread(self, states: int, runs: int) -> int:
        """Add what is reached without a character: past a run, past an optional stretch."""
        while True:
            wider = states | (states & runs) << 1
            for start, end in self.optional:
                wider |= (wider >> start & 1) << end
            if wider == states:
                return states
            states = wider

    def _mask(
        self,
        characters: Characters,
        compare: Callable[[Characters, Characters], bool],
        *,
        stays: bool,
    ) -> int:
        key = (characters, stays)
        mask = self._masks.get(key)
        if mask is None:
            mask = sum(1 << at for at, part in enumerate(self.parts) if compare(part.characters, characters))
            if len(self._masks) < MAX_MASKS:
                self._masks[key] = mask
        return mask


def _text(parts: tuple[Part, ...]) -> str:
    return "".join(character for part in parts for character in part.characters.listed)


def _stepped(states: int, mask: int, runs: int) -> int:
    taken = states & mask
    return (taken & runs) | (taken & ~runs) << 1


def literal_glob(text: str) -> Glob:
    """Return the glob that only this text fits."""
    return Glob(tuple(_one(character) for character in text))


def parse_glob(text: str, stops: str, *, folder: bool = False) -> Glob:
    """Return the glob; `stops` are the characters that `*`, `?` and `[!x]` do not match.

    `**/` at the start or after a `/` may be left out; with `folder`, so may `/**` at the end.
    Raise ValueError where it is no glob.
    """
    inside = Characters(frozenset(stops), all_but=True)
    parts: list[Part] = []
    optional: list[tuple[int, int]] = []
    at = 0
    while at < len(text):
        stars = len(text[at:]) - len(text[at:].lstrip("*"))
        if stars >= 2:
            opens = not parts or parts[-1] == _one("/")
            if opens and text[at + stars : at + stars + 1] == "/":
                optional.append((len(parts), len(parts) + 2))
            parts.append(Part(ANY, run=True))
            if folder and at + stars == len(text) and len(parts) > 2 and parts[-2] == _one("/"):
                optional.append((len(parts) - 2, len(parts)))
            at += stars
            continue
        match text[at]:
            case "*":
                parts.append(Part(inside, run=True))
            case "?":
                parts.append(Part(inside))
            case "[":
                found = _CLASS.match(text, at)
                if found is None:
                    raise ValueError(
                        "has a [ without its ], expected a class such as [a-z] (a [ itself is [[])"
                    )
                parts.append(Part(_characters(found, stops)))
                at = found.end()
                continue
            case "{" if _ALTERNATIVES.match(text, at):
                raise ValueError("has {a,b} in it, expected a list of globs (a brace itself is written [{])")
            case character:
                parts.append(_one(character))
        at += 1
    return Glob(tuple(parts), tuple(optional))


def word_glob(word: Word, unseen: str = "/") -> Glob:
    """Return a glob that fits whatever the shell may make of a word: it may let more through, never less.

    `unseen` are the characters that are not in the name of a file which a wildcard of the word finds.
    """
    name = Characters(frozenset(unseen), all_but=True)
    if word.form == "literal":
        return literal_glob(word.text)
    if word.form == "computed":
        return _begins(word.prefix)
    if _DOTTED.search(word.text):
        return _begins("")
    extended = _EXTENDED.search(word.text)
    text = word.text[: extended.start()] if extended else word.text
    parts: list[Part] = []
    at = 0
    while at < len(text) and len(parts) < MAX_WORD_PARTS:
        length = 1
        match text[at]:
            case "*":
                length = len(text[at:]) - len(text[at:].lstrip("*"))
                parts.append(Part(ANY if length > 1 else name, run=True))
            case "?":
                parts.append(Part(name))
            case "[" if (found := _CLASS.match(text, at)) and "[" not in found["inside"]:
                length = len(found[0])
                parts.append(Part(_characters(found, unseen)))
            case "[":  # no class, or one with names in it such as [:alpha:]
                return Glob((*parts, Part(ANY, run=True)))
            case character:
                parts.append(_one(character))
        at += length
    if extended or at < len(text):
        parts.append(Part(ANY, run=True))
    return Glob(tuple(parts))


def seen_glob(word: Word) -> Glob:
    """Return a glob of what a computed word looks like: each variable in it as a part of one name."""
    text = word.text
    if not text.startswith(word.prefix) or text == word.prefix or _SUBSTITUTION.search(text):
        return _begins(word.prefix)
    parts: list[Part] = []
    at = 0
    while at < len(text) and len(parts) < MAX_WORD_PARTS:
        if found := _VARIABLE.match(text, at):
            parts.append(Part(_NAME if parts else ANY, run=True))
            at = found.end()
        else:
            parts.append(Part(_NAME, run=True) if text[at] == "*" else _one(text[at]))
            at += 1
    if at < len(text):
        parts.append(Part(ANY, run=True))
    return Glob(tuple(parts))


def _begins(prefix: str) -> Glob:
    return Glob((*(_one(character) for character in prefix[:MAX_WORD_PARTS]), Part(ANY, run=True)))


def _one(character: str) -> Part:
    return Part(Characters(frozenset(character)))


def _characters(found: re.Match[str], stops: str) -> Characters:
    """Return the characters of a class; raise ValueError for a range that is backwards or too wide."""
    listed: set[str] = set()
    inside = found["inside"]
    at = 0
    while at < len(inside):
        first, last = inside[at], inside[at]
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            last = inside[at + 2]
            at += 2
        if not 0 <= ord(last) - ord(first) < MAX_RANGE:
            raise ValueError(
                f"has the range {first}-{last} in it, expected two ends in order and not far apart"
            )
        listed.update(map(chr, range(ord(first), ord(last) + 1)))
        at += 1
    if found["not"]:
        return Characters(frozenset(listed | set(stops)), all_but=True)
    return Characters(frozenset(listed))
