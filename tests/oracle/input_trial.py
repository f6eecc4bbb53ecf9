"""Hold the assembler against a real shell: what is read from stdin runs as the statements that were cut out of it.

Statements go to a shell one after the other until one is not understood, as the gate lets them; what the shell then
runs must be in the facts of one of those that went.

In      a program, and how it is split
Out     the runs that no statement tells of
Source  docs/security.md, law L3, T30, T33
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from policies.facts import Facts, Flag
from policies.shell import analyse
from policies.shell.assembler import Piece, ShellAssembler
from tests.oracle.claims import UNKNOWN, missing
from tests.oracle.shell import Run, Shell

STOPS = UNKNOWN | {Flag.SWITCHES_INPUT, Flag.READS_STDIN}  # what follows is not read as it stands, or is data


def pieces(program: bytes, random: Random) -> list[Piece]:
    """Return the statements of an input that comes in parts of any size."""
    assembler = ShellAssembler()
    found: list[Piece] = []
    at = 0
    while at < len(program):
        size = random.choice((1, 2, 3, 7, 20, 4096))
        found += assembler.feed(program[at : at + size])
        at += size
    return [*found, *assembler.finish()]


def passed(cut: list[Piece]) -> Iterator[tuple[bytes, Facts]]:
    """Yield the statements that go to the shell, with their facts."""
    for piece in cut:
        if piece.why or not piece.whole:
            return
        facts = analyse(piece.source)
        if STOPS & facts.flags:
            return
        yield piece.source, facts


def untold_input(shell: Shell, program: bytes) -> list[Run]:
    """Return what a shell runs, of an input, that no statement tells of."""
    gone = list(passed(pieces(program, Random(len(program)))))
    runs = shell.run(b"".join(source for source, _ in gone), on_stdin=True) if gone else None
    return missing([facts for _, facts in gone], runs or [])
