"""Feed shell statements and scripts, alone and against a real bash that runs them.

Source  docs/policies.md; bash(1)
"""

from __future__ import annotations

import atexit
import json
from functools import cache
from pathlib import Path
from random import Random

from policies.facts import Flag
from policies.shell import MAX_STATEMENT_BYTES, doubtful, quick
from policies.shell.analyse import OWN_FAULT
from policies.shell.assembler import ShellAssembler
from tests.fuzz.target import Havoc, Target, require
from tests.oracle.generator import Programs
from tests.oracle.input_trial import untold_input
from tests.oracle.mutation import mutated
from tests.oracle.odd import ODD
from tests.oracle.opinions import LONGEST_BYTES, changed, disagreement, lines
from tests.oracle.shell import Shell
from tests.oracle.trial import untold

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "shell"


@cache
def _seeds() -> list[bytes]:
    odd = [form.replace("MARK", f"m{place}").encode() for place, form in enumerate(ODD)]
    found = [
        vector["program"].encode() for vector in json.loads((VECTORS / "misread.json").read_text("utf-8"))
    ]
    return [*odd, *found]


def _mutate(data: bytes, random: Random, havoc: Havoc) -> bytes:
    match random.randrange(6):
        case 0:
            return havoc(data or b"\0")
        case 1:
            return Programs(random, random.choice((0, 1, 2))).program().encode()
        case 2:
            return changed(random)
        case _:
            return mutated(random, data, _seeds())


def statement(data: bytes) -> None:
    """Say what a statement would do; whatever it is, the facts are of one piece."""
    facts = quick(data)
    require(OWN_FAULT not in facts.why.values(), OWN_FAULT)
    require(isinstance(doubtful(data), str), "no answer whether it is in doubt")
    json.dumps(facts.as_json())
    for place, command in enumerate(facts.commands):
        require(command.words, "a command without a word")
        require(command.parent is None or command.parent < place, "a command before the one that starts it")
        require(command.flags <= facts.flags, "a command's flag that the statement does not have")
    for touch in (*facts.reads, *facts.writes, *facts.contacts):
        require(touch.by is None or touch.by < len(facts.commands), "a file of no command")
    require(facts.flags >= facts.why.keys(), "a reason for what is not said")
    require(Flag.UNPARSED in facts.flags or b"\0" not in data, "a NUL that is passed over")


def script(data: bytes) -> None:
    """Cut a script into statements; every byte comes out once, and how it came in does not matter."""
    whole = ShellAssembler()
    pieces = [*whole.feed(data), *whole.finish()]
    require(all(len(piece.source) <= MAX_STATEMENT_BYTES for piece in pieces), "a statement that is too long")
    lost = any(not piece.whole for piece in pieces)
    out = b"".join(piece.source for piece in pieces)
    require(data.startswith(out) if lost else out == data, "bytes that are lost or come twice")
    random, at = Random(len(data)), 0
    split = ShellAssembler()
    found = []
    while at < len(data):
        size = random.choice((1, 1, 2, 5, 50))
        found += split.feed(data[at : at + size])
        at += size
    require([*found, *split.finish()] == pieces, "another split gives other statements")


@cache
def _shell() -> Shell:
    shell = Shell()
    atexit.register(shell.__exit__)
    return shell


def parsers(data: bytes) -> None:
    """Read a statement by both parsers where the first alone would be trusted; they find the same."""
    require(not (why := disagreement(data)), why)


def _mutate_line(data: bytes, random: Random, _havoc: Havoc) -> bytes:
    return mutated(random, data, lines()) if random.random() < 0.5 else changed(random)


def run(data: bytes) -> None:
    """Run a program in bash; the facts tell of all that runs, as an argument and from stdin."""
    for what, runs in (("", untold(_shell(), data)), (" from stdin", untold_input(_shell(), data))):
        require(not runs, f"runs{what} untold: {runs[:3]!r}")


STATEMENT = Target(
    name="statement",
    feeds="a shell statement to the analyser",
    run=statement,
    seeds=lambda: [*_seeds(), *lines()],
    mutate=_mutate,
)
SCRIPT = Target(
    name="script",
    feeds="a shell script to the assembler, in two splits",
    run=script,
    seeds=lambda: [b"\n".join(_seeds()[at : at + 3]) + b"\n" for at in range(0, len(_seeds()), 3)],
    mutate=_mutate,
)
PARSERS = Target(
    name="parsers",
    feeds="lines as people type them, changed, to both parsers: what is not in doubt must be the same to both",
    run=parsers,
    seeds=lines,
    mutate=_mutate_line,
    most_bytes=2 * LONGEST_BYTES,
)
ORACLE = Target(
    name="oracle",
    feeds="a program to bash and to both parsers: what ran must be in the facts",
    run=run,
    seeds=_seeds,
    mutate=_mutate,
    most_bytes=3000,
)
