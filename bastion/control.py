"""Serve control commands over SSH: the same command tree as on the bastion itself, for responders.

A command runs in a process of its own, so that reading evidence, however much, never holds up the event loop
(law L11), and ends when its client goes. Its words are split by POSIX quoting and never seen by a shell. The
process records the read (law L9) under the name that the certificate proved.

In      a channel, a principal, the command line
Out     the command's output and exit status
Holds   PROCESSES commands at once, PROCESSES_EACH of one person; one pipe buffer each way; of those about approvals,
        locks and requests, which are served by the bastion itself, as many as are named for each
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter

from bastion.ends import BotEnd
from bastion.environment import child_environment
from bastion.holds.callers import Caller
from bastion.inbox import Closed, Data, Eof, Exited
from bastion.locks.commands import COMMANDS as LOCKING
from bastion.principal import Principal
from bastion.requesting import COMMAND as REQUEST
from bastion.requesting import RequestDesk, words_of
from bastion.requests import Request
from bastion.screening import FarEnd
from bastion.served import Tree
from bastion.settings import Config
from bastion.tasks import Tasks

log = logging.getLogger("bastion.control")

COMMANDS = ("sessions", "show", "exposure", "replay", "export", "verify")
APPROVERS, APPROVERS_EACH = 200, 10  # of one person
LOCKERS, LOCKERS_EACH = 40, 4  # have room of their own, however many follow approvals
ASKING, ASKING_EACH = 400, 32  # of one run
HISTORY = "--history"
PROCESSES = 8
PROCESSES_EACH = 3  # of one person, so that nobody's paused replays keep others out
BUSY_S = 5.0
COMMAND_S = 3600.0  # a replay left paused holds old pages of the database back
PENDING_BYTES = 64 * 1024
PIECE_BYTES = 64 * 1024
COMMAND_BYTES = 8 * 1024


class _Room:
    """How many may be at something at once, in all and of one name."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._inside: Counter[str] = Counter()

    def enter(self, name: str) -> bool:
        if self._inside[name] >= self._each or self._inside.total() >= self._most:
            return False
        self._inside[name] += 1
        return True

    def leave(self, name: str) -> None:
        self._inside[name] -= 1
        if not self._inside[name]:
            del self._inside[name]


class Control:
    """The people's door."""

    def __init__(self, tree: Tree, requests: RequestDesk) -> None:
        self._tree = tree
        self._requests = requests
        self._approvers = _Room(APPROVERS, APPROVERS_EACH)
        self._lockers = _Room(LOCKERS, LOCKERS_EACH)
        self._asking = _Room(ASKING, ASKING_EACH)
        self._free = asyncio.Semaphore(PROCESSES)
        self._running: Counter[str] = Counter()

    async def serve(self, bot: BotEnd, principal: Principal, request: Request, config: Config) -> None:
        """Run one command for a responder, or say why not."""
        refusal = _unreadable(request)
        words: list[str] = []
        unread = ""
        if refusal is None:
            try:
                words = words_of(request.data.decode("utf-8"))
            except ValueError as error:
                unread = f"the command cannot be read: {error}"
        past = words[:1] == ["approvals"] and HISTORY in words  # evidence, and read like all of it
        if words and words[0] in (REQUEST, *self._tree.commands) and not past and refusal is None:
            await self._serve_here(bot, principal, request, config, words)
            return
        refusal = refusal or _not_responder(principal, config) or unread or None
        if refusal is None and not past and (not words or words[0] not in (*COMMANDS, "--help")):
            known = ", ".join((*COMMANDS, *self._tree.commands, REQUEST))
            refusal = f"no such command; there are: {known} (each knows --help)"
        if refusal is not None:
            log.warning("identity=%s control refused: %s", principal.name, refusal)
            await _say(bot, refusal)
            return
        if self._running[principal.name] >= PROCESSES_EACH:
            await _say(bot, f"{principal.name} has {PROCESSES_EACH} commands running already; end one first")
            return
        self._running[principal.name] += 1
        try:
            async with asyncio.timeout(BUSY_S):
                await self._free.acquire()
        except TimeoutError:
            await _say(bot, "too many people read evidence at the moment; try again in a while")
        else:
            try:
                await _run(bot, principal, request, config, words)
            finally:
                self._free.release()
        finally:
            self._running[principal.name] -= 1
            if not self._running[principal.name]:
                del self._running[principal.name]

    async def _serve_here(
        self, bot: BotEnd, principal: Principal, request: Request, config: Config, words: list[str]
    ) -> None:
        """Serve a command in this process, which knows what waits and is locked; there may be many followers."""
        room, name = self._approvers, principal.name
        if words[0] == REQUEST:
            room, name = self._asking, principal.login.key_id
        elif words[0] in LOCKING:
            room = self._lockers
        if not room.enter(name):
            await _say(bot, f"too many are at this at the moment, or of {name}; end one first")
            return
        caller = Caller(
            how=f"{principal.name} over SSH from {principal.peer}",
            identity=principal.name,
            groups=tuple(sorted(principal.groups)),
            reads=bool(principal.groups & config.bastion.responders),
        )
        screen, tasks = FarEnd(bot, principal.name, request.pty), Tasks()
        tasks.start(screen.watch(), "watch")
        try:
            async with asyncio.timeout(COMMAND_S):
                if words[0] == REQUEST:
                    status = await self._requests.serve(principal, words, screen)
                else:
                    status = await self._tree.serve(caller, words, screen)
            bot.exit(Exited(status=status))
        except TimeoutError:
            await _say(bot, f"the command was ended after {COMMAND_S:.0f} s", status=255)
        finally:
            room.leave(name)
            await tasks.cancel()


def _unreadable(request: Request) -> str | None:
    """Say why what was sent is no command."""
    if request.kind != "exec":
        return (
            "the bastion itself has no shell; use ssh -J BASTION LOGIN@TARGET,"
            " or ssh -s BASTION shell:LOGIN@TARGET, or a control command such as: ssh BASTION sessions"
        )
    if b"\0" in request.data:
        return "the command has a NUL byte in it"
    if len(request.data) > COMMAND_BYTES:
        return f"the command is longer than {COMMAND_BYTES} bytes"
    return None


def _not_responder(principal: Principal, config: Config) -> str | None:
    """Say why the principal may not read evidence."""
    if principal.groups & config.bastion.responders:
        return None
    groups = ", ".join(sorted(config.bastion.responders)) or "none"
    return f"{principal.name} may not read evidence: that takes a group among {groups}"


async def _run(bot: BotEnd, principal: Principal, request: Request, config: Config, words: list[str]) -> None:
    pty = request.pty
    extra = {"COLUMNS": str(pty.cols), "LINES": str(pty.rows)} if pty else {}
    door = ["--door", f"{principal.name} over SSH from {principal.peer}"]
    if pty is not None:
        door.append("--terminal")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "bastion",
        *door,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=child_environment(BASTION_CONFIG=str(config.source), **extra),
    )
    try:
        async with asyncio.timeout(COMMAND_S), asyncio.TaskGroup() as group:
            reader = group.create_task(_feed(bot, process))
            out = group.create_task(_drain(process.stdout, bot, error=False, pty=pty is not None))
            err = group.create_task(_drain(process.stderr, bot, error=True, pty=pty is not None))
            await asyncio.wait([out, err])
            reader.cancel()
        status = await process.wait()
        bot.exit(Exited(status=status if status >= 0 else 255))
    except TimeoutError:
        await _say(bot, f"the command was ended after {COMMAND_S:.0f} s", status=255)
    finally:
        if process.returncode is None:
            process.kill()


async def _say(bot: BotEnd, text: str, *, status: int = 126) -> None:
    await bot.write(f"bastion: {text}\r\n".encode(), error=True)
    bot.exit(Exited(status=status))


async def _feed(bot: BotEnd, process: asyncio.subprocess.Process) -> None:
    """Pass keys on to the command; end it when the client is gone."""
    stdin = process.stdin
    assert stdin is not None  # noqa: S101 - asked for above
    while True:
        for item in await bot.inbox.take():
            match item:
                case Data() if not stdin.is_closing():
                    # Keys that the command does not read are let go of: nothing waits here, so that the
                    # client's leaving is always seen.
                    if stdin.transport.get_write_buffer_size() < PENDING_BYTES:
                        stdin.write(item.data)
                case Eof():
                    stdin.close()
                case Closed():
                    if process.returncode is None:
                        process.kill()
                    return
                case _:
                    pass


async def _drain(stream: asyncio.StreamReader | None, bot: BotEnd, *, error: bool, pty: bool) -> None:
    assert stream is not None  # noqa: S101 - asked for above
    while data := await stream.read(PIECE_BYTES):
        if pty:  # the client's terminal is raw: a line feed alone does not return the carriage
            data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        await bot.write(data, error=error)
