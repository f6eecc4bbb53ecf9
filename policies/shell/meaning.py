"""Say what a walk needs to know of programs.

Out     Programs, which programs.py satisfies
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from policies.facts import Word
from policies.shell.findings import Found

if TYPE_CHECKING:
    from policies.shell.walk import Walk

Stdin = Literal["channel", "pipe", "file", "text"]


class Programs:
    """What commands mean by their words; programs.py is the one there is."""

    fed: str | None = None  # the literal text that the next command reads, if it is known
    file: Word | None = None  # the file that the next command reads, if one is named for its input

    def understand(self, walk: Walk, place: int, words: list[Word], stdin: Stdin) -> None:
        """Note what follows from the words of the command at `place`."""
        raise NotImplementedError

    def said(self, commands: Sequence[Found]) -> str | None:
        """Return what a part of a pipeline writes, if it is certain."""
        raise NotImplementedError
