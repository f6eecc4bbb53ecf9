"""Run the desk of a service: with the time, on the record, and for whoever wants to know.

Every step is on the audit chain before anybody learns of it: what is not recorded lets nothing go.

In      what sessions ask, what people answer; the configuration in force
Out     holds; events to listeners, in the order of the audit chain
Errors  CannotHold, AnswerRefused; RecorderError, and then the hold is cancelled (law L2)
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from bastion.holds.callers import Caller, circle_of, voter_of
from bastion.holds.desk import Desk, Event, Step
from bastion.holds.eligible import Circle, Voter
from bastion.holds.errors import AnswerRefused, CannotHold
from bastion.holds.hold import Ask, Hold, State
from bastion.holds.published import Published
from bastion.locks.book import Book
from bastion.locks.lock import Kind, Lock, party_that_asks
from bastion.masking import masked_words
from bastion.settings import Config
from bastion.tasks import Tasks
from recorder.errors import RecorderError
from recorder.terminal import plain

log = logging.getLogger("bastion.holds")

ID_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that is taken for another
ID_CHARS = 4

BROKE_OFF = "the terminal went away before the answer was given"
KINDS: Mapping[Step, str] = {
    "asked": "hold.asked",
    "answered": "hold.answered",
    "ended": "hold.ended",
    "spent": "grant.spent",
}


class Chain(Protocol):
    """The audit chain."""

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> object: ...


class Approvals(Protocol):
    """The desk, as the sessions and doors of any process see it."""

    published: Published

    async def put(self, ask: Ask) -> Hold:
        """Put a statement on the desk; raise CannotHold or RecorderError."""

    async def answer(
        self, caller: Caller, name: str, *, approve: bool, reason: str, for_session: bool
    ) -> Hold:
        """Take a person's answer; raise AnswerRefused or RecorderError."""

    async def looked(self, caller: Caller, what: str, hold: str = "") -> None:
        """Record that somebody looks at what waits, or at one `hold` of it (law L9); raise RecorderError."""

    async def broke_off(self, caller: Caller, name: str, *, approve: bool) -> None:
        """Record that somebody was about to answer when their terminal went away; raise RecorderError."""

    def drop(self, name: str, state: State, why: str) -> None:
        """End a hold for its session, which does not wait for it any more."""

    def forget(self, session: str, why: str) -> None:
        """End all that concerns a session that is over."""


class Office:
    """The desk of the service, in the process that keeps it."""

    def __init__(
        self, chain: Chain, config: Config, now: Callable[[], float], book: Book | None = None
    ) -> None:
        """Open the desk; without a book of locks nobody is locked."""
        self.config = config
        self._book = book if book is not None else Book(now)
        self._chain = chain
        self._now = now
        self._desk = Desk(_new_id)
        self.published = Published()
        self._tasks = Tasks()
        self._in_order = asyncio.Lock()
        self._alarm: asyncio.TimerHandle | None = None

    # What sessions do.

    async def put(self, ask: Ask) -> Hold:
        if (lock := self._book.on(party_that_asks(ask, self.config))) is not None:
            raise CannotHold(lock.public)
        hold = self._desk.ask(ask, self._now())
        self._set_alarm()
        await self._publish_all()
        return self.published.find(hold.id) or hold

    def drop(self, name: str, state: State, why: str) -> None:
        if state is State.WITHDRAWN:
            self._desk.withdraw(name, why)
        else:
            self._desk.cancel(name, why)
        self._publish_soon()

    def forget(self, session: str, why: str) -> None:
        self._desk.forget([session], why)
        self._publish_soon()

    def forget_all(self, sessions: Iterable[str], why: str) -> None:
        """End all that concerns sessions whose process has died."""
        self._desk.forget(sessions, why)
        self._publish_soon()

    def adopt(self, config: Config) -> None:
        """Go by another configuration; what was asked ahead is for the policy that it was asked under."""
        self.config = config
        known = {identity.name for identity in config.identities}

        def why(hold: Hold) -> str:
            if hold.ask.policy != config.policy.digest():
                return "the policy has changed: ask again"
            return "" if hold.ask.identity in known else f"identity {hold.ask.identity} was removed"

        self._desk.revoke(why)
        self._publish_soon()

    # What people do.

    async def answer(
        self, caller: Caller, name: str, *, approve: bool, reason: str, for_session: bool
    ) -> Hold:
        if reason:
            reason = await asyncio.to_thread(masked_words, self.config.policy, reason)
        try:
            voter = voter_of(caller, self.config)
            self._check_free(voter)
            hold = self._desk.answer(
                name,
                voter,
                self._circle(),
                approve=approve,
                reason=reason,
                for_session=for_session,
                now=self._now(),
            )
        except AnswerRefused as refused:
            self._publish_soon()  # an answer that comes too late may be what finds a hold expired
            said = "approve" if approve else "deny"
            told = {"by": caller.how, "answer": said, "reason": refused.public}
            await self._chain.audit("hold.answer-refused", {**self._named(name), **told})
            raise
        self._set_alarm()
        await self._publish_all()
        return self.published.find(hold.id) or hold

    async def looked(self, caller: Caller, what: str, hold: str = "") -> None:
        await self._chain.audit("hold.looked", {"by": caller.how, "command": what, **self._named(hold)})

    async def broke_off(self, caller: Caller, name: str, *, approve: bool) -> None:
        said = {"by": caller.how, "answer": "approve" if approve else "deny", "reason": BROKE_OFF}
        await self._chain.audit("hold.answer-refused", {**self._named(name), **said})

    def _named(self, name: str) -> dict[str, str]:
        """Return how the chain names a hold that somebody has named, which may be none."""
        known = self._desk.find(name)
        if known is None:
            return {"hold": name[:32]} if name else {}
        return {"hold": known.id, **({} if known.ask.ahead else {"session": known.ask.session})}

    # What locks do.

    async def enforce(self, lock: Lock) -> list[str]:
        """Give up what a lock that has just come into force stops, and what a locked person had approved for later."""
        if lock.subject.kind is Kind.PERSON:
            self._desk.distrust(lock.subject.name)
        self._desk.revoke(self._locked)
        for hold in self._desk.waiting():
            if (stops := self._book.on(party_that_asks(hold.ask, self.config))) is not None:
                self._desk.cancel(hold.id, stops.public)
        self._publish_soon()
        return []

    def _locked(self, hold: Hold) -> str:
        """Say what lock stops a hold, or whoever has approved it; nothing if none does."""
        lock = self._book.on(party_that_asks(hold.ask, self.config))
        persons = () if hold.waits else (answer.person for answer in hold.approvals())
        approvers = self._book.locked_persons(persons)
        return (
            lock.public if lock is not None else "".join(one.public for one in list(approvers.values())[:1])
        )

    def _check_free(self, voter: Voter) -> None:
        """Raise AnswerRefused for somebody who is locked."""
        if (lock := self._book.locked_persons([voter.person]).get(voter.person)) is not None:
            raise AnswerRefused(f"{lock.public}, so their answers have no effect")

    def _circle(self) -> Circle:
        circle = circle_of(self.config)
        return replace(
            circle, locked=frozenset(self._book.locked_persons(one.name for one in circle.persons))
        )

    async def close(self, why: str) -> None:
        """Give up what still waits, and end."""
        for hold in self._desk.waiting():
            self._desk.cancel(hold.id, why)
        self._desk.revoke(lambda _grant: why)
        try:
            await self._publish_all()
        except RecorderError as error:
            log.error("the end of holds could not be recorded: %s", error)
        if self._alarm is not None:
            self._alarm.cancel()
        await self._tasks.cancel()

    # Time, record, listeners.

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        at = self._desk.next_expiry()
        if at is not None:
            self._alarm = asyncio.get_running_loop().call_later(max(0.0, at - self._now()), self._ring)

    def _ring(self) -> None:
        self._desk.expire(self._now())
        self._set_alarm()
        self._publish_soon()

    async def _publish_all(self) -> None:
        """Wait until all steps so far are on record and told, also when whoever waits goes away meanwhile."""
        await asyncio.shield(self._tasks.start(self._publish(), "publish holds", awaited=True))

    def _publish_soon(self) -> None:
        self._tasks.start(self._publish_or_complain(), "publish holds")

    async def _publish_or_complain(self) -> None:
        try:
            await self._publish()
        except RecorderError as error:
            log.error("a step of a hold could not be recorded: %s", error)

    async def _publish(self) -> None:
        async with self._in_order:
            failure: RecorderError | None = None
            for event in self._desk.take():
                if failure is None:
                    try:
                        await self._chain.audit(KINDS[event.step], _detail(event))
                    except RecorderError as error:
                        failure = error
                if failure is not None:
                    self._undo(event)
                else:
                    self.published.tell(event)
            if failure is not None:
                raise failure

    def _undo(self, event: Event) -> None:
        """Cancel what could not be recorded, for everybody."""
        why = "the session recorder is not available"
        self._desk.cancel(event.hold.id, why)
        hold = replace(event.hold, state=State.CANCELLED, why=why)
        self.published.tell(Event(step="ended", hold=hold))


def _new_id() -> str:
    return "H-" + "".join(secrets.choice(ID_LETTERS) for _ in range(ID_CHARS))


def _detail(event: Event) -> dict[str, Any]:
    """Return what the audit chain says of a step: never the statement, which only the recording holds."""
    hold, ask = event.hold, event.hold.ask
    detail: dict[str, Any] = {"hold": hold.id, "binding": ask.binding}
    if not ask.ahead:
        detail["session"] = ask.session
    match event.step:
        case "asked":
            detail |= {
                "identity": ask.identity,
                "target": ask.target,
                "login": ask.login,
                "rules": list(ask.rules),
                "policy": ask.policy,
                "expires_at": int(hold.expires_at),
            }
            if ask.ahead:  # no recording has it
                detail |= {"ahead": True, "run": ask.run, "good_until": int(ask.good_until)}
                detail |= {
                    "statement": "\n".join(map(plain, ask.statement.split("\n"))),
                    "stated": plain(ask.stated),
                }
        case "answered":
            answer = hold.answers[-1]
            detail |= {
                "person": answer.person,
                "by": answer.how,
                "answer": "approve" if answer.approve else "deny",
                "reason": answer.reason,
                "for_session": answer.for_session,
            }
        case "spent":
            detail |= {"run": ask.run, "how": hold.spent}
        case _:
            detail |= {"state": hold.state.value, "reason": hold.why}
            if hold.grant:
                detail["grant"] = hold.grant
    return detail
