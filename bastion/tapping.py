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
from bastion.inbox import Data
from bastion.metering import ChannelMeter
from bastion.transfer import ScpTap, Side, Tap, Tapped, TransferError, Wait
from recorder.errors import RecorderError
from recorder.events import Event
from recorder.recording import Recording


class Append(Protocol):
    """Record events, and how many bytes they let pass."""

    async def __call__(self, events: Sequence[Event], *, bytes_in: int = 0, bytes_out: int = 0) -> None: ...


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
    ) -> None:
        self._tap = tap
        self._bot = bot
        self._target = target
        self._recording = recording
        self._channel = channel
        self._append = append
        self._meter = meter
        self._spoke = asyncio.Event()
        self._order = asyncio.Lock()

    async def take(self, side: Side, data: bytes) -> None:
        """Record what the bytes of one side mean, then let them go (and what they release of the other's)."""
        call = self._tap.client if side == "client" else self._tap.target
        wait = await self._through(side, partial(call, data))
        while wait is not None:
            judged = await wait()
            wait = await self._through(side, partial(self._tap.answered, side, judged))
        self._spoke.set()

    async def _through(self, side: Side, call: Callable[[], Tapped]) -> Wait | None:
        """Have the tap deal with something, and let go of what it lets go; return what an operation waits for."""
        # What one side's answer of scp releases of the other's must not be overtaken by what follows it.
        async with self._order if isinstance(self._tap, ScpTap) else contextlib.nullcontext():
            tapped = await self._tapped(call)
            await self._let_go(side, tapped)
        return tapped.wait

    async def unstalled(self, side: Side) -> None:
        """Wait while the tap holds this side's bytes for an answer of the other, but not for a side that is gone."""
        inbox = self._bot.inbox if side == "client" else self._target.inbox
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
        with contextlib.suppress(RecorderError):
            await self._recording.append(self._events(self._tap.finish()))

    async def _tapped(self, call: Callable[[], Tapped]) -> Tapped:
        try:
            return call()
        except TransferError as error:
            await self._append(self._events(error.tapped))
            raise

    async def _let_go(self, side: Side, tapped: Tapped) -> None:
        """Record and let go; with nothing to release, a side that is full must not hold back what comes from it."""
        events, forward, release = self._events(tapped), tapped.forward, tapped.release
        if tapped.told:
            await self._append(events)
            await self._bot.write(tapped.told, error=True)
            events = []
        if self._meter is not None:
            await self._meter.take(release if side == "client" else forward)
        if side == "client":
            await self._append(events, bytes_in=len(forward), bytes_out=len(release))
            if release:
                await self._bot.write(release)
            if tapped.owes:
                # The target's direction writes it, so that it cannot come between a packet's halves.
                self._target.inbox.put(Data(b""))
            await self._target.write(forward)
        else:
            await self._append(events, bytes_in=len(release), bytes_out=len(forward))
            if release:
                await self._target.write(release)
            await self._bot.write(forward)

    def _events(self, tapped: Tapped) -> list[Event]:
        at_us = self._recording.at_us()
        return [Event(at_us, event.kind, self._channel, event.data, event.detail) for event in tapped.events]
