"""Name what a command starts, and read the words of a shell.

Source  bash(1), OPTIONS; ssh(1)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from policies.facts import Word
from policies.shell.options import Given, Takes, given

COMPUTED = Word("{}", "computed")
SHELLS = frozenset(["sh", "bash", "dash", "ash", "rbash", "ksh", "mksh", "ksh93", "zsh"])
OTHER_SHELLS = frozenset(["fish", "csh", "tcsh", "pwsh", "powershell", "elvish", "nu", "xonsh", "rc", "es"])
LIKE_SUDO = frozenset(
    ["sudo", "doas", "pkexec", "su", "runuser", "gosu", "su-exec", "sudoedit", "dzdo", "calife"]
)


@dataclass(frozen=True, slots=True)
class Started:
    """What a command starts: the words of another, or a script for a shell.

    `stdin` says that it reads the same input; `parts` are the words that the script is made of.
    """

    words: tuple[Word, ...] = ()
    script: Word | None = None
    stdin: bool = True
    parts: tuple[Word, ...] = ()


_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", re.DOTALL)
_LOOSE = re.compile(r"`|\$(?:[A-Za-z_{@*0-9]|\((?!\())")
_ONE_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{\w+\}|\w+)")
SOMETHING = Word("$(...)", "computed")
UNKNOWN_START = Started(script=Word("", "computed"))
SSH = Takes("BbcDEeFIiJLlmOopQRSWwP")
SSH_BEFORE_TAGS = Takes(SSH.short.replace("P", ""))


def splits(word: Word) -> bool:
    """Say whether a computed word is outside quotes in part, and may become several."""
    return (
        word.form == "computed" and not word.whole and _LOOSE.search(_QUOTED.sub("", word.text)) is not None
    )


def put_in(word: Word) -> Word:
    """Return what the shell puts into a word, alone: if that is several words, what is around it tells nothing."""
    found = _VARIABLE.search(_QUOTED.sub("", word.text))
    return Word(found[0], "computed") if found else SOMETHING


def loose(words: Sequence[Word]) -> list[Started]:
    """Return that nobody knows what is started, if one of these words may become several."""
    return [UNKNOWN_START] if any(map(splits, words)) else []


def joined(words: Sequence[Word]) -> Word:
    """Return what a shell gets whose script is these words with spaces between."""
    text = " ".join(word.text for word in words)
    if all(word.form != "computed" for word in words):
        return Word(text)
    return Word(text, "computed")


def escaped(words: Sequence[Word]) -> list[Word]:
    """Return words as sudo hands them to a shell: all but letters, digits, `_`, `-` and `$` behind a backslash.

    Source  sudo(8), -i and -s
    """
    return [
        Word(re.sub(r"[^A-Za-z0-9_$-]", r"\\\g<0>", word.text)) if word.literal else word for word in words
    ]


def likely(words: Sequence[Word]) -> str | None:
    """Return the script that these words are if the values in double quotes are words and no more; None if none is."""
    scripts = {word.text: _written(word) for word in words if word.form == "computed"}
    if scripts.keys() == set(scripts.values()):
        return None
    return " ".join(scripts.get(word.text, word.text) for word in words)


def _written(word: Word) -> str:
    quoted = _ONE_QUOTED.fullmatch(word.text)
    return re.sub(r"\\([$`\"\\\n])", r"\1", quoted[1]) if quoted else word.text


def shell_script(words: Sequence[Word]) -> tuple[Given, Word | None, Word | None]:
    """Return what a shell was given: its options, the script of -c, the file of a script."""
    takes = Takes("oO", "rcfile init-file")
    options = given(words[1:], takes, stop=True)
    operands = list(words[1 + options.rest :])
    while (
        operands and operands[0].text.startswith("+") and not options.certain
    ):  # options that are switched off
        values = 2 if operands[0].text.endswith(("o", "O")) else 1
        more = given(operands[values:], takes, stop=True)
        options.options += more.options
        options.certain = more.certain
        operands = operands[values + more.rest :]
    if options.has("c"):
        return options, operands[0] if operands else Word(""), None
    if options.has("s") or not operands or operands[0].text == "-":
        return options, None, None
    return options, None, operands[0]
