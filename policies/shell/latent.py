"""Find text that a shell runs later, when it makes a number or a prompt of it.

`x='a[$(reboot)]'; ((x))` runs what is in the subscript, and so do `[[ x -eq 0 ]]`, `test -v`, `unset`, `read`,
`declare -i` and others; `${x@P}` and PS4 run what is in any value. Nothing in the tree shows it.

In      words, values that variables get, source
Out     `opaque` where a substitution lies in them as plain text
Source  bash(1), ARITHMETIC EVALUATION, PROMPTING
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from policies.facts import Flag, Word
from policies.shell.findings import Findings
from policies.shell.words import Words

# U+FFFC stands for what is known at run time only.
_STARTS = re.compile(r"\$\(|`|[<>]\(|\A\$\Z|\[[^\]]*(?:\$\Z|\ufffc\()")
_SUBSCRIPT = re.compile(r"\[[^\]]*(?:\$\(|`)")
_WRITTEN = re.compile(r"\\[$`]|'[^']*(?:\$\(|`)")
_EVALUATE = frozenset(
    {
        *(
            "let",
            "test",
            "[",
            "read",
            "unset",
            "printf",
            "declare",
            "typeset",
            "local",
            "export",
            "readonly",
            "set",
        ),
        *(
            "getopts",
            "mapfile",
            "readarray",
            "wait",
            "compgen",
            "complete",
            "shift",
            "exit",
            "return",
            "break",
        ),
    }
)
_WITH_V = frozenset({"printf", "test", "["})  # only then: the name of a variable
_CODE = frozenset(
    ["awk", "gawk", "mawk", "nawk", "sed", "perl", "grep", "egrep", "rg"]
)  # `[` means another thing there


def values(found: Findings, texts: Words, words: Iterable[Word]) -> None:
    """Flag values that variables get."""
    if any(_STARTS.search(texts.certain(word)) for word in words):
        found.flag(Flag.OPAQUE, "a value with a substitution in it as text, which a shell may run later")


def words(found: Findings, texts: Words, name: str, given: Sequence[Word], place: int | None) -> None:
    """Flag the words of the command called `name`."""
    if name in _CODE:
        return
    evaluates = name in _EVALUATE and (name not in _WITH_V or any(word.text[:2] == "-v" for word in given))
    pattern = _STARTS if evaluates else _SUBSCRIPT
    if any(pattern.search(texts.certain(word)) for word in given):
        found.flag(Flag.OPAQUE, "a subscript with a substitution in it as text, which a shell may run", place)


def written(found: Findings, text: str) -> None:
    """Flag source, as it is written: of a conditional, or of words that are not resolved."""
    if _WRITTEN.search(text):
        found.flag(Flag.OPAQUE, "a condition with a substitution in it as text, which a shell may run")


def prompts(found: Findings, source: bytes) -> None:
    """Flag values that are expanded as prompts are."""
    if b"@P}" in source:
        found.flag(Flag.OPAQUE, "a value that is expanded as a prompt")
