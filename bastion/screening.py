"""Serve the far end of a command that the bastion serves by itself: lines, or a live screen.

A live screen is drawn by a process of its own in a pseudo-terminal of its own, so that many of them never hold up the
event loop (law L11): here bytes are passed on, and nothing is rendered.

In      a channel with or without a terminal
Out     text; the bytes that the process draws; keys and sizes to it
Holds   SCREENS processes at once, SCREENS_EACH of one person; PIECE_BYTES each way
Errors  NotAllowed: there are too many already
Source  docs/adr/0015-a-process-draws-each-live-screen.md; pty(7), ioctl_tty(2)
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import re
import socket
import struct
import sys
import termios
from collections import Counter
from typing import Any

from bastion.ends import BotEnd
from bastion.environment import child_environment
from bastion.inbox import Closed, Data, Eof, Item, Resize, Signal
from bastion.requests import Pty
from bastion.served import Live, NotAllowed
from bastion.tasks import Tasks

SCREENS = 64
SCREENS_EACH = 3
PIECE_BYTES = 16 * 1024
LINE_BYTES = 16 * 1024  # of what the process says
END_S = 2.0  # for the process to put the terminal back
MAX_COLS, MAX_ROWS = 400, 200
KEYS_OF_LEAVING = frozenset({3, 4})  # Ctrl-C and Ctrl-D, where no live screen takes them
_TERM = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,63}")
_open: Counter[str] = Counter()  # live screens, by who has them


class FarEnd:
    """The far end of one command."""

    def __init__(self, bot: BotEnd, who: str, pty: Pty | None) -> None:
        self.gone = asyncio.Event()
        self._bot = bot
        self._who = who
        self._pty = pty
        self._live: ScreenProcess | None = None

    async def write(self, text: str, *, error: bool = False) -> None:
        data = text.encode()
        raw = self._pty is not None or error
        await self._bot.write(data.replace(b"\n", b"\r\n") if raw else data, error=error)

    async def live(self) -> Live | None:
        if self._pty is None:
            return None
        if _open[self._who] >= SCREENS_EACH or _open.total() >= SCREENS:
            raise NotAllowed(
                "too many live screens are open; close one, or list what waits without a terminal"
                " (ssh BASTION approvals, without -t)"
            )
        _open[self._who] += 1
        try:
            self._live = await ScreenProcess.start(self._bot, self._who, self._pty, self.gone)
        except OSError:
            _closed(self._who)
            raise
        return self._live

    async def watch(self) -> None:
        """Pass keys and sizes on to a live screen; notice that the person has left, for good or by a key."""
        while True:
            for item in await self._bot.inbox.take():
                if isinstance(item, Closed | Signal):
                    self.gone.set()
                if self._live is not None:
                    self._live.take(item)
                elif isinstance(item, Data) and self._pty is not None and KEYS_OF_LEAVING & set(item.data):
                    self.gone.set()


class ScreenProcess:
    """The process that draws one live screen."""

    def __init__(
        self,
        who: str,
        terminal: int,
        process: asyncio.subprocess.Process,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        gone: asyncio.Event,
    ) -> None:
        self.gone = gone
        self.reader, self.writer = streams
        self._who = who
        self._terminal = terminal
        self._process = process
        self._tasks = Tasks()
        self._drawn: asyncio.Task[Any] | None = None

    @classmethod
    async def start(cls, bot: BotEnd, who: str, pty: Pty, gone: asyncio.Event) -> ScreenProcess:
        """Start the process; raise OSError."""
        ours, theirs = socket.socketpair()
        terminal, inner = os.openpty()
        try:
            _set_size(terminal, pty.cols, pty.rows)
            _no_echo(inner)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "bastion.approval_screen", str(theirs.fileno())),
                stdin=inner,
                stdout=inner,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=child_environment(TERM=pty.term if _TERM.fullmatch(pty.term) else "xterm"),
            )
        except OSError:
            ours.close()
            os.close(terminal)
            raise
        finally:
            theirs.close()
            os.close(inner)
        ours.setblocking(False)
        os.set_blocking(terminal, False)
        streams = await asyncio.open_unix_connection(sock=ours, limit=LINE_BYTES)
        made = cls(who, terminal, process, streams, gone)
        made._drawn = made._tasks.start(made._draw(bot), "draw a live screen", awaited=True)
        made._tasks.start(made._leave(), "leave a live screen")
        return made

    def take(self, item: Item) -> None:
        """Pass a key or a size on; keys that find no room are let go of."""
        match item:
            case Data():
                with contextlib.suppress(OSError):
                    os.write(self._terminal, item.data[:PIECE_BYTES])
            case Resize():
                with contextlib.suppress(OSError):
                    _set_size(self._terminal, item.cols, item.rows)
            case Eof():
                self.gone.set()
            case _:
                pass

    async def end(self) -> int:
        """Have the process put the terminal back and end; return its exit status."""
        self.writer.close()  # by which it knows
        try:
            async with asyncio.timeout(END_S):
                status = await self._process.wait()
                if self._drawn is not None:
                    await asyncio.wait([self._drawn])
        except TimeoutError:
            status = 255
        finally:
            if self._process.returncode is None:
                self._process.kill()
            await self._tasks.cancel()
            os.close(self._terminal)
            _closed(self._who)
        return status if status >= 0 else 255

    async def _leave(self) -> None:
        await self.gone.wait()
        self.writer.close()

    async def _draw(self, bot: BotEnd) -> None:
        """Pass on what is drawn, as fast as the person's terminal takes it."""
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._terminal, readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                try:
                    data = os.read(self._terminal, PIECE_BYTES)
                except BlockingIOError:
                    continue
                except OSError as error:
                    if error.errno == errno.EIO:  # nobody holds the other side any more
                        return
                    raise
                loop.remove_reader(self._terminal)
                await bot.write(data)
                loop.add_reader(self._terminal, readable.set)
        finally:
            loop.remove_reader(self._terminal)


def _closed(who: str) -> None:
    _open[who] -= 1
    if not _open[who]:
        del _open[who]


def _set_size(terminal: int, cols: int, rows: int) -> None:
    cols, rows = min(max(cols, 1), MAX_COLS), min(max(rows, 1), MAX_ROWS)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def _no_echo(terminal: int) -> None:
    """Keep keys that come before the process has begun from showing, and from meaning anything to the kernel."""
    modes = termios.tcgetattr(terminal)
    modes[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG)
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
