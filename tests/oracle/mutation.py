"""Change a program's bytes at random.

In      a program, others to take parts from
Out     a program that differs in a few places
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random


def mutated(random: Random, program: bytes, others: Sequence[bytes]) -> bytes:
    """Return a program with a few bytes of it dropped, doubled, swapped or put in, or with a part of another one."""
    made = bytearray(program)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at, size = random.randrange(len(made) + 1), random.choice((1, 1, 1, 2, 4, 8))
        match random.randrange(6):
            case 0:
                del made[at : at + size]
            case 1:
                made[at:at] = random.choice(ATOMS)
            case 2:
                made[at : at + 1] = random.choice(ATOMS)
            case 3:
                made[at:at] = made[at : at + size]
            case 4:
                other = random.choice(others) if others else program
                start = random.randrange(len(other) + 1)
                made[at:at] = other[start : start + random.randrange(1, 24)]
            case 5:
                to = random.randrange(len(made) + 1)
                part = bytes(made[at : at + size])
                del made[at : at + size]
                made[to:to] = part
    return bytes(made)


ATOMS = (
    *(bytes((byte,)) for byte in b"\t\n \"#$&'()*;<=>?[\\]`{|}!@%^,+-:.x1\r\f\v\x01\x7f"),
    b"\\\n",
    b"\n\\",
    b"\n\\\n",
    b";;",
    b"$(",
    b"$((",
    b"${",
    b"<<E",
    b"<<-E\n",
    b"\nE\n",
    b"<<<",
    b"<(",
    b"||",
    b"&&",
    b"[[",
    b"]]",
    b"$'",
    b'$"',
    b"``",
    b"{a,b}",
    b" #",
    b" do ",
    b" done",
    b" then ",
    b"fi",
    b" in ",
    b"esac",
    b" coproc ",
    b" time ",
    b"function ",
    b"()",
    b"x=",
    b"x+=",
    b"a=(",
    b"[ ",
    b" ]",
    b" -a ",
    b"&>",
    b">&",
    b"2>",
    b">|",
    b"<>",
    b"|&",
    b"$x",
    b"~/",
    b"if ",
    b"while ",
    b"case ",
    b"export ",
    b"unset ",
    b"local ",
    b"\xc2\xa0",
    b"\xff",
    b"\xe2\x80\x8b",
)
