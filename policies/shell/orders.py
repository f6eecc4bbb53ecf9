"""Know what is run elsewhere by order: through salt, Systems Manager of AWS, or into a container of LXC.

In      the words of a command
Out     what it starts
Source  the manuals of salt.modules.cmdmod, `aws ssm send-command` and lxc-attach(1)
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence

from policies.facts import Word
from policies.shell.options import Takes, given
from policies.shell.started import Started

_CMD = re.compile(r"(?:[\w.]+,)*cmd\.(?:run|shell|exec|script|retcode|powershell)\w*")
_LXC = Takes(
    "nsaRPBLuUgGovf",
    "name elevated-privileges arch namespaces remount-sys-proc lxcpath pty-log uid gid context",
)


def salt(words: Sequence[Word]) -> list[Started]:
    """Return what salt, salt-call or salt-ssh runs by a function of its module cmd, or raw."""
    raw = given(words[1:], Takes())
    found = [Started(script=word, stdin=False) for word in raw.operands[1:2] if raw.has("r", "raw")]
    at = next((at for at, word in enumerate(words) if _CMD.match(word.text)), len(words))
    for word in words[at + 1 :]:
        name, equals, value = word.text.partition("=")
        if name == "cmd" and equals:
            found.append(Started(script=Word(value, word.form), stdin=False))
        elif not re.match(r"-|\w+=", word.text):
            found.append(Started(script=Word(word.text.lstrip(","), word.form), stdin=False))
    return found


def ssm(words: Sequence[Word]) -> list[Started]:
    """Return the commands that Systems Manager is told to run."""
    if ("ssm", "send-command") not in itertools.pairwise(word.text for word in words):
        return []
    texts = given(words[1:], Takes("", "parameters"), single=True).values("parameters")
    return [Started(script=script, stdin=False) for text in texts for script in _ordered(text)]


def _ordered(word: Word) -> Iterator[Word]:
    """Yield the commands among the parameters, in JSON or in the short form; a computed word if they cannot be read."""
    text = word.text.strip()
    try:
        if text.startswith("{"):
            commands = json.loads(text).get("commands", [])
        elif text.startswith("commands="):
            value = text.removeprefix("commands=")
            commands = json.loads(value) if value.startswith("[") else [value]
        else:
            commands = None
    except (ValueError, RecursionError):
        commands = None
    if not isinstance(commands, list) or not word.literal:
        yield Word(word.text, "computed")
        return
    yield from (Word(command) for command in commands if isinstance(command, str))


def attach(words: Sequence[Word]) -> list[Started]:
    """Return what lxc-attach runs: the words behind `--`, or behind its options."""
    cut = next((at for at, word in enumerate(words) if word.text == "--"), None)
    if cut is not None:
        return [Started(tuple(words[cut + 1 :]))] if words[cut + 1 :] else []
    options = given(words[1:], _LXC, stop=True)
    rest = words[1 + options.rest + (not options.has("n", "name")) :]
    return [Started(tuple(rest))] if rest else [Started((Word("bash"),))]
