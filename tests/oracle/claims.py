"""Hold what ran against what the facts of a program say would run.

In      facts of a program; the words of each run
Out     the runs that no command of the facts accounts for; none where the facts say that they do not know
Source  docs/security.md, law L4
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policies.facts import Command, Facts, Flag, Word
from tests.oracle.shell import Run

UNKNOWN = frozenset({Flag.OPAQUE, Flag.UNPARSED})


def missing(facts: Iterable[Facts], runs: Sequence[Run]) -> list[Run]:
    """Return the runs of which no command tells, program and arguments."""
    told = list(facts)
    if any(UNKNOWN & one.flags for one in told):
        return []
    commands = [command for one in told for command in one.commands]
    return [run for run in dict.fromkeys(runs) if not any(_tells(command, run) for command in commands)]


def _tells(command: Command, run: Run) -> bool:
    """Say whether a command may run with these words: a computed word may become any number of them."""
    fits = {0}
    for word in command.words:
        after = set[int]()
        for at in fits:
            if word.form == "literal":
                if at < len(run) and run[at] == _bytes(word):
                    after.add(at + 1)
            elif word.form == "glob":
                after.update(range(at + 1, len(run) + 1))
            else:
                after.update(range(at, len(run) + 1))
        fits = after
        if not fits:
            return False
    return len(run) in fits


def _bytes(word: Word) -> bytes:
    return word.text.encode("utf-8", "surrogateescape")
