"""Say how a shell is started that is to be guarded: without line editing, startup files and history expansion.

In      Facts of a command that was allowed and asks for a terminal
Out     the bytes of the command that starts the same shell guarded; None for anything that is not plainly a shell
Source  bash(1), OPTIONS; sudo(8); su(1), util-linux
"""

from __future__ import annotations

import shlex

from bastion.stdin_shell import SHELLS
from policies.facts import Command, Facts, Flag

SHELL = ("bash", "--noediting", "--norc", "--noprofile", "+H")
_PLAIN = frozenset({"-l", "--login", "-i", "-li", "-il"})
# PS0 is printed once a statement is read: see guarded_shell.py, where Ctrl-C waits for that.
_PROMPTS = r"PS0='\e[m' PS1='\u@\h:\w\$ ' PS2= PAGER=cat"

_UNSURE = frozenset(
    {Flag.UNPARSED, Flag.OPAQUE, Flag.HIDDEN, Flag.INTERPRETER, Flag.DEFINES, Flag.SWITCHES_INPUT}
)

LOGIN_SHELL = f"{_PROMPTS} exec {' '.join(SHELL)}".encode()


def guarded_form(facts: Facts) -> bytes | None:
    """Return the guarded form of a shell, or of one by way of sudo, doas or su."""
    commands = facts.commands
    if facts.flags & _UNSURE or not all(word.literal for command in commands for word in command.words):
        return None
    if any(command.parent != (place - 1 if place else None) for place, command in enumerate(commands)):
        return None
    if not commands or facts.statement.split() != [word.text for word in commands[0].words]:
        return None  # an assignment, a redirection, quotes: more than the words that a guarded form keeps
    if facts.writes or any(touch.by is None for touch in facts.reads):
        return None
    if len(commands) == 1 and _is_shell(commands[0]):
        return LOGIN_SHELL
    if len(commands) != 2 or not _is_shell(commands[1]):
        return None
    words = [word.text for word in commands[0].words]
    started = [word.text for word in commands[1].words]
    match words[0].rpartition("/")[2]:
        case "sudo" | "doas":
            if words[-len(started) :] == started:
                words = words[: -len(started)]
            return shlex.join([*words, *SHELL]).encode()
        case "su" if not any(word in ("-c", "--command") for word in words):
            return shlex.join([words[0], f"--session-command=exec {' '.join(SHELL)}", *words[1:]]).encode()
        case _:
            return None


def _is_shell(command: Command) -> bool:
    name, *options = (word.text for word in command.words)
    return name.rpartition("/")[2] in SHELLS and all(option in _PLAIN for option in options)
