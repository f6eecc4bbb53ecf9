"""Tell the commands that start a shell which reads its script from the channel, line by line.

In      Facts of an exec request, or of a statement
Out     the shell's name, if that and nothing else reads the channel's input
Source  bash(1), OPTIONS and INVOCATION; dash(1); sudo(8); su(1)

Where this is not certain the input is data, which a rule must grant: a program that takes a part of it before the
shell does (`head -c5; bash`) would have the shell begin in the middle of a judged statement.
"""

from __future__ import annotations

import re

from policies.facts import Command, Facts, Flag

SHELLS = frozenset({"bash", "sh", "dash"})
_STARTERS = frozenset(
    {"sudo", "doas", "env", "nice", "nohup", "setsid", "timeout", "exec", "command", "su", "stdbuf"}
)
# These take no input, whatever their words.
_QUIET = frozenset(
    {"cd", "export", "set", "umask", "ulimit", "true", ":", "echo", "printf", "unset", "exec", "mkdir"}
)
_LETTERS = re.compile(r"-[lesuxvnpafrC]+|\+H")
_LONG = frozenset({"--login", "--norc", "--noprofile", "--posix", "--noediting", "--verbose", "--restricted"})


def shell_on_stdin(facts: Facts) -> str:
    """Return the name of the shell that reads the channel's input; empty if none surely does, alone."""
    if facts.flags & {Flag.UNPARSED, Flag.OPAQUE, Flag.SWITCHES_INPUT, Flag.BACKGROUND, Flag.INTERPRETER}:
        return ""
    commands = facts.commands
    readers = [place for place, command in enumerate(commands) if Flag.READS_STDIN in command.flags]
    if len(readers) != 1 or readers[0] != len(commands) - 1:
        return ""
    chain = [readers[0]]
    while (parent := commands[chain[-1]].parent) is not None:
        chain.append(parent)
    others = [command for place, command in enumerate(commands) if place not in chain]
    if not all(_name(command) in _QUIET for command in others):
        return ""
    if not all(_hands_on(commands[place]) for place in chain[1:]):
        return ""
    return _shell(commands[chain[0]])


def _shell(command: Command) -> str:
    """Return the shell's name if its words let it read its script plainly, without editing or expanding history."""
    words = [word.text for word in command.words]
    if not all(word.literal for word in command.words) or _name(command) not in SHELLS:
        return ""
    reads = False
    for at, word in enumerate(words[1:], 1):
        if _LETTERS.fullmatch(word):
            reads = reads or ("s" in word and word[0] == "-")
        elif word in ("--", "-") or (reads and not word.startswith(("-", "+"))):
            return _name(command) if reads or at == len(words) - 1 else ""
        elif word not in _LONG:
            return ""
    return _name(command)


def _hands_on(command: Command) -> bool:
    """Say whether the command leaves its input to what it starts."""
    name = _name(command)
    if name not in _STARTERS:
        return False
    options = [word.text for word in command.words[1:] if word.text.startswith("-")]
    takes = ("S", "stdin", "A", "askpass") if name == "sudo" else ()
    return not any(
        option.lstrip("-") in takes or ("S" in option and option[:2] != "--") for option in options
    )


def _name(command: Command) -> str:
    program = command.program
    return program.text.rpartition("/")[2] if program.literal else ""
