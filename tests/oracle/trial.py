"""Hold the analyser against a real shell: make programs, run them, and look for runs that the facts do not tell of.

In      a seed, and how long or how many
Out     Figures; the programs of which the facts said too little, made as short as they get
Source  docs/security.md, law L4, T28, T31
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from policies.facts import Flag
from policies.shell import agreed, analyse, doubtful, quick
from tests.oracle.claims import UNKNOWN, missing
from tests.oracle.generator import Programs
from tests.oracle.input_trial import untold_input
from tests.oracle.mutation import mutated
from tests.oracle.odd import ODD
from tests.oracle.shell import Run, Shell

MOST_BYTES = 3000
MOST_FINDS = 40
KEPT = 1000
SAMPLE = 6  # one program in so many runs though its facts claim nothing: it shows what share does


Untold = Callable[[Shell, bytes], list[Run]]


@dataclass(slots=True)
class Figures:
    """What came of a trial."""

    made: int = 0
    ran: int = 0  # programs that bash accepts and that ran something
    runs: int = 0
    known: int = 0  # of those that ran: neither opaque nor unparsed
    sampled: int = 0  # of those that ran: run whatever their facts are
    unknown: int = 0  # of those sampled: opaque or unparsed, so that they prove nothing
    inputs: int = 0  # programs that were read from stdin
    doubtful: int = 0  # of those that ran: the second parser was asked
    guarded: int = 0  # the first parser alone would have told too little
    why: Counter[str] = field(default_factory=Counter)
    finds: list[tuple[bytes, list[Run]]] = field(default_factory=list)


def untold(shell: Shell, program: bytes) -> list[Run]:
    """Return what a program runs that its facts do not tell of."""
    facts = analyse(program)
    if UNKNOWN & facts.flags:
        return []
    return missing([facts], shell.run(program) or [])


def programs(random: Random) -> Iterator[bytes]:
    """Yield programs without end: made by the grammar of bash, or earlier ones with bytes changed."""
    kept = [form.replace("MARK", f"m{place}").encode() for place, form in enumerate(ODD)]
    yield from kept
    while True:
        if random.random() < 0.6:
            calm = random.random() < 0.7
            program = Programs(random, random.choice((0, 1, 1, 2, 2, 3)), calm=calm).program().encode("utf-8")
        else:
            program = mutated(random, random.choice(kept), kept)
        if len(program) > MOST_BYTES:
            continue
        yield program
        if len(program) < 300 and len(kept) < KEPT and not UNKNOWN & quick(program).flags:
            kept.append(program)


def trial(
    shell: Shell,
    seed: int,
    *,
    most: int | None = None,
    seconds: float | None = None,
    tell: Callable[[Figures], None] = lambda _figures: None,
) -> Figures:
    """Try programs until so many were made, or so much time is over; stop at MOST_FINDS."""
    figures, ends_s = Figures(), time.monotonic() + seconds if seconds is not None else None
    for program in programs(Random(seed)):
        if (most is not None and figures.made >= most) or len(figures.finds) >= MOST_FINDS:
            break
        if ends_s is not None and time.monotonic() > ends_s:
            break
        figures.made += 1
        _try(shell, program, figures)
        if figures.made % 4 == 0 and len(figures.finds) < MOST_FINDS:
            figures.inputs += 1
            if untold_input(shell, program):
                _keep(shell, program, figures, untold_input)
        tell(figures)
    return figures


def _try(shell: Shell, program: bytes, figures: Figures) -> None:
    first, doubt = quick(program), doubtful(program)
    facts = agreed(program, first) if doubt else first
    unknown, sampled = UNKNOWN & facts.flags, figures.made % SAMPLE == 0
    runs = None if unknown and not sampled else shell.run(program)
    if not runs:
        return
    figures.ran += 1
    figures.runs += len(runs)
    figures.known += not unknown
    figures.doubtful += bool(doubt)
    figures.guarded += bool(doubt) and bool(missing([first], runs))
    if sampled:
        figures.sampled += 1
        figures.unknown += bool(unknown)
        for flag in unknown:
            figures.why[f"{flag}: {facts.why.get(Flag(flag), '')}"] += 1
    if not unknown and missing([facts], runs):
        _keep(shell, program, figures, untold)


def _keep(shell: Shell, program: bytes, figures: Figures, untold: Untold) -> None:
    """Keep a program whose facts say too little, as short as it gets while the same run is untold."""
    lacking = untold(shell, program)  # once more: what depends on time is no find
    if not lacking:
        return
    name = lacking[0][0]

    def fails(text: bytes) -> bool:
        return any(run[0] == name for run in untold(shell, text))

    small = shortened(program, fails)
    figures.finds.append((small, untold(shell, small)))


def shortened(program: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Return the program with all parts taken out that it fails without."""
    size = max(len(program) // 2, 1)
    while True:
        at = 0
        while at < len(program):
            less = program[:at] + program[at + size :]
            if less and fails(less):
                program = less
            else:
                at += size
        if size == 1:
            return program
        size = max(size // 2, 1)
