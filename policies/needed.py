"""Hold the entries of one program, each under a word that a command needs for the entry to speak of it.

In      compiled entries of rules that do not allow; a command of that program
Out     the entries that may speak of the command: all that do, and few more
Holds   the entries, and their patterns once more, together
Source  docs/security.md, laws L4 and L5
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from policies.compiled import Entry
from policies.facts import Command, Word
from policies.pattern import GLOB_PREFIX, PATH_STOPS, Patterns


class OfProgram:
    """Entries of one program."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._whatever: list[Entry] = []  # they need no word
        self._by_text: dict[str, list[Entry]] = defaultdict(list)
        self._groups = [_Needing(group) for group in self._grouped()]

    def _grouped(self) -> Iterator[list[Entry]]:
        """Sort out the entries; yield those that need a word, apart by how words that are not literal are taken."""
        groups: dict[bool, list[Entry]] = {True: [], False: []}
        for entry in self.entries:
            needed = entry.needed
            if needed is None:
                self._whatever.append(entry)
                continue
            groups[entry.guess].append(entry)
            for text in needed:
                if not text.startswith(GLOB_PREFIX):
                    self._by_text[text].append(entry)
        yield from filter(None, groups.values())

    def met(self, command: Command) -> Iterator[Entry]:
        """Yield the entries that may speak of the command; some may come twice."""
        yield from self._whatever
        if not self._groups:
            return
        texts = [word.text for word in command.words[1:] if word.form == "literal"]
        for text in texts:
            yield from self._by_text.get(text, ())
        unknown = [word for word in command.words[1:] if word.form != "literal"]
        for group in self._groups:
            if any(group.may_become(word) for word in unknown):
                yield from group.entries
            elif group.globs is not None and any(map(group.globs.has, texts)):
                yield from group.with_globs


class _Needing:
    """Entries that take words alike; their patterns are also one."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        texts = [text for entry in entries for text in entry.needed or ()]
        self._all = Patterns(texts, PATH_STOPS)
        globs = [text for text in texts if text.startswith(GLOB_PREFIX)]
        self.globs = Patterns(globs, PATH_STOPS) if globs else None
        self.with_globs = [
            entry for entry in entries if any(text.startswith(GLOB_PREFIX) for text in entry.needed or ())
        ]

    def may_become(self, word: Word) -> bool:
        """Say whether a word that is not literal may become one that an entry needs."""
        return self._all.may_become(word, guess=self.entries[0].guess)
