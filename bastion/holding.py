"""Hold statements of one session until people have answered, and say what came of each.

In      a ruling that asks for approval; the bot's channel
Out     the same ruling with the hold's end: allowed if people approved these very bytes, under a policy that still asks
        for the same; on record before (law L1)
Errors  RecorderError
Source  docs/approvals.md; docs/security.md, law L3
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bastion.gate import Gate, Ruling
from bastion.holds.errors import CannotHold
from bastion.holds.hold import Ask, Hold, State, Terms
from bastion.holds.marks import marks_of
from bastion.holds.shown import CLAIMS
from bastion.holds.waiting import GONE, Waiting
from bastion.inbox import Closed, Data, Inbox, Item, Signal
from bastion.masking import Masking
from bastion.principal import Principal
from bastion.tasks import Tasks
from policies.facts import Facts, Word
from policies.model import Access, VerdictKind
from recorder.events import Event, Kind
from recorder.recording import Recording
from recorder.terminal import plain

REASON = "BASTION_REASON"  # a variable by which a bot says why
REASON_CHARS = 200
FACT_LINES = 24
FACT_CHARS = 160
SETTLE_S = 0.25  # for what came before to say what it has to say: people are slower than that
INTERRUPT = 3
WHOLE = "whatever it is: the rule speaks of every statement"
SIGNALS = ("INT", "TERM", "HUP")

Say = Callable[[bytes], Awaitable[None]]


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
        self._principal = principal
        self._target = target
        self._login = login

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

        `say` writes to the bot's stderr; `statement` is the event that it was judged, which is on record if the ruling
        that is returned has a hold. With a `terminal`, Ctrl-C withdraws.
        """
        seen: list[Hold] = []

        async def held(hold: Hold) -> None:
            seen.append(hold)
            self.opened(hold)
            line = f"bastion: {told(hold)} (session {self.recording.id})\r\n".encode()
            notice = self.recording.event(Kind.NOTICE, channel, line)
            await self.recording.append([statement, hold_event(self.recording, hold, channel), notice])
            await say(line)

        async def waits() -> Hold:
            if self.recording.tail.lines():
                await asyncio.sleep(SETTLE_S)
            before = self.recording.tail.lines()
            ask = await asyncio.to_thread(self._ask, ruling, access, channel, stated, before)
            return await self.waiting.wait(ask, held=held, objection=lambda: self._objection(ruling, access))

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
        verdict = ruling.verdict
        veil = partial(self._masking.text, channel)
        statement, labels = self._masking.labelled(channel, ruling.source.decode("utf-8", "surrogateescape"))
        parts = self._gate.held_parts(ruling, access)
        ask = self.question(
            statement=statement,
            facts=facts_in_words(ruling.facts, veil),
            terms=tuple(
                Terms(rule=rule, approvers=approvers)
                for rule, approvers in zip(verdict.rules, verdict.approvers, strict=True)
            ),
            reason=verdict.reason,
            stated=self._masking.text(channel, stated)[:REASON_CHARS],
            policy=verdict.policy,
            bound=(ruling.source, ruling.facts.as_json()),
        )
        return replace(
            ask,
            held_for=tuple(_fitting(plain(veil(part.said))) for part in parts) or (WHOLE,),
            marks=marks_of(statement, labels, parts, veil),
            before=before,
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
        stated: str = "",
    ) -> Ask:
        """Return a question of this session; `bound` is the bytes and the facts that an approval is good for."""
        principal, claims = self._principal, self._principal.claims
        source, known = bound
        return Ask(
            session=self.recording.id,
            identity=principal.name,
            run=principal.login.key_id,
            owner=principal.owner,
            claims={name: claims[name] for name in (*CLAIMS, "issuer_name") if name in claims},
            target=self._target,
            login=self._login,
            statement=statement,
            facts=facts,
            terms=terms,
            reason=reason,
            stated=stated,
            policy=policy,
            binding=self.waiting.binder.bind(
                session=self.recording.id,
                target=self._target,
                login=self._login,
                policy=policy,
                statement=source,
                facts=known,
            ),
            within_s=max(1.0, principal.identity.session_s - self.recording.at_us() / 1_000_000),
        )

    def veiled(self, channel: int, text: str) -> str:
        """Return a text of a channel as people may see it."""
        return self._masking.text(channel, text)

    def _objection(self, ruling: Ruling, access: Access) -> str:
        """Say why the policy in force would not let these people decide this any more."""
        now = self._gate.verdict(ruling.facts, access)
        if now.kind is VerdictKind.DENY:
            by = f" by {', '.join(now.rules)}" if now.rules else ""
            return f"the policy has changed and denies it{by}: {now.reason}"
        asked = (now.rules, now.approvers) == (ruling.verdict.rules, ruling.verdict.approvers)
        if now.kind is VerdictKind.APPROVE and not asked:
            return "the policy has changed and asks for something else: try again"
        return ""


def hold_event(recording: Recording, hold: Hold, channel: int) -> Event:
    """Return the event that says how a hold stands."""
    detail: dict[str, Any] = {"hold": hold.id, "state": hold.state.value, "rules": list(hold.ask.rules)}
    if hold.waits:
        detail |= {"groups": sorted(hold.ask.groups), "expires_at": int(hold.expires_at)}
        if hold.ask.stated:
            detail["stated"] = plain(hold.ask.stated)
    else:
        detail["reason"] = plain(hold.outcome)
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


def facts_in_words(facts: Facts, veil: Callable[[str], str] = str) -> tuple[str, ...]:
    """Return what is known of a statement, a line each, masked; lines that are left out, or cut, are marked."""
    lines = [f"{flag.value}: {facts.why.get(flag, 'yes')}" for flag in sorted(facts.flags)]
    lines += [
        f"{'runs' if one.parent is None else '  which runs'} {_words(one.words)}" for one in facts.commands
    ]
    for verb, touched in (("reads", facts.reads), ("writes", facts.writes), ("contacts", facts.contacts)):
        lines += [f"{verb} {_words([one.value])}" for one in dict.fromkeys(touched)]
    lines += [f"sets {name}" for name in facts.defines]
    masked = [
        plain(veil(line)) for line in lines[: FACT_LINES + 1]
    ]  # before it is cut: half a secret is not found
    cut = [_fitting(line) for line in masked]
    if len(lines) > FACT_LINES:
        cut[FACT_LINES - 1 :] = [f"… and {len(lines) - FACT_LINES + 1} more: read the statement itself"]
    return tuple(cut)


def _fitting(line: str) -> str:
    return f"{line[:FACT_CHARS]}… (cut)" if len(line) > FACT_CHARS else line


def _words(words: tuple[Word, ...] | list[Word]) -> str:
    return " ".join(word.text if word.literal else f"<{word.text}: known when it runs>" for word in words)


def told(hold: Hold) -> str:
    """Return what the bot is told of its statement: that it waits, for whom, and until when."""
    count = max(terms.approvers.count for terms in hold.ask.terms)
    persons = "one person" if count == 1 else f"{count} persons"
    until = datetime.fromtimestamp(hold.expires_at, UTC).strftime("%H:%M:%SZ")
    rules, groups = ", ".join(hold.ask.rules), ", ".join(sorted(hold.ask.groups))
    return f"held {hold.id} by {rules}: waits until {until} for {persons} of {groups} to approve it"
