"""Pass what both sides of a file transfer say through its tap, each call recorded before what it lets go goes on.

In      bytes of either side, in the order in which they came
Out     what the tap makes of them: to the other side, and to the one that waits for an answer
Holds   nothing of its own: see the tap
Errors  TransferError, after what it had found by then is on record; LimitExceeded, RecorderError
Source  docs/security.md, law L1
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from bastion.ends import BotEnd, TargetEnd
from bastion.inbox import Data, Inbox
from bastion.masking import ChannelMask
from bastion.metering import ChannelMeter
from bastion.transfer import Side, Tap, Tapped, TransferError
from bastion.transfer.look import fetched
from recorder.errors import RecorderError
from recorder.events import Event
from recorder.recording import Recording

LOOKED_INTO_BYTES = 256 * 1024  # are handed to a tap at once that looks into files


class Append(Protocol):
    """Record events, and how many bytes they let pass; `release` what goes on by them as they land."""

    async def __call__(
        self,
        events: Sequence[Event],
        *,
        bytes_in: int = 0,
        bytes_out: int = 0,
        release: Callable[[], None] | None = None,
    ) -> None: ...


class Tapping:
    """The tap of one channel between its two ends."""

    def __init__(
        self,
        tap: Tap,
        *,
        bot: BotEnd,
        target: TargetEnd,
        recording: Recording,
        channel: int,
        append: Append,
        meter: ChannelMeter | None = None,
        mask: ChannelMask | None = None,
    ) -> None:
        self._tap = tap
        self._bot = bot
        self._target = target
        self._recording = recording
        self._channel = channel
        self._append = append
        self._meter = meter
        self._mask = mask
        self._spoke = asyncio.Event()
        self._order = asyncio.Lock()
        self._calls: set[asyncio.Future[Tapped]] = set()  # that a thread is at work in

    async def take(self, side: Side, data: bytes) -> None:
        """Record what the bytes of one side mean, then let them go (and what they release of the other's)."""
        size = LOOKED_INTO_BYTES if self._tap.looks else max(1, len(data))
        call = self._tap.client if side == "client" else self._tap.target
        for at in range(0, max(1, len(data)), size):
            tapped = await self._through(side, partial(call, data[at : at + size]))
            while tapped.wait is not None or tapped.more:
                if tapped.wait is not None:
                    judged = await tapped.wait()
                    tapped = await self._through(side, partial(self._tap.answered, side, judged))
                else:
                    await self.unstalled(side)
                    if self._inbox(side).closed.is_set():
                        return
                    tapped = await self._through(side, partial(call, b""))
        self._spoke.set()

    async def _through(self, side: Side, call: Callable[[], Tapped]) -> Tapped:
        """Have the tap deal with something, and let go of what it lets go."""
        if not self._tap.crosses:
            tapped = await self._tapped(call)
            await self._let_go(side, tapped)
        else:
            async with self._order:
                tapped = await self._tapped(call)
                await self._let_go(side, tapped)
        # With nothing for it a side that is full must not hold back what comes from it.
        if tapped.forward if side == "target" else tapped.release or tapped.told:
            await self._bot.room()
        if tapped.forward if side == "client" else tapped.release:
            await self._target.room()
        return tapped

    async def unstalled(self, side: Side) -> None:
        """Wait while the tap holds this side's bytes for an answer of the other, but not for a side that is gone."""
        inbox = self._inbox(side)
        while self._tap.stalled == side and not inbox.closed.is_set():
            self._spoke.clear()
            spoke = asyncio.ensure_future(self._spoke.wait())  # noqa: TID251 - both end right here
            closed = asyncio.ensure_future(inbox.closed.wait())  # noqa: TID251
            try:
                await asyncio.wait([spoke, closed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                spoke.cancel()
                closed.cancel()

    async def finish(self) -> None:
        """Record the files that were still open; a recorder that fails is told by what failed first."""
        if self._calls:
            await asyncio.wait(self._calls)
        with contextlib.suppress(RecorderError):
            await self._recording.append(await self._events(await self._called(self._tap.finish)))

    def _inbox(self, side: Side) -> Inbox:
        return self._bot.inbox if side == "client" else self._target.inbox

    async def _tapped(self, call: Callable[[], Tapped]) -> Tapped:
        try:
            return await self._called(call)
        except TransferError as error:
            await self._append(await self._events(error.tapped))
            raise

    async def _called(self, call: Callable[[], Tapped]) -> Tapped:
        """Call the tap; off the loop where it looks into files: a byte may be the one that ends a block (law L11)."""
        if not self._tap.looks:
            return call()
        running = asyncio.get_running_loop().run_in_executor(None, call)
        self._calls.add(running)
        running.add_done_callback(self._calls.discard)
        return await asyncio.shield(running)

    async def _let_go(self, side: Side, tapped: Tapped) -> None:
        """Record what was found, then let go of what may go on."""
        events, forward, release = await self._events(tapped), tapped.forward, tapped.release
        to_bot, to_target = (release, forward) if side == "client" else (forward, release)
        if self._meter is not None:
            await self._meter.take(to_bot, in_files=fetched(tapped.events))

        def go_on() -> None:
            if tapped.told:
                self._bot.send(tapped.told, error=True)
            if to_bot:
                self._bot.send(to_bot)
            if tapped.owes:
                # The target's direction writes it, so that it cannot come between a packet's halves.
                self._target.inbox.put(Data(b""))
            if to_target:
                self._target.send(to_target)

        await self._append(events, bytes_in=len(to_target), bytes_out=len(to_bot), release=go_on)

    async def _events(self, tapped: Tapped) -> list[Event]:
        """Return the events to record, values masked in what the protocol says."""
        at_us = self._recording.at_us()
        events = [
            Event(at_us, event.kind, self._channel, event.data, event.detail) for event in tapped.events
        ]
        return events if self._mask is None else await self._mask.framed(events)
