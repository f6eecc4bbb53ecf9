"""Serve the running bastion's own commands over a unix socket to the users of this machine.

The system says whose a connection is; the configuration says which person that is. An unmapped user can do nothing,
root included.

In      one JSON object on a line: {"words": [...]}, with "terminal": true from who can show a live screen
Out     JSON lines: {"out": text}, {"err": text}, and at the end {"exit": status}; for a live screen those of live.py
Holds   CONNECTIONS at once; REQUEST_BYTES of a request
Errors  ServeError: the socket cannot be made
Source  unix(7): SO_PEERCRED
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import pwd
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path

from bastion.errors import ServeError
from bastion.holds.callers import Caller
from bastion.served import Live, Tree
from bastion.tasks import Tasks
from recorder.terminal import plain

log = logging.getLogger("bastion.holds")

CONNECTIONS = 64
REQUEST_BYTES = 16 * 1024
REQUEST_S = 10.0
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class LocalDoor:
    """The socket, while it is open."""

    def __init__(self, path: Path, tree: Tree, refusal: Callable[[Caller], str] = lambda _caller: "") -> None:
        """Serve these commands; `refusal` says of a caller why they are served none, or nothing."""
        self._refusal = refusal
        self._path = path
        self._tree = tree
        self._tasks = Tasks()
        self._open = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Make the socket and answer on it; raise ServeError."""
        try:
            self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if self._path.exists() and stat.S_ISSOCK(self._path.stat().st_mode):
                self._path.unlink()  # of a bastion that was killed: only one serves this data folder at a time
            self._server = await asyncio.start_unix_server(self._accept, self._path, limit=REQUEST_BYTES)
            self._path.chmod(0o666)  # who connects is told apart by their uid
        except OSError as error:
            raise ServeError(f"{self._path}: cannot be a socket: {error.strerror or error}") from error

    async def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(OSError):
                self._path.unlink()
        await self._tasks.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= CONNECTIONS:
            writer.close()
            return
        self._open += 1
        try:
            await self._serve(reader, writer)
        except (OSError, ValueError) as error:
            log.warning("a local connection for approvals broke: %s", error)
        finally:
            self._open -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = _peer_uid(writer.get_extra_info("socket"))
        try:
            async with asyncio.timeout(REQUEST_S):
                line = await reader.readline()
            asked = json.loads(line)
            words, terminal = asked["words"], asked.get("terminal") is True
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise TypeError
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, TimeoutError):
            return  # nobody who uses `bastion` sends that
        screen = _Screen(reader, writer, terminal=terminal)
        screen.watch(self._tasks)
        caller = Caller(how=f"{_user(uid)} (uid {uid}) on the bastion itself", uid=uid)
        if refusal := self._refusal(caller):
            await screen.write(f"bastion: {plain(refusal)}\n", error=True)
            await screen.send({"exit": 126})
            return
        status = await self._tree.serve(caller, words, screen)
        if not screen.drawn:
            await screen.send({"exit": status})


class _Screen:
    """The far end of a connection, which may draw a live screen there."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, terminal: bool) -> None:
        self.gone = asyncio.Event()
        self.reader = reader
        self.writer = writer
        self.drawn = False
        self._terminal = terminal
        self._watching: asyncio.Task[None] | None = None

    async def write(self, text: str, *, error: bool = False) -> None:
        await self.send({"err" if error else "out": text})

    async def send(self, message: dict[str, object]) -> None:
        self.writer.write(json.dumps(message).encode() + b"\n")
        await self.writer.drain()

    async def live(self) -> Live | None:
        if not self._terminal:
            return None
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        self.drawn = True
        return self

    async def end(self) -> int:
        return 0

    def watch(self, tasks: Tasks) -> None:
        """Notice when the other side leaves."""
        self._watching = tasks.start(self._watch(), "watch")

    async def _watch(self) -> None:
        """Read what the other side still sends, which means nothing."""
        with contextlib.suppress(OSError):
            while await self.reader.read(REQUEST_BYTES):
                pass
        self.gone.set()


def _peer_uid(sock: socket.socket) -> int:
    sent = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(sent)[1]
    return uid


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "unknown"
