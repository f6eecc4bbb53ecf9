"""Know which programs start other programs, and where in their words these stand.

In      the words of a command
Out     what it starts: words, or a script
Source  the manuals of the programs that are named; sudo(8), env(1), find(1), xargs(1), ssh(1), docker(1), kubectl(1)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from policies.facts import Word
from policies.shell.options import Given, Takes, given, may_have_value
from policies.shell.special import SPECIAL
from policies.shell.started import COMPUTED, UNKNOWN_START, Started, escaped, joined, loose
from policies.shell.wrappers import RUNNERS, SKIPS, STARTERS, Starter

_UNUSUAL = re.compile(r"[^\w./:=@%+,~-]")
_LOADER = re.compile(r"ld-linux[\w.-]*\.so\.\d+|ld-musl[\w.-]*\.so\.\d+|ld-\d[\d.]*\.so|ld\.so")


def starts(name: str, words: Sequence[Word]) -> list[Started] | None:
    """Return what a command starts; None if a program of this name starts none."""
    special = SPECIAL.get(name)
    if special is not None:
        return special([Word(name), *words[1:]])
    if _LOADER.fullmatch(name):
        name = "ld.so"
    starter = STARTERS.get(name)
    if starter is None:
        verbs = RUNNERS.get(name)
        return None if verbs is None else _run(name, verbs, words)
    if name == "gdb" and not any(word.text == "--args" for word in words):
        return []
    return _ordinary(name, starter, words)


def _ordinary(name: str, starter: Starter, words: Sequence[Word]) -> list[Started]:
    options = given(words[1:], starter.takes, stop=True, single=starter.single, flags=starter.flags)
    if name == "env":
        split = options.values("S", "split-string")
        if split:
            rest = words[1 + options.rest :]
            return [Started(script=joined([*split, *rest]))]
    if name == "sudo" and options.has("i", "s", "login", "shell"):
        rest = words[1 + options.rest :]
        if not rest:
            return [Started((Word("bash"),))]
        found = [Started(script=joined(escaped(rest)))]
        if any(_UNUSUAL.search(word.text) for word in rest if word.literal):  # as old ones hand them over
            found.append(Started(script=joined(rest)))
        return found
    if name == "doas" and options.has("s"):
        return [Started((Word("bash"),))]
    if name == "sudo" and options.has("e", "edit", "l", "list", "v", "validate", "K", "V"):
        return []
    if name == "command" and options.has("v", "V"):
        return []
    if name in ("taskset", "ionice", "chrt", "prlimit", "cpulimit") and options.has("p", "pid"):
        return []
    at = 1 + options.rest + starter.skip
    if starter.assigns:
        while at < len(words) and re.match(r"[A-Za-z_][A-Za-z0-9_]*=", words[at].text):
            at += 1
    rest = list(words[at:])
    if rest and rest[0].text == "--":
        rest = rest[1:]
    if name == "chrt" and at <= len(words) and words[at - 1].literal and not words[at - 1].text.isdigit():
        rest.insert(0, words[at - 1])  # some policies need no priority
    if not rest and name == "sudo" and "=" in words[-1].text:  # nothing follows: then it is no assignment
        rest = [words[-1]]
    found = _behind(name, starter, options, rest, loose(words[1:at]))
    if len(rest) > 1 and not rest[1].text.startswith("-") and may_have_value(options, starter.flags):
        found += _behind(name, starter, options, rest[1:], [])
    return found


def _run(name: str, verbs: Mapping[str, Takes], words: Sequence[Word]) -> list[Started]:
    """Return what `TOOL VERB [OPTION…] [--] PROGRAM` starts."""
    at = next((at for at, word in enumerate(words[1:], 1) if word.text in verbs), None)
    if at is None:
        return []
    rest = words[at + 1 :]
    cut = next((place for place, word in enumerate(rest) if word.text == "--"), None)
    if cut is not None:
        return [*loose(rest[:cut]), *([Started(tuple(rest[cut + 1 :]))] if rest[cut + 1 :] else [])]
    return _ordinary(name, Starter(verbs[words[at].text], skip=SKIPS.get(name, 0)), words[at:])


def _behind(
    name: str, starter: Starter, options: Given, rest: list[Word], unknown: list[Started]
) -> list[Started]:
    """Return what is started by the words behind the options."""
    if starter.assigns and rest and "=" in rest[0].text:  # to some an assignment, to others a program
        unknown = [UNKNOWN_START]
    if unknown or not rest:  # one of these may become several words, and so name another program
        return [*unknown, Started(tuple(rest))] if rest else unknown
    if starter.script and not options.has("x", "exec"):
        return [Started(script=joined(rest))]
    if name == "parallel":
        return _parallel(rest)
    if starter.more:
        marks = [value.text for value in options.values("I")] + (["{}"] if name == "parallel" else [])
        rest = [
            Word(word.text, "computed", word.text.partition(mark)[0]) if mark and mark in word.text else word
            for word in rest
            for mark in [next((one for one in marks if one in word.text), "")]
        ]
        if not marks:
            rest.append(COMPUTED)
        return [Started(tuple(rest), stdin=name == "parallel")]
    return [Started(tuple(rest))]


def _parallel(rest: list[Word]) -> list[Started]:
    cut = next((at for at, word in enumerate(rest) if re.fullmatch(r":::?:?\+?", word.text)), len(rest))
    template, values = rest[:cut], rest[cut + 1 :]
    if not template:  # each value is a command line
        return [Started(script=word) for word in values if not re.fullmatch(r":::?:?\+?", word.text)] or [
            Started(script=COMPUTED)
        ]
    words = [
        Word(word.text, "computed", word.text.partition("{")[0])
        if re.search(r"\{[^}\s]*\}", word.text)
        else word
        for word in template
    ]
    if words == template:
        words.append(COMPUTED)
    if len(template) == 1 and re.search(r"\s", template[0].text):
        return [Started(script=template[0])]
    return [Started(tuple(words))]
