"""Carry lines between the screen and the bastion.

In      a connected socket
Out     what the bastion tells, one object for each line
Holds   LINE_BYTES of a line: a hold with all that is shown of it
Errors  none: a connection that breaks, or on which nonsense comes, has ended
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Any

LINE_BYTES = 1024 * 1024


class Link:
    """The connection of one screen."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, sock: socket.socket) -> Link:
        """Begin to read and write on a socket."""
        sock.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=sock, limit=LINE_BYTES))

    def say(self, messages: Iterable[dict[str, Any]]) -> None:
        """Tell the bastion; it reads all the time, so nothing piles up."""
        for message in messages:
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def told(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what the bastion tells until it hangs up."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            while line := await self._reader.readline():
                said = json.loads(line)
                if not isinstance(said, dict):
                    return
                yield said

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
