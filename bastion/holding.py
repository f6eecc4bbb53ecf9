"""Hold statements of one session until people have answered, and say what came of each.

In      a ruling that asks for approval; the bot's channel
Out     the same ruling with the hold's end: allowed if people approved these very bytes, under a policy that still asks
        for the same; on record before (law L1)
Errors  RecorderError
Source  docs/approvals.md; docs/security.md, law L3
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bastion.asking import Author, Told, ask_of, objection, question
from bastion.ends import if_kept
from bastion.gate import Gate, Ruling
from bastion.holds.errors import CannotHold
from bastion.holds.hold import Ask, Hold, State, Terms
from bastion.holds.waiting import GONE, Waiting
from bastion.inbox import Closed, Data, Inbox, Item, Signal
from bastion.masking import Masking
from bastion.principal import Principal
from bastion.tasks import Tasks
from policies.model import Access, VerdictKind
from recorder.events import Event, Kind
from recorder.recording import Recording
from recorder.terminal import plain

REASON = "BASTION_REASON"  # a variable by which a bot says why
SETTLE_S = 0.25  # for what came before to say what it has to say: people are slower than that
INTERRUPT = 3
SIGNALS = ("INT", "TERM", "HUP")

Say = Callable[[bytes], None]


class Holding:
    """The held statements of one session."""

    def __init__(
        self,
        waiting: Waiting,
        *,
        gate: Gate,
        recording: Recording,
        principal: Principal,
        target: str,
        login: str,
        masking: Masking,
    ) -> None:
        self.held = 0
        self._open: dict[str, asyncio.Event] = {}  # hold -> its end is on record
        self._masking = masking
        self.waiting = waiting
        self._gate = gate
        self.recording = recording
        self._author = Author(principal=principal, target=target, login=login)

    async def settle(
        self,
        ruling: Ruling,
        access: Access,
        *,
        channel: int,
        inbox: Inbox,
        say: Say,
        statement: Event,
        stated: str = "",
        terminal: bool = False,
    ) -> Ruling:
        """Wait for the answer to one statement; return its ruling as people have settled it.

        `say` sends to the bot's stderr; `statement` is the event that it was judged, which is on record if the ruling
        that is returned has a hold. With a `terminal`, Ctrl-C withdraws.
        """
        seen: list[Hold] = []

        async def held(hold: Hold) -> None:
            seen.append(hold)
            self.opened(hold)
            line = f"bastion: {told(hold)} (session {self.recording.id})\r\n".encode()
            notice = self.recording.event(Kind.NOTICE, channel, line)
            events = [statement, hold_event(self.recording, hold, channel), notice]
            await self.recording.append(events, landed=if_kept(partial(say, line)))

        async def waits() -> Hold:
            if self.recording.tail.lines():
                await asyncio.sleep(SETTLE_S)
            before = self.recording.tail.lines()
            ask = await asyncio.to_thread(self._ask, ruling, access, channel, stated, before)
            return await self.waiting.wait(
                ask, held=held, objection=lambda: objection(ruling, self._gate.verdict(ruling.facts, access))
            )

        self.held += 1
        try:
            hold = await _unless_left(waits(), inbox, terminal=terminal)
            if hold is None:
                if not seen:
                    return _denied(ruling, GONE)
                hold = replace(seen[0], state=State.WITHDRAWN, why=GONE)
            ended = hold_event(self.recording, hold, channel)
            await self.recording.append([*([] if seen else [statement]), ended])
        except CannotHold as error:
            return _denied(ruling, f"it cannot wait for an approval: {error.public}")
        finally:
            self.held -= 1
            self.closed(*seen)
        return replace(ruling, hold=hold)

    def opened(self, hold: Hold) -> None:
        """Take note of a hold that waits, so that `cancel` waits for its end."""
        self._open[hold.id] = asyncio.Event()

    def closed(self, *holds: Hold) -> None:
        """Take note that the end of holds is on record, or never will be."""
        for hold in holds:
            self._open.pop(hold.id).set()

    async def cancel(self, why: str) -> None:
        """Give up what waits in this session, and wait until that is on its record."""
        if not self._open:
            return
        for name in self.waiting.cancel(why, session=self.recording.id):
            if (recorded := self._open.get(name)) is not None:
                await recorded.wait()

    def _ask(self, ruling: Ruling, access: Access, channel: int, stated: str, before: tuple[str, ...]) -> Ask:
        """Say what people must know of it; the more the bot has sent, the longer that takes: not on the loop (L11)."""
        told = replace(self._told(), stated=stated, before=before)
        masking, gate = self._masking, self._gate
        return ask_of(
            ruling, access, self._author, told, channel, gate=gate, masking=masking, waiting=self.waiting
        )

    def question(
        self,
        *,
        statement: str,
        facts: tuple[str, ...],
        terms: tuple[Terms, ...],
        reason: str,
        policy: str,
        bound: tuple[bytes, Mapping[str, Any]],
    ) -> Ask:
        """Return a question of this session; `bound` is the bytes and the facts that an approval is good for."""
        return question(
            self._author,
            self._told(),
            waiting=self.waiting,
            statement=statement,
            facts=facts,
            terms=terms,
            reason=reason,
            policy=policy,
            bound=bound,
        )

    def _told(self) -> Told:
        left_s = self._author.principal.identity.session_s - self.recording.at_us() / 1_000_000
        return Told(session=self.recording.id, within_s=max(1.0, left_s))

    def veiled(self, channel: int, text: str) -> str:
        """Return a text of a channel as people may see it."""
        return self._masking.text(channel, text)


def hold_event(recording: Recording, hold: Hold, channel: int) -> Event:
    """Return the event that says how a hold stands."""
    detail: dict[str, Any] = {"hold": hold.id, "state": hold.state.value, "rules": list(hold.ask.rules)}
    if hold.waits:
        detail |= {"groups": sorted(hold.ask.groups), "expires_at": int(hold.expires_at)}
        if hold.ask.stated:
            detail["stated"] = plain(hold.ask.stated)
    else:
        detail["reason"] = plain(hold.outcome)
        if hold.grant:
            detail["grant"] = hold.grant
    return recording.event(Kind.HOLD, channel, **detail)


async def _unless_left(waits: Coroutine[Any, Any, Hold], inbox: Inbox, *, terminal: bool) -> Hold | None:
    """Return what is waited for, None if the bot goes away before, or asks to."""
    left, tasks = asyncio.Event(), Tasks()

    def notice(item: Item) -> None:
        keys = terminal and isinstance(item, Data) and INTERRUPT in item.data
        if keys or isinstance(item, Closed) or (isinstance(item, Signal) and item.name in SIGNALS):
            left.set()

    inbox.noticed = notice
    if inbox.closed.is_set():
        left.set()
    try:
        answered = tasks.start(waits, "wait for an approval", awaited=True)
        leaving = tasks.start(left.wait(), "notice that the bot leaves", awaited=True)
        await asyncio.wait((answered, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        inbox.noticed = None
        await tasks.cancel()
    return None if answered.cancelled() else answered.result()


def _denied(ruling: Ruling, why: str) -> Ruling:
    reason = f"{ruling.verdict.reason} ({why})"
    return replace(ruling, verdict=replace(ruling.verdict, kind=VerdictKind.DENY, reason=reason))


def told(hold: Hold) -> str:
    """Return what the bot is told of its statement: that it waits, for whom, and until when."""
    count = max(terms.approvers.count for terms in hold.ask.terms)
    persons = "one person" if count == 1 else f"{count} persons"
    until = datetime.fromtimestamp(hold.expires_at, UTC).strftime("%H:%M:%SZ")
    rules, groups = ", ".join(hold.ask.rules), ", ".join(sorted(hold.ask.groups))
    return f"held {hold.id} by {rules}: waits until {until} for {persons} of {groups} to approve it"
