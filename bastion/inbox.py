"""Hold what has arrived on a channel until the relay takes it, and make the sender wait when that is much.

In      items, in order of arrival
Out     all that has arrived since the last take, in order
Holds   INBOX_BYTES before the sender is paused, plus one window of the channel; the paused channel holds another
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

INBOX_BYTES = 512 * 1024
ITEM_BYTES = 64  # what an item weighs beside its data


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes; `error` says that they belong to the stderr stream."""

    data: bytes
    error: bool = False


@dataclass(frozen=True, slots=True)
class Eof:
    """The sender will send no more."""


@dataclass(frozen=True, slots=True)
class Resize:
    """The bot's terminal has another size: columns, rows, and both in pixels."""

    cols: int
    rows: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Signal:
    """The bot sends a signal, by its name without SIG (RFC 4254 section 6.9)."""

    name: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing more came of a stream for a while: input, output or error."""

    stream: str


@dataclass(frozen=True, slots=True)
class OutputUnwanted:
    """The bot's reader has gone (`… | head -1`): what the command still prints goes nowhere."""


@dataclass(frozen=True, slots=True)
class Exited:
    """The command ended: with a status, or by a signal (RFC 4254 section 6.10)."""

    status: int | None = None
    signal: str | None = None
    core: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """The channel is gone; nothing follows. If `waits`, its owner still waits to hear how the command ended."""

    waits: bool = False


Item = Data | Eof | Quiet | Resize | Signal | OutputUnwanted | Exited | Closed
Straight = Callable[[Data], bool]


class Inbox:
    """A queue of items with one reader."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._bytes = 0
        self._paused = False
        self._arrived = asyncio.Event()
        self._straight: Straight | None = None
        self.closed = asyncio.Event()
        self.noticed: Callable[[Item], None] | None = None  # hears of items while nobody takes them
        self.pause: Callable[[], None] = lambda: None
        self.resume: Callable[[], None] = lambda: None

    def put(self, item: Item) -> None:
        """Add an item; past INBOX_BYTES the sender is paused, and what cannot be paused is let go of.

        That is: of terminal sizes that follow each other the last is kept, and further signals are dropped.
        """
        if self._straight is not None and not self._items and isinstance(item, Data) and self._straight(item):
            return
        if isinstance(item, Resize) and self._items and isinstance(self._items[-1], Resize):
            self._items[-1] = item
            return
        if isinstance(item, Signal | Resize | OutputUnwanted) and self._bytes >= 2 * INBOX_BYTES:
            return
        self._items.append(item)
        self._bytes += ITEM_BYTES + (len(item.data) if isinstance(item, Data) else 0)
        if self._bytes >= INBOX_BYTES and not self._paused:
            self._paused = True
            self.pause()
        if isinstance(item, Closed):
            self.closed.set()
        if self.noticed is not None:
            self.noticed(item)
        self._arrived.set()

    async def take(self, straight: Straight | None = None) -> list[Item]:
        """Wait for items and return all there are.

        Data that comes while it waits is shown to `straight` first: if that takes it, the wait goes on.
        """
        if not self._arrived.is_set():
            self._straight = straight
            try:
                await self._arrived.wait()
            finally:
                self._straight = None
        self._arrived.clear()
        items, self._items, self._bytes = self._items, [], 0
        if self._paused:
            # The channel hands over all that it holds before anything pauses it again: asyncssh opens its window
            # whenever it delivers, for what it still holds as well, so that a pause half-way would let that grow.
            self.resume()
            self._paused = self._bytes >= INBOX_BYTES
            if self._paused:
                self.pause()
        return items


async def all_closed(inboxes: Iterable[Inbox], patience_s: float) -> None:
    """Wait a little until each has closed in turn: OpenSSH does so once it has shown what came on its channel.

    A disconnect that reaches it before that makes it exit at once, and what it was told is never seen.
    """
    try:
        async with asyncio.timeout(patience_s):
            for inbox in inboxes:
                await inbox.closed.wait()
    except TimeoutError:
        pass
