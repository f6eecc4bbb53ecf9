"""Name what parsing a statement yields: what would run, what it touches, and what cannot be known of it.

In      an analyser's findings (policies/shell for shell statements; file operations come from the transfer itself)
Out     Facts, which engine.py holds against rules and `as_json` shows to people and machines
Source  docs/policies.md; docs/security.md, law L4
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Form = Literal["literal", "glob", "computed"]


class Flag(StrEnum):
    """What a statement does beside running programs on files and hosts."""

    UNPARSED = "unparsed"  # not understood: the facts may lack anything
    OPAQUE = "opaque"  # a program or a nested script is computed at run time
    HIDDEN = "hidden"  # characters that people do not see as what they are
    INTERPRETER = "interpreter"  # code in a language that is not parsed
    DATA = "data"  # input that an earlier statement of the channel takes
    DEFINES = "defines"  # functions, aliases, variables that change what later words mean
    SWITCHES_INPUT = "switches_input"  # where or how the shell reads its next statement changes
    READS_STDIN = "reads_stdin"  # takes the input that follows on the channel
    MAY_READ_STDIN = "may_read_stdin"  # starts a program that is not known to leave that input alone
    PRIVILEGED = "privileged"  # as another user, or with more rights
    BACKGROUND = "background"  # goes on beside what follows


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command.

    `text` is what the program gets if the form is "literal"; as it was written, without quotes, if it is "glob" (the
    shell puts names of files there) or "computed" (known at run time only). `prefix` is what a computed word begins
    with in any case; `whole` says that it becomes one word, and no option.
    """

    text: str
    form: Form = "literal"
    prefix: str = ""
    whole: bool = False

    @property
    def literal(self) -> bool:
        return self.form == "literal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One simple command that would run.

    `words` begins with the program. `parent` is the place in Facts.commands of the command whose words start this one
    (sudo, xargs, `sh -c`), None for a command of the statement itself. `flags` are those that come from it alone.
    """

    words: tuple[Word, ...]
    parent: int | None = None
    flags: frozenset[Flag] = frozenset()

    @property
    def program(self) -> Word:
        return self.words[0]


@dataclass(frozen=True, slots=True)
class Touch:
    """A file (path, normalised, `~` for the home folder) or a host that is named.

    `by` is the place in Facts.commands of the command whose words name it, None for a redirection.
    """

    value: Word
    by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known of one statement; the order is that of the text.

    `operation` is that of a file operation (upload, download, list, stat, delete, rename, mkdir, rmdir, link,
    setstat), whose paths are in `reads` and `writes`. `why` has a sentence for each flag that needs one.
    """

    statement: str
    language: str = "shell"
    commands: tuple[Command, ...] = ()
    reads: tuple[Touch, ...] = ()
    writes: tuple[Touch, ...] = ()
    contacts: tuple[Touch, ...] = ()
    flags: frozenset[Flag] = frozenset()
    defines: tuple[str, ...] = ()
    operation: str | None = None
    why: Mapping[Flag, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the facts as `explain --json` prints them: words as text, computed ones as null."""
        return {
            "language": self.language,
            "commands": [
                {
                    "argv": [word.text if word.form != "computed" else None for word in command.words],
                    "parent": command.parent,
                    "flags": sorted(command.flags),
                }
                for command in self.commands
            ],
            "reads": _texts(self.reads),
            "writes": _texts(self.writes),
            "contacts": _texts(self.contacts),
            "flags": sorted(self.flags),
            "defines": list(self.defines),
            "operation": self.operation,
            "why": {str(flag): text for flag, text in sorted(self.why.items())},
        }


def unparsed(statement: str, why: str, language: str = "shell") -> Facts:
    """Return the facts of a statement of which nothing can be said."""
    return Facts(
        statement=statement, language=language, flags=frozenset({Flag.UNPARSED}), why={Flag.UNPARSED: why}
    )


def _texts(touched: tuple[Touch, ...]) -> list[str]:
    return list(dict.fromkeys(touch.value.text for touch in touched))
