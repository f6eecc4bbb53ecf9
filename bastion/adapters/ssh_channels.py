"""Be the two ends of a relay: the bot's channel (we are the server) and the target's (we are the client).

In      asyncssh's callbacks
Out     items in an inbox; writes that wait until there is room
Source  RFC 4254 sections 5 and 6
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

import asyncssh

from bastion.adapters.asyncssh_hooks import (
    ServerConnection,
    is_open,
    takes_requests,
    tell_output_unwanted,
)
from bastion.inbox import Closed, Data, Eof, Exited, Inbox, OutputUnwanted, Resize, Signal
from bastion.limits import MAXIMUM_ENVIRONMENT, MAXIMUM_ENVIRONMENT_BYTES
from bastion.requests import Pty, Request

EXIT_MESSAGE_CHARS = 1024
NAME_BYTES = 72  # of a variable, on record; those that cross are shorter
REASON_CHARS = 200
_ENVIRONMENT = re.compile(rb"LANG|TERM|(?:LC|BASTION)_[A-Za-z0-9_]{1,58}")
Handler = Callable[["BotChannel", Request], Awaitable[bool]]


class BotChannel(asyncssh.SSHServerSession[bytes]):
    """A session channel that a bot or a person has opened."""

    def __init__(
        self, connection: ServerConnection, handler: Handler, refused: Callable[[str], None]
    ) -> None:
        self.inbox = Inbox()
        self._connection = connection
        self._handler = handler
        self._refused = refused
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._pty: Pty | None = None
        self._environment: dict[str, str] = {}
        self._environment_refused: list[str] = []
        self._room = asyncio.Event()
        self._room.set()

    # What asyncssh calls.

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan
        self.inbox.pause = chan.pause_reading
        self.inbox.resume = chan.resume_reading

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        cols, rows, width_px, height_px = term_size
        self._pty = Pty(
            term=term_type,
            cols=cols,
            rows=rows,
            width_px=width_px,
            height_px=height_px,
            modes=dict(term_modes),
        )
        return True

    def environment_offered(self, name: bytes, value: bytes) -> None:
        text = name[:NAME_BYTES].decode("utf-8", "backslashreplace")
        allowed = _ENVIRONMENT.fullmatch(name) is not None
        fits = len(value) <= MAXIMUM_ENVIRONMENT_BYTES and len(self._environment) < MAXIMUM_ENVIRONMENT
        if allowed and fits and b"\0" not in value:
            self._environment[text] = value.decode("utf-8", "surrogateescape")
        elif len(self._environment_refused) < MAXIMUM_ENVIRONMENT:
            self._environment_refused.append(text)

    def forwarding_refused(self, what: str) -> None:
        self._refused(what)

    async def requested(self, kind: str, data: bytes) -> bool:
        request = Request(
            kind=kind,
            data=data,
            pty=self._pty,
            environment=self._environment,
            environment_refused=tuple(self._environment_refused),
        )
        return await self._handler(self, request)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self.inbox.put(Data(data))

    def eof_received(self) -> bool:
        self.inbox.put(Eof())
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        self.inbox.put(Resize(width, height, pixwidth, pixheight))

    def signal_received(self, signal: str) -> None:
        self.inbox.put(Signal(signal))

    def output_unwanted(self) -> None:
        self.inbox.put(OutputUnwanted())

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def client_closed(self) -> None:
        self.inbox.put(Closed(waits=True))

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        self._room.set()
        self.inbox.put(Closed())

    # What the relay calls.

    def send(self, data: bytes, *, error: bool = False) -> None:
        """Send to stdout or stderr; dropped once the bot is gone."""
        if is_open(self._channel) and self._channel is not None:
            self._channel.write(data, asyncssh.EXTENDED_DATA_STDERR if error else None)

    def has_room(self) -> bool:
        """Say whether `room` would not wait."""
        return not is_open(self._channel) or (self._room.is_set() and self._connection.has_room())

    async def room(self) -> None:
        """Wait until there is room for more, or the bot is gone."""
        if is_open(self._channel):
            await self._room.wait()
            await self._connection.room()

    async def write(self, data: bytes, *, error: bool = False) -> None:
        """Send to stdout or stderr, then wait until there is room for more."""
        self.send(data, error=error)
        await self.room()

    def write_eof(self) -> None:
        """Say that no more output follows."""
        if is_open(self._channel) and self._channel is not None:
            self._channel.write_eof()

    def exit(self, exited: Exited) -> None:
        """Send how the command ended, and close."""
        if self._channel is None:
            return
        if exited.signal is not None:
            self._channel.exit_with_signal(exited.signal, exited.core, exited.message, "")
        elif exited.status is not None:
            self._channel.exit(exited.status)
        else:
            self._channel.close()

    def close(self) -> None:
        """Close without a status: OpenSSH's client then ends with 255."""
        if self._channel is not None:
            self._channel.close()


class TargetChannel(asyncssh.SSHClientSession[bytes]):
    """A session channel that the bastion has opened on a target."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.lost = ""
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._exited: Exited | None = None
        self._room = asyncio.Event()
        self._room.set()

    # What asyncssh calls.

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        self.inbox.pause = chan.pause_reading
        self.inbox.resume = chan.resume_reading

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self.inbox.put(Data(data, error=datatype == asyncssh.EXTENDED_DATA_STDERR))

    def eof_received(self) -> bool:
        self.inbox.put(Eof())
        return True

    def exit_status_received(self, status: int) -> None:
        self._exited = Exited(status=status)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._exited = Exited(signal=signal[:64], core=core_dumped, message=msg[:EXIT_MESSAGE_CHARS])

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        # The status can arrive before output that a full inbox still holds back: it is told last.
        self._channel = None
        if isinstance(exc, asyncssh.DisconnectError) and not isinstance(exc, asyncssh.ConnectionLost):
            self.lost = "".join(char if char.isprintable() else "?" for char in exc.reason[:REASON_CHARS])
        self._room.set()
        if self._exited is not None:
            self.inbox.put(self._exited)
        self.inbox.put(Closed())

    # What the relay calls.

    def send(self, data: bytes) -> None:
        """Send to stdin; dropped once the command is gone."""
        if is_open(self._channel) and self._channel is not None:
            self._channel.write(data)

    def has_room(self) -> bool:
        """Say whether `room` would not wait."""
        return self._room.is_set()

    async def room(self) -> None:
        """Wait until there is room for more, or the command is gone."""
        await self._room.wait()

    def write_eof(self) -> None:
        """Say that no more input follows."""
        if is_open(self._channel) and self._channel is not None:
            self._channel.write_eof()

    def resize(self, size: Resize) -> None:
        """Pass on the bot's new terminal size."""
        if takes_requests(self._channel) and self._channel is not None:
            self._channel.change_terminal_size(size.cols, size.rows, size.width_px, size.height_px)

    def signal(self, name: str) -> None:
        """Pass on a signal."""
        if takes_requests(self._channel) and self._channel is not None:
            self._channel.send_signal(name)

    def stop_output(self) -> None:
        """Say that nobody reads the output any more: the command's next write fails, as in a broken pipe."""
        if takes_requests(self._channel):
            tell_output_unwanted(self._channel)

    def close(self) -> None:
        """Close once all is sent; the target closes in turn when the command has ended."""
        if self._channel is not None:
            self._channel.close()

    def abort(self) -> None:
        """Close at once: sshd then ends the command as if its client had vanished."""
        if self._channel is not None:
            self._channel.abort()
