"""Gather what is found of a statement, over all the scripts in it.

In      commands, files, hosts, flags, as the walk comes by them
Out     Facts
Holds   at most MAX_COMMANDS commands
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from policies.facts import Command, Facts, Flag, Touch, Word

MAX_COMMANDS = 2_000

_NO_FILES = frozenset({"/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/zero"})
_SOCKET = re.compile(r"/dev/(?:tcp|udp)/([^/]+)(?:/|\Z)")


class TooMuch(Exception):
    """A statement has more commands, or is nested deeper, than is looked at."""


class Found:
    """A command while it is being understood."""

    __slots__ = ("flags", "parent", "said", "words")

    def __init__(self, words: tuple[Word, ...], parent: int | None) -> None:
        self.words = words
        self.parent = parent
        self.flags: set[Flag] = set()
        self.said: str | None = None  # what it writes, if that is certain


class Findings:
    """What was found so far, over a statement and the scripts in it."""

    def __init__(self, statement: str) -> None:
        self.statement = statement
        self.commands: list[Found] = []
        self.reads: dict[Touch, None] = {}  # in order
        self.writes: dict[Touch, None] = {}
        self.contacts: dict[Touch, None] = {}
        self.defines: list[str] = []
        self.why: dict[Flag, str] = {}
        self.flags: set[Flag] = set()
        self.cwd = ""  # the folder that a literal `cd` before led to
        self.sure_of_cwd = True
        self.known: dict[str, str] = {}
        self.scripts: list[tuple[int, bytes]] = []  # which command runs it, and what it is

    def flag(self, flag: Flag, why: str, by: int | None = None) -> None:
        """Note a flag, of a command if one is named."""
        self.flags.add(flag)
        self.why.setdefault(flag, why)
        while by is not None:
            found = self.commands[by]
            found.flags.add(flag)
            by = found.parent if flag in (Flag.INTERPRETER,) else None

    def define(self, name: str, by: int | None = None) -> None:
        self.defines.append(name)
        self.flag(Flag.DEFINES, f"defines {name}", by)

    def read(self, word: Word, by: int | None = None) -> None:
        self._touch(self.reads, word, by)

    def write(self, word: Word, by: int | None = None) -> None:
        self._touch(self.writes, word, by)

    def contact(self, word: Word, by: int | None = None) -> None:
        if word.text:
            self.contacts.setdefault(Touch(word, by))

    def add(self, words: Sequence[Word], parent: int | None) -> int:
        """Add a command; return its place."""
        if len(self.commands) >= MAX_COMMANDS:
            raise TooMuch(f"more than {MAX_COMMANDS} commands")
        self.commands.append(Found(tuple(words), parent))
        return len(self.commands) - 1

    def facts(self) -> Facts:
        """Return what was found."""
        return Facts(
            statement=self.statement,
            commands=tuple(
                Command(words=found.words, parent=found.parent, flags=frozenset(found.flags))
                for found in self.commands
            ),
            reads=tuple(self.reads),
            writes=tuple(self.writes),
            contacts=tuple(self.contacts),
            flags=frozenset(self.flags),
            defines=tuple(dict.fromkeys(self.defines)),
            why=self.why,
        )

    def _touch(self, touched: dict[Touch, None], word: Word, by: int | None) -> None:
        socket = _SOCKET.match(word.text)
        if socket is not None:
            self.contact(Word(socket[1], word.form, word.prefix[9:]), by)
            return
        if not word.text or word.text in _NO_FILES or re.match(r"/(?:dev|proc/self)/fd/", word.text):
            return
        for path in self._paths(word):
            touched.setdefault(Touch(path, by))

    def _paths(self, word: Word) -> Iterable[Word]:
        """Yield the path, normalised; both ways where it is not certain in which folder it lies."""
        known = word.prefix if word.form == "computed" else word.text
        inside = bool(self.cwd) and known[:1] not in ("/", "~") and bool(known)
        if not inside or not self.sure_of_cwd:
            yield _normal(word, "")
        if inside:
            yield _normal(word, self.cwd)


def _normal(word: Word, folder: str) -> Word:
    if word.form == "computed":
        prefix = posixpath.join(folder, word.prefix) if word.prefix else ""
        if prefix and "/../" not in prefix and "/./" not in prefix:
            prefix = re.sub(r"/+", "/", prefix)
        return Word(word.text, "computed", prefix)
    path = posixpath.normpath(posixpath.join(folder, word.text))
    path = "/" + path.lstrip("/") if path.startswith("//") else path
    return Word(path, word.form)
