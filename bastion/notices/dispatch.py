"""Take notices from whoever has them, at once, and see that each channel that wants one gets it.

Nobody who tells waits: not for a channel, not for the disk. What is more than there is room for is left out, counted,
and told as a number.

In      notices; the channels of the configuration in force
Out     deliveries, through the outbox
Holds   INTAKE notices on their way into the outbox; its rows; one lane for each channel
Errors  OutboxFault when it is made; none later
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bastion.notices.courier import Courier
from bastion.notices.lane import Box, Chain, Lane
from bastion.notices.notice import Notice
from bastion.notices.outbox import FILE, Delivery, Outbox, OutboxFault
from bastion.notices.restraint import Restraint
from bastion.notices.wanted import Wanted
from bastion.settings import ChannelSettings, Config
from bastion.tasks import Tasks

log = logging.getLogger("bastion.notices")

INTAKE = 2000
LOOK_S = 1.0
OWED_AT_THE_END = 20

NewCourier = Callable[[ChannelSettings], Courier]


@dataclass(slots=True, kw_only=True)
class _Channel:
    """A channel in force."""

    wanted: Wanted
    restraint: Restraint
    lane: Lane
    task: asyncio.Task[Any]


class Dispatch:
    """All channels of a service."""

    def __init__(self, folder: Path, chain: Chain, now: Callable[[], float]) -> None:
        """Open the outbox in this folder; raise OutboxFault."""
        self._chain = chain
        self._now = now
        self._outbox = Outbox(folder / FILE)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._box = Box(self._outbox, self._on_thread)
        self._channels: dict[str, _Channel] = {}
        self._groups: Mapping[str, tuple[str, ...]] = {}
        self._intake: asyncio.Queue[Delivery] = asyncio.Queue(INTAKE)
        self._tasks = Tasks()

    async def start(self) -> None:
        """Begin to send, also what an earlier service has left; forget what is for channels that are no more."""
        try:
            for one in await self._box.keep_only(frozenset(self._channels)):
                log.warning("a notice for channel %s, which is no more, was dropped", one.channel)
        except OutboxFault as error:
            log.error("%s", error)
        self._tasks.start(self._fill(), "fill the outbox")
        self._tasks.start(self._watch(), "tell what was left out")

    def adopt(self, config: Config, courier: NewCourier) -> None:
        """Go by another configuration: each channel gets a courier of its own anew."""
        before, self._channels = self._channels, {}
        self._groups = {identity.name: identity.groups for identity in config.identities}
        for name, channel in before.items():
            channel.task.cancel()
            self._tasks.start(channel.lane.close(), f"close channel {name}")
        for settings in config.channels:
            name = settings.name
            lane = Lane(name, courier(settings), box=self._box, chain=self._chain, now=self._now)
            restraint = before[name].restraint if name in before else Restraint()
            self._channels[name] = _Channel(
                wanted=Wanted(settings.tells),
                restraint=restraint,
                lane=lane,
                task=self._tasks.start(lane.run(), f"channel {name}"),
            )

    def tell(self, notice: Notice) -> None:
        """Take a notice; return at once."""
        declared = self._groups.get(notice.identity, ())
        for name, channel in self._channels.items():
            if not channel.wanted.has(notice, declared):
                continue
            left_out = channel.restraint.admit(notice, self._now())
            if left_out is not None:
                self._queue(name, channel, replace(notice, left_out=left_out))

    async def close(self, patience_s: float) -> None:
        """Send what can be sent within that time; the rest waits in the outbox for the next start."""
        for name, channel in self._channels.items():
            for _ in range(OWED_AT_THE_END):
                self._tell_owed(name, channel, at_once=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._intake.join()
                for channel in self._channels.values():
                    await channel.lane.rests.wait()
        await self._tasks.cancel()
        await self._drain()
        for channel in self._channels.values():
            await channel.lane.close()
        self._thread.shutdown(wait=True)
        self._outbox.close()

    def _queue(self, name: str, channel: _Channel, notice: Notice) -> None:
        delivery = Delivery(
            id=f"msg_{secrets.token_hex(12)}", channel=name, queued_at=self._now(), attempts=0, notice=notice
        )
        try:
            self._intake.put_nowait(delivery)
            channel.lane.rests.clear()
        except asyncio.QueueFull:
            channel.restraint.lost(notice, self._now())

    async def _fill(self) -> None:
        while True:
            delivery = await self._intake.get()
            try:
                await self._put(delivery)
            finally:
                self._intake.task_done()

    async def _put(self, delivery: Delivery) -> None:
        channel = self._channels.get(delivery.channel)
        if channel is None:
            return
        try:
            gone = await self._box.put(delivery)
        except OutboxFault as error:
            log.error("a notice for channel %s is lost: %s", delivery.channel, error)
            await channel.lane.record(delivery, "failed", "the outbox cannot be written", 0)
            return
        channel.lane.woken.set()
        for one in gone:
            channel.restraint.lost(one.notice, self._now())
            await channel.lane.record(one, "failed", "gave way to later ones", one.attempts)

    async def _drain(self) -> None:
        """Put into the outbox what is still on its way there."""
        while not self._intake.empty():
            await self._put(self._intake.get_nowait())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for name, channel in self._channels.items():
                self._tell_owed(name, channel)

    def _tell_owed(self, name: str, channel: _Channel, *, at_once: bool = False) -> None:
        now = self._now()
        owed = channel.restraint.owed(now, at_once=at_once)
        if owed is not None:
            self._queue(
                name, channel, Notice(kinds=("left-out",), at=now, identity=owed[0], left_out=owed[1])
            )

    def _on_thread(self, work: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Run something on the outbox's thread; it is done also if nobody waits for it any more."""
        done = asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args))
        return asyncio.shield(done)
