"""Match strings against patterns of a rule, in time linear in the string, whatever the pattern.

In      patterns: the exact string, or `glob:` and then a glob (glob.py)
Out     Patterns: whether one of them matches the whole of a text, or what a word that is not literal may become
Holds   what RE2 keeps for each expression, 8 MiB at most
Errors  ValueError, saying what is wrong with a glob
Source  docs/policies.md
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Protocol, cast

import re2

from policies.facts import Word
from policies.glob import Characters, Glob, literal_glob, parse_glob, seen_glob, word_glob

GLOB_PREFIX = "glob:"
PATH_STOPS = "/:"
NO_STOPS = ""
MAX_INSIDE = 8  # globs such as `**x**` that are looked for one by one

_SURROGATE = re.compile("[\ud800-\udfff]")
_WILDCARD = re.compile(r"[*?\[]")
_PRIVATE = (
    0x10F000 - 0xD800
)  # patterns are printable, so none of them has a character of the last private plane


class _Expression(Protocol):
    def fullmatch(self, text: bytes) -> object | None: ...


class Patterns:
    """Alternatives of one key; `stops` are the characters that `*` does not cross.

    With `folder`, a glob that ends in `/**` also matches the folder itself.
    """

    def __init__(self, texts: Sequence[str], stops: str = NO_STOPS, *, folder: bool = False) -> None:
        """Compile the patterns; raise ValueError for what is no glob."""
        self.texts = tuple(texts)
        self.exact = frozenset(text for text in texts if not text.startswith(GLOB_PREFIX))
        self.globs = tuple(
            parse_glob(text.removeprefix(GLOB_PREFIX), stops, folder=folder)
            for text in texts
            if text.startswith(GLOB_PREFIX)
        )
        self._whole, self._begins, self._ends, self._inside, rest = _sorted_out(self.exact, self.globs)
        self._begin = tuple({glob.prefix for glob in rest})
        self._end = tuple({glob.suffix for glob in rest})
        self._expression = _compiled("|".join(map(_source, rest))) if rest else None

    def has(self, text: str) -> bool:
        """Say whether a pattern matches the whole of the text."""
        return text in self._whole or (bool(self.globs) and self._fits(text))

    def _fits(self, text: str) -> bool:
        """Say whether a glob matches the whole of the text, other than by what it matches as it is written."""
        if text.startswith(self._begins) or text.endswith(self._ends):
            return True
        for piece in self._inside:
            if piece in text:
                return True
        # Most texts fail to begin or end as any of the globs does, which is cheaper to see.
        return (
            self._expression is not None
            and text.startswith(self._begin)
            and text.endswith(self._end)
            and self._expression.fullmatch(encoded(text)) is not None
        )

    def may_become(self, word: Word, *, option: bool = False, guess: bool = True) -> bool:
        """Say whether the word is, or may be when the statement runs, a text that a pattern matches.

        Without `option`, a wildcard at the start of a word is not thought to find a file called like an option (`-x`).
        Without `guess`, what is computed and what begins with a wildcard matches only if all that it looks like does,
        and the rest of such words also where a pattern begins as they do.
        """
        if word.literal:
            return self.has(word.text)
        if not guess:
            return self._looks_like(word)
        unknown = word_glob(word)
        wild = not option and word.form == "glob" and word.text[:1] in ("*", "?", "[")
        return any(pattern.meets(unknown) for pattern in self._all if not (wild and _is_option(pattern)))

    def _looks_like(self, word: Word) -> bool:
        seen = seen_glob(word) if word.form == "computed" else word_glob(word)
        near = self._beginning_with(seen.prefix[:1])
        if not seen.prefix:
            return any(pattern.includes(seen) for pattern in near)
        return any(pattern.includes(seen) or (pattern.prefix and pattern.meets(seen)) for pattern in near)

    def surely(self, word: Word) -> bool:
        """Say whether whatever the word is when the statement runs, a pattern matches it."""
        if word.literal:
            return self.has(word.text)
        if word.form == "computed" and not word.prefix:
            return self._matches_anything
        # After a slash a colon in the name of a file parts no host from it, and `*` may stand for it.
        unknown = word_glob(word, PATH_STOPS if "/" in _WILDCARD.split(word.text, maxsplit=1)[0] else "/")
        return any(pattern.includes(unknown) for pattern in self.globs)

    @cached_property
    def _matches_anything(self) -> bool:
        return any(glob.includes(_ANYTHING) for glob in self.globs)

    def _beginning_with(self, first: str) -> tuple[Glob, ...]:
        """Return the patterns that begin with the character, and those that may begin with any."""
        return self._by_first.get(first) or self._by_first.get("", ())

    @cached_property
    def _by_first(self) -> dict[str, tuple[Glob, ...]]:
        found = {pattern.prefix[:1]: list[Glob]() for pattern in self._all}
        for pattern in self._all:
            for first in found if not pattern.prefix else (pattern.prefix[0],):
                found[first].append(pattern)
        return {first: tuple(patterns) for first, patterns in found.items()}

    @cached_property
    def _all(self) -> tuple[Glob, ...]:
        return (*self.globs, *map(literal_glob, sorted(self.exact)))


_ANYTHING = word_glob(Word("", "computed"))


def _sorted_out(
    exact: frozenset[str], globs: Sequence[Glob]
) -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...], tuple[str, ...], list[Glob]]:
    """Return what texts are, begin with, end with or have inside that fit, and the globs that say more than that.

    Most globs are a piece of text with `**` before or behind it, and comparing text is cheaper than an expression.
    """
    whole, begins, ends, inside = set(exact), set[str](), set[str](), set[str]()
    rest, deep = list[Glob](), list[Glob]()
    for glob in globs:
        pieces = glob.pieces()
        if pieces is None:
            rest.append(glob)
        elif any(piece.after_any and piece.before_any for piece in pieces):
            deep.append(glob)
        for piece in pieces or ():
            match piece.after_any, piece.before_any:
                case False, False:
                    whole.add(piece.text)
                case False, True:
                    begins.add(piece.text)
                case True, False:
                    ends.add(piece.text)
                case _:
                    inside.add(piece.text)
    if len(inside) > MAX_INSIDE:  # of so many, one pass over the text is cheaper
        inside.clear()
        rest += deep
    return frozenset(whole), tuple(begins), tuple(ends), tuple(inside), rest


def matches(pattern: str, text: str) -> bool:
    """Say whether the whole of `text` matches a pattern whose `*` stops at nothing."""
    return names((pattern,)).has(text)


def glob_mistake(text: str) -> str | None:
    """Return what is wrong with a pattern if it is a glob."""
    if not text.startswith(GLOB_PREFIX):
        return None
    try:
        parse_glob(text.removeprefix(GLOB_PREFIX), PATH_STOPS)
    except ValueError as error:
        return str(error)
    return None


@lru_cache(maxsize=4096)
def names(texts: tuple[str, ...]) -> Patterns:
    """Return the patterns of names, in which nothing divides: `*` and `**` are the same."""
    return Patterns(texts)


def encoded(text: str) -> bytes:
    """Return the text in UTF-8; bytes that were none, as characters that no pattern has."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda found: chr(ord(found[0]) + _PRIVATE), text).encode()


def _is_option(pattern: Glob) -> bool:
    return bool(pattern.parts) and pattern.parts[0].characters == Characters(frozenset("-"))


@lru_cache(maxsize=4096)
def _compiled(source: str) -> _Expression:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.dot_nl = True
    return cast(_Expression, re2.compile(source, options))


def _source(glob: Glob) -> str:
    """Return the glob as an expression for RE2."""
    opens = [start for start, _ in glob.optional]
    closes = [end for _, end in glob.optional]
    source = ""
    for at, part in enumerate(glob.parts):
        source += ")?" * closes.count(at) + "(?:" * opens.count(at)
        source += _characters(part.characters) + ("*" if part.run else "")
    return f"(?:{source}{')?' * closes.count(len(glob.parts))})"


def _characters(characters: Characters) -> str:
    listed = "".join(f"\\x{{{ord(character):x}}}" for character in sorted(characters.listed))
    if not characters.all_but:
        return f"[{listed}]"
    return f"[^{listed}]" if listed else "."
