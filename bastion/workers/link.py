"""Carry messages and open files between the supervisor and one worker.

A message is in the system's hands once `sent` returns: what a process had sent before it died still arrives, and
then the end does.

In      messages: small objects, JSON; with each at most one open file
Out     messages in the order of sending; `lost` once, when the other side is gone
Holds   messages that the other side has no room for yet; READ_AT_ONCE messages are read in one step
Errors  OSError never: a link that breaks is lost
Source  unix(7) SOCK_SEQPACKET, SCM_RIGHTS
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]
Heard = Callable[[Message, int | None], None]

MESSAGE_BYTES = 128 * 1024
READ_AT_ONCE = 64
FILE_BYTES = socket.CMSG_LEN(4)  # of one open file's number


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new link."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Link:
    """One end."""

    def __init__(self, sock: socket.socket, heard: Heard, lost: Callable[[], None]) -> None:
        """Begin to hear; an open file that comes with a message belongs to `heard`."""
        sock.setblocking(False)
        self._sock = sock
        self._heard = heard
        self._lost = lost
        self._waiting: deque[tuple[bytes, int | None]] = deque()
        self._sent = asyncio.Event()
        self._sent.set()
        self._open = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._read)

    @property
    def waiting(self) -> int:
        """How many messages the other side has no room for yet."""
        return len(self._waiting)

    def send(self, message: Message, file: int | None = None) -> None:
        """Send a message; an open file with it is closed here."""
        if not self._open:
            _close(file)
            return
        self._waiting.append((json.dumps(message, separators=(",", ":")).encode(), file))
        if len(self._waiting) == 1:
            self._write()
            if self._waiting:
                self._sent.clear()
                self._loop.add_writer(self._sock, self._write_more)

    async def sent(self) -> None:
        """Wait until all that was sent would arrive even if this process died now; or the link is lost."""
        await self._sent.wait()

    def close(self) -> None:
        """Hear and send no more."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        while self._waiting:
            _close(self._waiting.popleft()[1])
        self._sent.set()

    def read_all(self) -> None:
        """Hear what a process that is dead had still sent."""
        while self._open:
            self._read()

    def _read(self) -> None:
        for _ in range(READ_AT_ONCE):
            if not self._open:
                return
            try:
                # not socket.recv_fds, which forgets its flags: programs would inherit the file
                data, attached, _flags, _from = self._sock.recvmsg(
                    MESSAGE_BYTES, FILE_BYTES, socket.MSG_CMSG_CLOEXEC
                )
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data, attached = b"", []
            if not data:
                self._break()
                return
            files = [int.from_bytes(sent, sys.byteorder) for _level, _type, sent in attached if sent]
            self._heard(json.loads(data), files[0] if files else None)

    def _write(self) -> None:
        while self._waiting:
            data, file = self._waiting[0]
            try:
                if file is None:
                    self._sock.send(data)
                else:
                    socket.send_fds(self._sock, [data], [file])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # the reader learns of it, when it has heard what was sent before
                pass
            self._waiting.popleft()
            _close(file)

    def _write_more(self) -> None:
        self._write()
        if not self._waiting:
            self._loop.remove_writer(self._sock)
            self._sent.set()

    def _break(self) -> None:
        self.close()
        self._lost()


def _close(file: int | None) -> None:
    if file is not None:
        with contextlib.suppress(OSError):
            os.close(file)
