"""Let the answers of one session pass as far as limits allow, and longer where people say so.

In      the limits of each channel; batches on their way to the bot
Out     a ChannelMeter for each channel; an answer that exceeds a limit which asks waits for its Hold
Errors  those of bastion.metering
Source  docs/masking.md, "Limits"; docs/approvals.md
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from bastion.ends import BotEnd, if_kept
from bastion.holding import Holding, hold_event, told
from bastion.holds.hold import Hold, State, Terms
from bastion.holds.waiting import GONE
from bastion.inbox import Inbox
from bastion.metering import ChannelMeter, Meters
from bastion.tallies import Tallies
from bastion.tasks import Tasks
from policies.limit import Limit
from policies.model import Verdict
from recorder.events import Event, Kind

SHOWN_BYTES = 2048  # of the command whose answer waits


class Allowance:
    """What the limits of one session still let pass."""

    def __init__(
        self,
        holding: Holding,
        tallies: Tallies,
        *,
        session_s: float,
        about: str,
        limits: Callable[[], tuple[Limit, ...]],
        joined: Callable[[], object],
    ) -> None:
        """`limits` gives all limits of the policy in force; for the rest see Meters."""
        self._holding = holding
        self._recording = holding.recording
        self._limits = limits
        self._meters = Meters(holding.recording, tallies, session_s=session_s, about=about, joined=joined)
        self.keep_told = self._meters.keep_told
        self.leave = self._meters.leave

    def meter(
        self, bot: BotEnd, channel: int, limits: tuple[Limit, ...], running: bytes, verdict: Verdict
    ) -> ChannelMeter | None:
        """Return what counts a channel's answers; `running` is the command that gives them."""
        ask = partial(self._ask, bot, channel, running, verdict.policy)
        return self._meters.begin(channel, limits, ask)

    def counted(self) -> list[Event]:
        """Return the event that says what was counted, if it is not on record yet."""
        return self._meters.counted()

    async def _ask(
        self, bot: BotEnd, channel: int, running: bytes, policy: str, limit: Limit, counted: str
    ) -> Hold:
        """Wait for people to let more pass; raise CannotHold, RecorderError."""
        assert limit.approvers is not None  # noqa: S101 - whoever asks knows whom

        seen: list[Hold] = []

        async def held(hold: Hold) -> None:
            seen.append(hold)
            self._holding.opened(hold)
            line = f"bastion: {told(hold)} (session {self._recording.id})\r\n".encode()
            notice = self._recording.event(Kind.NOTICE, channel, line)
            say = if_kept(partial(bot.send, line, error=True))
            await self._recording.append([hold_event(self._recording, hold, channel), notice], landed=say)

        shown = self._holding.veiled(channel, running.decode("utf-8", "surrogateescape"))
        ask = self._holding.question(
            statement=shown[:SHOWN_BYTES],
            facts=(f"limit {limit.id}: {counted}", f"an approval lets {limit.at_most:,} more pass"),
            terms=(Terms(rule=limit.id, approvers=limit.approvers),),
            reason=limit.reason or f"more than the limit {limit.id} would pass",
            policy=policy,
            bound=(f"limit {limit.id}".encode(), {}),
        )
        self._holding.held += 1
        try:
            waits = self._holding.waiting.wait(ask, held=held, objection=lambda: self._objection(limit))
            hold = await _unless_closed(waits, bot.inbox)
            if hold is None:
                blank = Hold(id="", ask=ask, asked_at=0, expires_at=0)
                return replace(seen[0] if seen else blank, state=State.WITHDRAWN, why=GONE)
            await self._recording.append([hold_event(self._recording, hold, channel)])
        finally:
            self._holding.held -= 1
            self._holding.closed(*seen)
        return hold

    def _objection(self, limit: Limit) -> str:
        """Say why the policy in force would not let these people decide this any more."""
        if any(now.id == limit.id and now != limit for now in self._limits()):
            return "the policy has changed this limit: try again"
        return ""


async def _unless_closed(waits: Coroutine[Any, Any, Hold], inbox: Inbox) -> Hold | None:
    """Return what is waited for, None if the bot's channel closes before."""
    tasks = Tasks()
    try:
        answered = tasks.start(waits, "wait for an approval", awaited=True)
        closed = tasks.start(inbox.closed.wait(), "notice that the bot is gone", awaited=True)
        await asyncio.wait((answered, closed), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await tasks.cancel()
    return None if answered.cancelled() else answered.result()
