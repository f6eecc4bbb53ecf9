"""Carry what waits for one channel, one by one and in order, however long that takes; nobody waits for it.

A delivery is tried again with longer and longer pauses, and is given up after KEEP_S. It may arrive twice, with the
same id, if the answer to the first was lost.

In      the outbox; a Courier
Out     deliveries; what came of each, on the audit chain
Errors  none: what fails is recorded, or told to the journal
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from bastion.notices.courier import Courier, Outcome
from bastion.notices.outbox import Delivery, Outbox, OutboxFault
from recorder.errors import RecorderError

log = logging.getLogger("bastion.notices")

KEEP_S = 24 * 3600.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
FAULT_PAUSE_S = 5.0


class Chain(Protocol):
    """The audit chain."""

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> object: ...


class Box:
    """The outbox, used from the loop: its one thread is not the loop's."""

    def __init__(self, outbox: Outbox, run: Callable[..., Awaitable[Any]]) -> None:
        """`run` runs a function with its arguments on the outbox's thread."""
        self._outbox = outbox
        self._run = run

    async def put(self, delivery: Delivery) -> list[Delivery]:
        gone: list[Delivery] = await self._run(self._outbox.put, delivery)
        return gone

    async def oldest(self, channel: str) -> Delivery | None:
        found: Delivery | None = await self._run(self._outbox.oldest, channel)
        return found

    async def tried(self, delivery: Delivery) -> None:
        await self._run(self._outbox.tried, delivery)

    async def done(self, delivery: Delivery) -> None:
        await self._run(self._outbox.done, delivery)

    async def keep_only(self, channels: frozenset[str]) -> list[Delivery]:
        gone: list[Delivery] = await self._run(self._outbox.keep_only, channels)
        return gone


class Lane:
    """The way of everything for one channel."""

    def __init__(
        self, channel: str, courier: Courier, *, box: Box, chain: Chain, now: Callable[[], float]
    ) -> None:
        self.channel = channel
        self.woken = asyncio.Event()
        self.rests = asyncio.Event()  # nothing to do, or nothing that can be done now
        self._courier = courier
        self._box = box
        self._chain = chain
        self._now = now
        self._failures = 0

    async def run(self) -> None:
        """Carry what there is, and wait for more, for ever."""
        while True:
            self.woken.clear()
            try:
                delivery = await self._box.oldest(self.channel)
                if delivery is not None:
                    await self._carry(delivery)
                    continue
            except OutboxFault as error:
                log.error("notices of channel %s are not sent: %s", self.channel, error)
                await self._pause(FAULT_PAUSE_S)
                continue
            self.rests.set()
            await self.woken.wait()
            self.rests.clear()

    async def close(self) -> None:
        """Let go of what the courier has open."""
        await self._courier.close()

    async def _carry(self, delivery: Delivery) -> None:
        outcome = await self._outcome(delivery)
        attempts = delivery.attempts + 1
        if outcome.delivered or not outcome.again:
            self._failures = 0
            await self._box.done(delivery)
            await self.record(
                delivery, "delivered" if outcome.delivered else "failed", outcome.said, attempts
            )
            return
        self._failures += 1
        log.warning("channel %s: %s (attempt %d)", self.channel, outcome.said, attempts)
        await self._box.tried(delivery)
        if attempts == 1:
            await self.record(delivery, "delayed", outcome.said, attempts)
        await self._pause(pause_s(self._failures))

    async def _outcome(self, delivery: Delivery) -> Outcome:
        now = self._now()
        if now - delivery.queued_at > KEEP_S:
            return Outcome(delivered=False, said=f"given up after {KEEP_S / 3600:.0f} h", again=False)
        return await self._courier.carry(delivery, now)

    async def _pause(self, seconds: float) -> None:
        self.rests.set()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.rests.clear()

    async def record(self, delivery: Delivery, outcome: str, said: str, attempts: int) -> None:
        """Put on the audit chain what came of a delivery: of each hold, and of others that were not delivered."""
        notice = delivery.notice
        if notice.hold is None and outcome in ("delivered", "delayed"):
            return
        detail: dict[str, Any] = {"channel": delivery.channel, "delivery": delivery.id, "outcome": outcome}
        detail |= {"said": said, "attempts": attempts}
        if notice.session:
            detail["session"] = notice.session
        if notice.hold is not None:
            detail |= {"hold": notice.hold["id"], "event": notice.kind}
        else:
            detail |= {"event": notice.kind, "identity": notice.identity}
        try:
            await self._chain.audit("hold.notified" if notice.hold is not None else "notice.failed", detail)
        except RecorderError as error:
            log.error("what came of a notice could not be recorded: %s", error)


def pause_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row: twice as long each time, and a little at random."""
    usual_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20))
    return usual_s * (0.8 + secrets.randbelow(400) / 1000)
