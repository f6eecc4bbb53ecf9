"""Say what masks let pass after all: a value by its keyed hash, or what a statement prints of one file alone.

In      [[exception]] tables; the facts of a statement
Out     MaskException; the files of which a statement prints the contents and nothing else
Source  docs/masking.md, "Exceptions"; docs/security.md, laws L4 and L5
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policies.compiled import STANDARD_FOLDERS
from policies.facts import Facts, Word
from policies.model import When
from policies.pattern import Patterns

# Programs that print what is in the files that they are given, and nothing else whatever their options are.
PRINTERS = frozenset({"cat", "head", "nl", "tac", "tail"})
STOPS = "/:"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskException:
    """One [[exception]] table: for whom and where, which detectors, and which values or files."""

    id: str
    detectors: frozenset[str]
    values: frozenset[str] = frozenset()
    reads: tuple[str, ...] = ()
    when: When = field(default_factory=When)

    def speaks_of(self, facts: Facts) -> bool:
        """Say whether a statement surely prints nothing but files that this exception names."""
        files = printed_files(facts)
        if not files or not self.reads:
            return False
        patterns = Patterns(self.reads, STOPS)
        return all(file.literal and patterns.has(file.text) for file in files)


def printed_files(facts: Facts) -> list[Word]:
    """Return the files of which a statement prints the contents and nothing else; none where that is not sure."""
    if facts.flags or facts.writes or facts.contacts or facts.defines or len(facts.commands) != 1:
        return []
    (command,) = facts.commands
    folder, _, name = command.program.text.rpartition("/")
    if command.flags or name not in PRINTERS or (folder and folder not in STANDARD_FOLDERS):
        return []
    if not all(word.literal for word in command.words):
        return []
    return [touch.value for touch in facts.reads]
