"""Serve control commands over SSH: the same command tree as on the bastion itself, for responders.

A command runs in a process of its own, so that reading evidence, however much, never holds up the event loop
(law L11), and ends when its client goes. Its words are split by POSIX quoting and never seen by a shell. The
process records the read (law L9) under the name that the certificate proved.

In      a channel, a principal, the command line
Out     the command's output and exit status
Holds   PROCESSES commands at once; one pipe buffer each way
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shlex
import sys

from bastion.environment import child_environment
from bastion.inbox import Closed, Data, Eof, Exited
from bastion.principal import Principal
from bastion.relay import BotEnd
from bastion.requests import Request
from bastion.settings import Config

log = logging.getLogger("bastion.control")

COMMANDS = ("sessions", "show", "replay", "export", "verify")
PROCESSES = 4
PIECE_BYTES = 64 * 1024
COMMAND_BYTES = 8 * 1024


class Control:
    """The people's door."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(PROCESSES)

    async def serve(self, bot: BotEnd, principal: Principal, request: Request, config: Config) -> None:
        """Run one command for a responder, or say why not."""
        refusal = _refusal(principal, request, config)
        words: list[str] = []
        if refusal is None:
            try:
                words = shlex.split(request.data.decode("utf-8"))
            except ValueError as error:
                refusal = f"the command cannot be read: {error}"
        if refusal is None and (not words or words[0] not in (*COMMANDS, "--help")):
            refusal = f"no such command; there are: {', '.join(COMMANDS)} (each knows --help)"
        if refusal is not None:
            log.warning("identity=%s control refused: %s", principal.name, refusal)
            await bot.write(f"bastion: {refusal}\r\n".encode(), error=True)
            bot.exit(Exited(status=126))
            return
        async with self._free:
            await _run(bot, principal, request, config, words)


def _refusal(principal: Principal, request: Request, config: Config) -> str | None:
    if request.kind != "exec":
        return (
            "the bastion itself has no shell; use ssh -J BASTION LOGIN@TARGET,"
            " or ssh -s BASTION shell:LOGIN@TARGET, or a control command such as: ssh BASTION sessions"
        )
    if len(request.data) > COMMAND_BYTES:
        return f"the command is longer than {COMMAND_BYTES} bytes"
    if not principal.groups & config.bastion.responders:
        groups = ", ".join(sorted(config.bastion.responders)) or "none"
        return f"{principal.name} may not read evidence: that takes a group among {groups}"
    return None


async def _run(bot: BotEnd, principal: Principal, request: Request, config: Config, words: list[str]) -> None:
    pty = request.pty
    extra = {"COLUMNS": str(pty.cols), "LINES": str(pty.rows), "TERM": pty.term} if pty else {}
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
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(_feed(bot, process))
            out = group.create_task(_drain(process.stdout, bot, error=False, pty=pty is not None))
            err = group.create_task(_drain(process.stderr, bot, error=True, pty=pty is not None))
            await asyncio.wait([out, err])
            reader.cancel()
        status = await process.wait()
        bot.exit(Exited(status=status if status >= 0 else 255))
    finally:
        if process.returncode is None:
            process.kill()


async def _feed(bot: BotEnd, process: asyncio.subprocess.Process) -> None:
    """Pass keys on to the command; end it when the client is gone."""
    stdin = process.stdin
    assert stdin is not None  # noqa: S101 - asked for above
    while True:
        for item in await bot.inbox.take():
            match item:
                case Data() if not stdin.is_closing():
                    stdin.write(item.data)
                case Eof():
                    stdin.close()
                case Closed():
                    if process.returncode is None:
                        process.kill()
                    return
                case _:
                    pass
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await stdin.drain()  # a command that reads no more may still print what is wanted


async def _drain(stream: asyncio.StreamReader | None, bot: BotEnd, *, error: bool, pty: bool) -> None:
    assert stream is not None  # noqa: S101 - asked for above
    while data := await stream.read(PIECE_BYTES):
        if pty:  # the client's terminal is raw: a line feed alone does not return the carriage
            data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        await bot.write(data, error=error)
