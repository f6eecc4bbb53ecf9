"""Lay the course of a request: carried as it is, or judged statement by statement on its way.

In      a request whose access may begin; the gate of its session
Out     Course: what to ask of the target, and what judges the input
Errors  StatementDenied, StatementHeld: the request is a statement, and denied, or waits for people
Source  docs/gate.md

| what is asked            | its input                                                       |
|--------------------------|-----------------------------------------------------------------|
| anything, by a policy that filters none of this access | goes on as it is                  |
| a terminal, where `raw` is granted | goes on as it is                                      |
| a shell that reads stdin | a script: judged statement by statement                         |
| another command          | goes on: what may read it as code had to be granted as that     |
| … that hands it to a shell, perhaps among others, or to a server of files | data, which must be granted |
| a shell with a terminal  | the guarded shell: judged line by line                          |
| another command with a terminal | keys, which must be granted as data                      |
| sftp, scp                | each operation is judged (see bastion.transfer)                 |
| rsync, git               | one operation, known from the command                           |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from bastion.errors import Denied
from bastion.gate import Gate, Ruling
from bastion.guarded_form import LOGIN_SHELL, guarded_form
from bastion.guarded_shell import GuardedShell, guarded
from bastion.inlet import Channel, Inlet
from bastion.requests import Request
from bastion.script import DataInlet, ScriptInlet
from bastion.stdin_shell import shell_on_stdin
from bastion.transfer import Inspection, Judge, ScpTap, SftpTap, StreamCommand, StreamTap, Tap
from bastion.transfer.operation import stream_facts
from policies.classes import CLASSES
from policies.facts import Command, Facts, Flag
from policies.model import Access
from policies.shell import quick


class StatementDenied(Denied):
    """A request that is a statement was denied; `ruling` has the verdict."""

    code = "denied"

    def __init__(self, ruling: Ruling, session: str) -> None:
        super().__init__(ruling.line(session))
        self.ruling = ruling


class StatementHeld(Exception):
    """A request that is a statement waits for people; `ruling` has the verdict."""

    def __init__(self, ruling: Ruling) -> None:
        super().__init__("held")
        self.ruling = ruling


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is asked of the target; `ruling` is that on the request itself, if it is a statement."""

    request: Request
    ruling: Ruling | None = None
    inlet: Inlet | None = None
    raw: bool = False


async def lay_course(request: Request, channel: Channel, settled: Ruling | None = None) -> Course:
    """Return the course of a request, with the ruling on it if people have settled it.

    Raise StatementDenied, StatementHeld.
    """
    gate, access = channel.gate, channel.access
    if access is Access.SFTP or (access is not Access.RAW and not gate.filters(access)):
        return Course(request=request)
    if request.pty is not None and (raw := await _raw(request, channel)):
        return raw
    if (stream := request.stream) is not None:
        return Course(
            request=request, ruling=_allowed(settled or _streamed(stream, request, channel), channel)
        )
    if request.kind != "exec":
        if request.pty is None:
            return Course(request=request, inlet=ScriptInlet(channel))
        return Course(request=guarded(request, LOGIN_SHELL), inlet=GuardedShell(channel, request.pty.cols))
    ruling = settled or await gate.statement(request.data, access, shell=channel.shell)
    _allowed(ruling, channel)
    form = None if request.pty is None else guarded_form(ruling.facts)
    if form is None or request.pty is None:
        return Course(request=request, ruling=ruling, inlet=_inlet(request, ruling.facts, channel))
    inlet = GuardedShell(channel, request.pty.cols)
    return Course(request=guarded(request, form), ruling=ruling, inlet=inlet)


def _inlet(request: Request, facts: Facts, channel: Channel) -> Inlet | None:
    """Return what judges the input of a command that was allowed."""
    if request.pty is not None:
        return DataInlet(channel, "keys for a program that is not the guarded shell", terminal=True)
    if shell := shell_on_stdin(facts):
        return ScriptInlet(replace(channel, shell=shell))
    if any(map(_is_shell, facts.commands)):
        return DataInlet(channel, "a shell reads it, but not surely alone and from its beginning")
    if any(map(_serves_files, facts.commands)):
        return DataInlet(channel, "a server of files reads it, and its operations would not be judged")
    return None


def tap_of(request: Request, judge: Judge, inspection: Inspection | None = None) -> Tap | None:
    """Return what watches the files of a request, looks into them, and has each operation judged."""
    if (scp := request.scp) is not None:
        return ScpTap(scp, judge, inspection)
    if (stream := request.stream) is not None:
        return StreamTap(stream)
    return SftpTap(judge, inspection) if request.access is Access.SFTP else None


def takes_statements(request: Request) -> bool:
    """Say whether the input of a request holds statements, or keys, rather than what a program reads as data."""
    if request.kind != "exec" or request.pty is not None:
        return request.access is not Access.SFTP
    return bool(shell_on_stdin(quick(request.data)))


def still_free(request: Request, gate: Gate, policy_in_force: Callable[[], object]) -> Callable[[], bool]:
    """Return what says whether input that began unjudged may go on so: a reload may have brought rules for it."""
    seen = policy_in_force()

    def still() -> bool:
        nonlocal seen
        now = policy_in_force()
        if now is not seen:
            access = request.access
            if access is not None and gate.filters(access) and takes_statements(request):
                return False
            seen = now
        return True

    return still


def _is_shell(command: Command) -> bool:
    return Flag.READS_STDIN in command.flags and _name(command) in CLASSES["shells"]


def _serves_files(command: Command) -> bool:
    """Say whether a command is, or may be, a server of files in words that are not known to be just that."""
    words = [word.text for word in command.words[1:]]
    match _name(command):
        case "sftp-server" | "internal-sftp" | "git-receive-pack" | "git-upload-pack" | "git-upload-archive":
            return True
        case "scp":
            return any(re.fullmatch(r"-[a-zA-Z]*[tf][a-zA-Z]*", word) for word in words)
        case "rsync":
            return any(word in ("--server", "--daemon") for word in words)
        case "git" | "git-shell":
            return any(word in ("receive-pack", "upload-pack", "upload-archive") for word in words)
        case _:
            return False


def _name(command: Command) -> str:
    return command.program.text.rpartition("/")[2]


async def _raw(request: Request, channel: Channel) -> Course | None:
    """Return the course of a raw terminal, None where none is granted; raise StatementDenied.

    A rule grants one that names the access `raw`: one that speaks of any access does not.
    """
    rules = channel.gate.raw_rules()
    if request.kind != "exec":
        return Course(request=request, raw=True) if any(rules.values()) else None
    if not rules:
        return None
    ruling = await channel.gate.statement(request.data, Access.RAW, shell=channel.shell)
    if not rules.keys().isdisjoint(ruling.verdict.rules) and ruling.allowed:
        return Course(request=request, ruling=ruling, raw=True)
    if channel.access is Access.RAW:
        raise StatementDenied(ruling, channel.gate.session)
    return None


def _streamed(stream: StreamCommand, request: Request, channel: Channel) -> Ruling:
    facts = stream_facts(stream, request.data)
    return channel.gate.known(facts, channel.access, request.data)


def _allowed(ruling: Ruling, channel: Channel) -> Ruling:
    if channel.waits(ruling):
        raise StatementHeld(ruling)
    if not ruling.allowed:
        raise StatementDenied(ruling, channel.gate.session)
    return ruling
