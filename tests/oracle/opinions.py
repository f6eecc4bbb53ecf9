"""Hold the first parser against the second where the first is trusted alone: both must find the same.

In      a statement
Out     in what the two differ; "" where they agree, where the second is asked anyway, or where neither matters
Source  docs/security.md, law L4, T31
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from random import Random

from policies.facts import Flag
from policies.shell import agreed, doubtful, quick
from tests.oracle.claims import UNKNOWN
from tests.oracle.mutation import mutated

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "policies" / "library" / "cases"
VECTORS = ROOT / "tests" / "vectors" / "shell"
LONGEST_BYTES = 400
# What the second parser reads otherwise than bash does: `let a&b` is two commands, and a comment ends with its line.
MISREAD_BY_SECOND = re.compile(rb"\blet\b|#")


@cache
def lines() -> list[bytes]:
    """Return lines as people and intruders type them: the library's cases, ordinary ones, what was misread once."""
    found = [statement for file in sorted(CASES.glob("*.toml")) for statement in _statements(file)]
    found += (VECTORS / "ordinary.txt").read_text("utf-8").splitlines()
    found += [vector["program"] for vector in json.loads((VECTORS / "misread.json").read_text("utf-8"))]
    return [line.encode() for line in found if line and len(line) <= LONGEST_BYTES]


def _statements(file: Path) -> list[str]:
    cases = tomllib.loads(file.read_text("utf-8")).get("case", [])
    return [statement for case in cases for statement in case.get("statements", [])]


def changed(random: Random) -> bytes:
    """Return such a line, or two, with a few bytes or words changed."""
    line = random.choice(lines())
    if random.random() < 0.3:
        line += random.choice((b"; ", b" && ", b" | ", b"\n", b" & ")) + random.choice(lines())
    return mutated(random, line, lines())


def disagreement(program: bytes) -> str:
    """Return in what the parsers differ over a program that bash accepts and that is not in doubt."""
    if b"\0" in program or MISREAD_BY_SECOND.search(program):
        return ""
    facts = quick(program)
    if UNKNOWN & facts.flags or doubtful(program):
        return ""
    both = agreed(program, facts)
    why = both.why.get(Flag.UNPARSED, "")
    return why if why.startswith("two parsers find") and _accepted(program) else ""


def _accepted(program: bytes) -> bool:
    """Say whether bash takes it for a program; it runs nothing."""
    done = subprocess.run(["bash", "-n", "-c", program], stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode == 0
