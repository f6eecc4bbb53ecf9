"""Choose at random, and name what is chosen from.

In      a Random
Out     one of several; a name that no other program has
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

T = TypeVar("T")
Maker = Callable[[], str]

BUILTINS = ("echo", "printf", "true", "false")
ODDITIES = ("if", "done", "in", "{", "}", "!", "[", "]", "esac", "%d", "@", "^", ":")
PLAIN = (*("a", "b=c", "-x", "--y=z", "7", "x.y") * 6, *ODDITIES)
ESCAPES = (r"\ ", r"\;", r"\$x", "\\\\", r"\'", r"\"", r"\`", r"\#", "\\\n", r"a\&b", r"\(", r"\m")
QUOTED = (r"$'a\'b'", r"$'\n'", r"$'\x41'", '$"a b"', r"$'\\'", "$''", "''", '""', r"$'\c\\'")
PATTERNS = ("{a,b}", "{1..3}", "{a,{b,c}}", "{,x}", "{x}", "*", "?", "[a-z]", "a=b", "#")
TEXTS = (
    *(
        "",
        "a b",
        ";",
        "$x",
        "`",
        "#",
        "\\",
        '"',
        "\n",
        "(",
        ")",
        "}",
        "EOF",
        " m ",
        "$(",
        "&&",
        "<<E",
        "{",
        "\u00e9",
        "\t",
        "|",
    ),
)
SPACES = (" ",) * 12 + ("  ", "\t", " \t ", " \\\n", "\\\n ", " \\\n\t ")
ENDS = (";",) * 5 + ("\n",) * 5 + (" ;", "; ", "\n\n", "\n\t", " \n", ";\n", " # it's \"a` comment\n", ";\t")


CALM_PLAIN = (
    "a",
    "b=c",
    "-x",
    "--y=z",
    "7",
    "x.y",
    "a/b"[:1],
    "$x",
    '"$x"',
    "'a b'",
    '"a b"',
    "*.y",
    "{a,b}",
    "${x}",
)
CALM_TEXTS = ("a b", ";", "#", "(", " m ", "&&", "{", "|", "a; b", "it", "<<E")


class Choices:
    """What every maker of programs needs; `depth` is how deep constructs may still nest.

    A `calm` program is written as people write: every construct, but few odd forms at once, so that both parsers
    understand most of them, and are held to what they say. Where it is not, they mostly refuse.
    """

    def __init__(self, random: Random, depth: int, *, calm: bool = False) -> None:
        self._random = random
        self._depth = depth
        self._calm = calm
        self._marks = 0
        self._heredocs: list[str] = []
        self._functions: list[str] = []

    def _name(self) -> str:
        return f"m{self._mark()}"

    def _mark(self) -> int:
        self._marks += 1
        return self._marks

    def _space(self) -> str:
        return " " if self._calm else self._random.choice(SPACES)

    def _is_odd(self) -> bool:
        """Say whether to take an odd form here."""
        return not self._calm or self._random.random() < 0.02

    def _of(self, *choices: T) -> T:
        return self._random.choice(choices)

    def _pick(self, *weighted: tuple[int, Maker]) -> str:
        makers = [maker for _, maker in weighted]
        return self._random.choices(makers, [weight for weight, _ in weighted])[0]()

    def _list(self) -> str:
        raise NotImplementedError

    def _body_or_list(self) -> str:
        raise NotImplementedError

    def _bodies(self) -> str:
        raise NotImplementedError
