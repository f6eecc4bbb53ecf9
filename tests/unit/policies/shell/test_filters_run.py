"""Filters are run, with words at random: one that seems to leave its input alone reads nothing of it (L3)."""

from __future__ import annotations

import os
import shlex
import shutil
import string
import subprocess
from pathlib import Path
from random import Random

from policies.facts import Flag
from policies.shell import quick
from policies.shell.filters import FLAGS

SEED = 20_261_129
MOST = 1_500
INPUT = b"one\ntwo\n" * 50
UNSURE = {Flag.READS_STDIN, Flag.MAY_READ_STDIN, Flag.OPAQUE, Flag.UNPARSED}
OPERANDS = ("f", "f", "f", "3", "a", ".a", "p", "{print}", "-", "--", "x=1", "s/a/b/", "nope")
LONG = (
    "lines=3", "bytes=2", "key=1", "output=o", "regexp=a", "expression=p", "file=f", "arg", "argjson", "slurpfile",
    "indent", "from-file", "lines", "width", "delimiter", "fields", "suffix", "threads", "max-count", "context",
    "include", "files0-from=f", "files0-from", "parallel", "version",
)  # fmt: skip


def command(random: Random, names: list[str]) -> list[str]:
    """Return a filter with a few options, right and wrong ones, and operands."""
    name = random.choice(names)
    words, known = [name], FLAGS[name].long.split()
    for _ in range(random.randrange(4)):
        kind = random.randrange(10)
        if kind < 4:
            letters = random.choices(string.ascii_letters + string.digits, k=random.choice((1, 1, 2, 3)))
            words.append("-" + "".join(letters))
        elif kind == 4 and known:
            words.append("--" + random.choice(known)[: random.choice((3, 5, 30))])
        elif kind == 5:
            words.append("--" + random.choice(LONG))
        else:
            words.append(random.choice(OPERANDS))
    return words


def left_of_input(words: list[str], folder: Path) -> bytes:
    """Run a program; return what it has left of its input."""
    reader, writer = os.pipe()
    os.write(writer, INPUT)
    os.close(writer)
    with os.fdopen(reader, "rb") as channel:
        process = subprocess.Popen(
            words, stdin=channel, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
        )
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:  # `tail -f f` goes on
            process.kill()
            process.wait()
        return channel.read()


def test_l3_a_filter_that_seems_to_leave_its_input_does(tmp_path: Path) -> None:
    random, tried = Random(SEED), 0
    names = [name for name in FLAGS if shutil.which(name)]
    assert {"cat", "head", "sed", "grep", "awk"} <= {*names}
    for _ in range(MOST):
        words = command(random, names)
        if quick(shlex.join(words)).flags & UNSURE:
            continue
        for name in ("f", "3"):
            (tmp_path / name).write_text("a b\nc d\n")
        assert left_of_input(words, tmp_path) == INPUT, words
        tried += 1
    assert tried > MOST / 10
