"""Parse globs, and compare two sets of texts of which one is known only in part.

In      the glob of a pattern: `*` any run of characters (not of those it stops at), `**` any run, `?` any one,
        `[a-z]` and `[!x]` one of a class; a word of a statement that is not literal
Out     Glob: parts, from which pattern.py makes a linear-time expression; `meets` and `includes`
Holds   for each glob a mask for each character that was met, 1,024 at most; of a word its first 256 parts, of the last
        64 words their globs
Errors  ValueError, saying what is wrong with a glob
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from policies.facts import Word

MAX_RANGE = 256  # characters between the ends of `[a-z]`
MAX_WORD_PARTS = 256
MAX_MASKS = 1024
MAX_WORDS = 64  # whose globs are kept

_EXTENDED = re.compile(r"[?*+@!]\(")
_DOTTED = re.compile(r"(?:^|/)\.\.?[*?\[]")  # `.*` and `.?` may become `..`
_CLASS = re.compile(r"\[(?P<not>[!^]?)(?P<inside>\][^\]]*|[^\]]+)\]")
_SUBSTITUTION = re.compile(r"[$<>=]\(")
_VARIABLE = re.compile(r"\$(?:\{[^{}]*\}|[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-])")
_ALTERNATIVES = re.compile(r"\{[^{}]*,[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Characters:
    """A set of characters: those listed, or all but those."""

    listed: frozenset[str] = frozenset()
    all_but: bool = False
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.listed, self.all_but)))

    def __hash__(self) -> int:
        return self._hash

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


@dataclass(frozen=True, slots=True)
class Piece:
    """Text with nothing before it, or anything, and nothing behind it, or anything."""

    text: str
    after_any: bool
    before_any: bool


@dataclass(frozen=True, slots=True)
class Glob:
    """Parts in a row; those from `start` to before `end` of each optional stretch may be left out together."""

    parts: tuple[Part, ...]
    optional: tuple[tuple[int, int], ...] = ()
    prefix: str = field(init=False, compare=False)
    suffix: str = field(init=False, compare=False)
    _runs: int = field(init=False, compare=False, repr=False)
    _met: dict[Characters, int] = field(default_factory=dict, init=False, compare=False, repr=False)
    _included: dict[Characters, int] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Find what every text that fits begins and ends with."""
        first = min((start for start, _ in self.optional), default=len(self.parts))
        last = max((end for _, end in self.optional), default=0)
        object.__setattr__(self, "prefix", _literal(self.parts[:first]))
        object.__setattr__(self, "suffix", _literal(self.parts[last:][::-1])[::-1])
        runs = sum(1 << at for at, part in enumerate(self.parts) if part.run)
        object.__setattr__(self, "_runs", runs)

    def pieces(self) -> tuple[Piece, ...] | None:
        """Return pieces of text of which each text that fits has one, and no other has; None if it is not so plain."""
        stretches = sorted(self.optional)
        if len(stretches) > 2 or any(one[1] > two[0] for one, two in itertools.pairwise(stretches)):
            return None
        kept = [self.parts]
        for start, end in reversed(stretches):
            kept += [parts[:start] + parts[end:] for parts in kept]
        found = [_piece(parts) for parts in kept]
        return tuple(one for one in found if one is not None) if None not in found else None

    def meets(self, word: Glob) -> bool:
        """Say whether some text fits both this glob and the word's."""
        begin, end = (self.prefix, word.prefix), (self.suffix, word.suffix)
        return (
            (begin[0].startswith(begin[1]) or begin[1].startswith(begin[0]))
            and (end[0].endswith(end[1]) or end[1].endswith(end[0]))
            and self._run(word, surely=False)
        )

    def includes(self, word: Glob) -> bool:
        """Say whether every text that fits the word's glob surely fits this one."""
        return (
            word.prefix.startswith(self.prefix)
            and word.suffix.endswith(self.suffix)
            and self._run(word, surely=True)
        )

    def _run(self, word: Glob, *, surely: bool) -> bool:
        runs = self._runs
        states = self._spread(1)
        for part in word.parts:
            mask = self._mask(part.characters, surely=surely)
            if not part.run:
                taken = states & mask
                states = self._spread((taken & ~runs) << 1, taken & runs)
            elif surely:  # only a run takes in a run
                states = self._spread(0, states & mask & runs)
            else:
                before = 0
                while states != before:
                    before = states
                    taken = states & mask
                    states |= self._spread((taken & ~runs) << 1, taken & runs)
            if not states:
                return False
        return bool(states >> len(self.parts) & 1)

    def _spread(self, before: int, within: int = 0) -> int:
        """Add what is reached without a character: past a run, past an optional stretch.

        It is past a stretch from `before` its first part only, not from `within` the run that this is.
        """
        while True:
            wider = before | ((before | within) & self._runs) << 1
            for start, end in self.optional:
                wider |= (wider >> start & 1) << end
            if wider == before:
                return before | within
            before = wider

    def _mask(self, characters: Characters, *, surely: bool) -> int:
        """Return the parts that may take a character of the set, or surely take every one."""
        masks = self._included if surely else self._met
        mask = masks.get(characters)
        if mask is None:
            takes = Characters.includes if surely else Characters.meets
            mask = sum(1 << at for at, part in enumerate(self.parts) if takes(part.characters, characters))
            if len(masks) < MAX_MASKS:
                masks[characters] = mask
        return mask


def _literal(parts: Sequence[Part]) -> str:
    """Return the characters that the parts begin with, of which no other will do."""
    text = ""
    for part in parts:
        if part.run or part.characters.all_but or len(part.characters.listed) != 1:
            break
        text += next(iter(part.characters.listed))
    return text


def _piece(parts: Sequence[Part]) -> Piece | None:
    anything = Part(ANY, run=True)
    after = bool(parts) and parts[0] == anything
    before = len(parts) > after and parts[-1] == anything
    inner = parts[after : len(parts) - before]
    text = _literal(inner)
    return Piece(text, after, before) if len(text) == len(inner) else None


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


@lru_cache(maxsize=MAX_WORDS)
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
                parts.append(Part(_class_of_word(found, unseen) or name))
            case "[":  # no class, or one with names in it such as [:alpha:]
                return Glob((*parts, Part(ANY, run=True)))
            case character:
                parts.append(_one(character))
        at += length
    if extended or at < len(text):
        parts.append(Part(ANY, run=True))
    return Glob(tuple(parts))


@lru_cache(maxsize=MAX_WORDS)
def seen_glob(word: Word) -> Glob:
    """Return a glob of what a computed word looks like: whatever is put in is thought to be a part of one name."""
    text = word.text.replace('"', "")
    if not text.startswith(word.prefix):  # it is known by other words than those that stand here
        return Glob((*literal_glob(word.prefix[:MAX_WORD_PARTS]).parts, Part(_NAME, run=True)))
    parts: list[Part] = []
    at = 0
    while at < len(text) and len(parts) < MAX_WORD_PARTS:
        if end := _put_in(text, at):
            parts.append(Part(_NAME if parts else ANY, run=True))
            at = end
        else:
            parts.append(Part(_NAME, run=True) if text[at] == "*" else _one(text[at]))
            at += 1
    if at < len(text):
        parts.append(Part(ANY, run=True))
    return Glob(tuple(parts))


def _put_in(text: str, at: int) -> int | None:
    """Return where what the shell puts in ends, if it begins here."""
    if found := _VARIABLE.match(text, at):
        return found.end()
    if text[at] == "`":
        return text.find("`", at + 1) + 1 or len(text)
    if not _SUBSTITUTION.match(text, at):
        return None
    depth = 0
    for place in range(at + 1, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if not depth:
            return place + 1
    return len(text)


def _begins(prefix: str) -> Glob:
    return Glob((*(_one(character) for character in prefix[:MAX_WORD_PARTS]), Part(ANY, run=True)))


@lru_cache(maxsize=256)
def _one(character: str) -> Part:
    return Part(Characters(frozenset(character)))


def _class_of_word(found: re.Match[str], unseen: str) -> Characters | None:
    """Return the characters of a class in a word; None for a range that no pattern may have, but a shell takes."""
    try:
        return _characters(found, unseen)
    except ValueError:
        return None


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
