"""Count what a target's answers let pass, and stop what exceeds a limit before it has passed.

What would exceed a limit that denies ends the session: nothing of the batch goes on, nor is it recorded. What would
exceed one that asks waits, and with it all that follows on its channel, until people have answered; an approval lets as
much again pass in this session.

In      batches on their way to the bot, each before it is recorded
Out     nothing, once a batch may pass; what was counted, as events
Errors  LimitExceeded; RecorderError
Source  docs/masking.md, "Limits"
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bastion.errors import BastionError
from bastion.gate import STATUS_DENIED, STATUS_EXPIRED
from bastion.holds.errors import CannotHold
from bastion.holds.hold import Hold, State
from bastion.tallies import Tallies
from policies.limit import Limit, Measure, Per
from policies.masking.redactor import Hit
from recorder.events import Event, Kind
from recorder.recording import Recording

log = logging.getLogger("bastion.metering")

TALLY_S = 1.0  # after which what was counted is on record, for others to read

Ask = Callable[[Limit, str], Awaitable[Hold]]


class LimitExceeded(BastionError):
    """More would have passed than a limit lets; `status` is the exit status of the session's channels."""

    code = "limit"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMeter:
    """The limits on one channel; `ask` puts a question to people."""

    meters: Meters
    number: int
    limits: tuple[Limit, ...]
    ask: Ask

    async def take(self, passing: bytes, hits: Sequence[Hit] = (), in_files: Iterable[str] = ()) -> None:
        """Return once these bytes may go to the bot; raise LimitExceeded, RecorderError.

        `in_files` are the detectors of what was found in files that pass.
        """
        found = Counter(hit.detector for hit in hits)
        found.update(in_files)
        amounts = [(limit, amount) for limit in self.limits if (amount := _amount(limit, passing, found)) > 0]
        await self.meters.take(self, amounts)


class Meters:
    """What the limits of one session have counted."""

    def __init__(
        self,
        recording: Recording,
        tallies: Tallies,
        *,
        session_s: float,
        about: str,
        joined: Callable[[], object],
    ) -> None:
        """`session_s` is how long the session may last; `about` is for alerts.

        `joined` is called once where `keep_told` is to run from then on.
        """
        self._recording = recording
        self._identity = recording.header.identity
        self._tallies = tallies
        self._session_s = session_s
        self._about = about
        self._counts: dict[tuple[str, Measure], int] = {}
        self._told: dict[tuple[str, Measure], int] = {}
        self._more: Counter[str] = Counter()  # that people let pass, by limit
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._joined = False
        self._when_joined = joined

    def begin(self, number: int, limits: tuple[Limit, ...], ask: Ask) -> ChannelMeter | None:
        """Return what counts on a channel, from now on; None if no limit does."""
        if not limits:
            return None
        if not self._joined and any(limit.per is Per.HOUR for limit in limits):
            self._joined = True
            self._tallies.join(self._identity, self._recording.id, self._session_s)
            self._when_joined()
        return ChannelMeter(meters=self, number=number, limits=limits, ask=ask)

    def leave(self) -> None:
        """Count no more: the session is over, and on record."""
        self._when_joined = _nothing  # else it knows the session: a circle, that lasts until a collection
        if self._joined:
            self._tallies.leave(self._identity, self._recording.id)

    async def keep_told(self) -> None:
        """Record what limits over all sessions have counted, as it grows."""
        while True:
            await asyncio.sleep(TALLY_S)
            await self._recording.append(self.counted())

    def counted(self) -> list[Event]:
        """Return the event that says what was counted, if it is more than when it was last asked for."""
        if self._counts == self._told:
            return []
        return [self._event(0)]

    async def take(self, channel: ChannelMeter, amounts: Sequence[tuple[Limit, int]]) -> None:
        """Count amounts once no limit is exceeded by them any more; raise LimitExceeded, RecorderError."""
        if any(limit.per is Per.HOUR for limit, _amount in amounts):
            await self._tallies.known(self._identity)
        while (exceeded := self._exceeded(amounts)) is not None:
            await self._settle(channel, *exceeded)
        for limit, amount in amounts:
            key = limit.id, limit.measure
            self._counts[key] = self._counts.get(key, 0) + amount
            if limit.per is Per.HOUR:
                self._tallies.add(self._identity, self._recording.id, limit, amount)

    def _exceeded(self, amounts: Sequence[tuple[Limit, int]]) -> tuple[Limit, int] | None:
        """Return a limit that these amounts would exceed, with the figure; one that denies first."""
        over = [
            (limit, figure)
            for limit, amount in amounts
            if (figure := self._figure(limit) + amount) > self._allowed(limit)
        ]
        return min(over, key=lambda it: it[0].asks, default=None)

    def _figure(self, limit: Limit) -> int:
        if limit.per is Per.HOUR:
            return self._tallies.figure(self._identity, limit)
        return self._counts.get((limit.id, limit.measure), 0)

    def _allowed(self, limit: Limit) -> int:
        return limit.at_most + self._more[limit.id]

    async def _settle(self, channel: ChannelMeter, limit: Limit, figure: int) -> None:
        """Ask people to let more pass, or raise LimitExceeded."""
        if not limit.asks:
            why = "" if limit.verdict == "deny" else "nobody can approve more: it names no approvers"
            await self._stop(channel, limit, figure, why, STATUS_DENIED)
        allowed = self._allowed(limit)
        async with self._asking[limit.id]:
            if self._allowed(limit) != allowed:
                return  # another channel of the session has asked meanwhile
            await self._note(channel, limit, figure, "approve")
            try:
                hold = await channel.ask(limit, limit.counted(figure))
            except CannotHold as error:
                await self._stop(
                    channel, limit, figure, f"it cannot wait for an approval: {error.public}", STATUS_DENIED
                )
                return
            if hold.state is not State.APPROVED:
                status = STATUS_EXPIRED if hold.state is State.EXPIRED else STATUS_DENIED
                await self._stop(channel, limit, figure, f"{hold.id} {hold.outcome}", status)
            self._more[limit.id] += limit.at_most * math.ceil((figure - allowed) / limit.at_most)

    async def _stop(self, channel: ChannelMeter, limit: Limit, figure: int, why: str, status: int) -> None:
        """Record that a limit ends the session, and raise LimitExceeded."""
        text = f"limit {limit.id}: {limit.counted(figure)}"
        text += "".join(f"; {part}" for part in (limit.reason, why) if part)
        await self._note(channel, limit, figure, "deny", text)
        raise LimitExceeded(f"{text} (session {self._recording.id})", status)

    async def _note(
        self, channel: ChannelMeter, limit: Limit, figure: int, verdict: str, text: str = ""
    ) -> None:
        """Record, with a marker, that a limit is exceeded, and tell the operator."""
        severity = limit.severity.value if limit.severity else "none"
        log.warning(
            "alert session=%s %s verdict=%s limit=%s severity=%s figure=%d at_most=%d measure=%s per=%s",
            *(self._recording.id, self._about, verdict, limit.id, severity, figure),
            *(limit.at_most, limit.measure.value, limit.per.value),
        )
        detail = {
            "limit": limit.id,
            "verdict": verdict,
            "measure": limit.measure.value,
            "per": limit.per.value,
            "figure": figure,
            "at_most": limit.at_most,
            "reason": limit.reason,
            **({"severity": severity} if limit.severity else {}),
        }
        label = text or f"limit {limit.id}: {limit.counted(figure)}"
        marker = self._recording.event(Kind.MARKER, channel.number, label=label)
        await self._recording.append([self._event(channel.number, **detail), marker])

    def _event(self, channel: int, **detail: Any) -> Event:
        self._told = dict(self._counts)
        counted: dict[str, dict[str, int]] = {}
        for (limit, measure), count in self._counts.items():
            counted.setdefault(limit, {})[measure.value] = count
        return self._recording.event(Kind.LIMIT, channel, counted=counted, **detail)


def _amount(limit: Limit, passing: bytes, found: Counter[str]) -> int:
    """Return how much of what a limit counts is in these bytes."""
    match limit.measure:
        case Measure.BYTES:
            return len(passing)
        case Measure.LINES:
            return passing.count(b"\n")
        case Measure.HITS:
            return sum(count for name, count in found.items() if name in limit.detectors)


def _nothing() -> None:
    """Do nothing."""
