"""Keep all holds of a service, and take each through its life once: asked, answered, ended.

    waiting -> approved    as many distinct persons as every rule asks for
            -> denied      by one person
            -> expired     nobody has decided in time
            -> withdrawn   the bot is gone
            -> cancelled   the bastion gives it up

What was asked ahead and approved is a grant, which is spent once: used by a statement of its run, expired, or revoked.

In      questions of sessions, answers of people, the time
Out     holds as they stand; Event for each step, in order, taken by `take`
Holds   MAX_WAITING holds that wait, MAX_OF_IDENTITY of one identity, MAX_OF_SESSION of one session; MAX_ENDED that have
        ended; for each session the bindings that were approved for the rest of it (MAX_GRANTS)
Errors  CannotHold, AnswerRefused; nothing has changed then
Source  docs/approvals.md
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from bastion.holds.eligible import Circle, Voter, may_see, missing, objection
from bastion.holds.errors import AnswerRefused, CannotHold
from bastion.holds.hold import MAX_STATEMENT_BYTES, Answer, Ask, Hold, State

MAX_WAITING = 1000
MAX_OF_IDENTITY = 300
MAX_OF_SESSION = 64
MAX_ENDED = 1000
MAX_GRANTS = 64
MAX_AHEAD_OF_RUN = 32
MAX_REASON_CHARS = 200

Step = Literal["asked", "answered", "ended", "spent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step of one hold, which is as it stands after it."""

    step: Step
    hold: Hold


def full_id(name: str) -> str:
    """Return an id as it is written, from what a person has typed."""
    wanted = name.upper()
    return wanted if wanted.startswith("H-") else f"H-{wanted}"


class Desk:
    """The holds of one service."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """`new_id` gives ids at random; those that are in use or were used lately are not taken."""
        self._new_id = new_id
        self._waiting: dict[str, Hold] = {}
        self._ended: OrderedDict[str, Hold] = OrderedDict()
        self._ahead: dict[str, Hold] = {}  # grants for later sessions
        self._grants: dict[str, dict[str, tuple[str, ...]]] = {}
        self._events: deque[Event] = deque()

    def take(self) -> list[Event]:
        """Return the steps since the last call."""
        events = list(self._events)
        self._events.clear()
        return events

    def waiting(self) -> list[Hold]:
        """Return what waits, the newest last."""
        return list(self._waiting.values())

    def find(self, name: str) -> Hold | None:
        """Return a hold by its id, in any case and with or without its H-, also one that has ended lately."""
        wanted = full_id(name)
        return self._waiting.get(wanted) or self._ended.get(wanted)

    def next_expiry(self) -> float | None:
        """Return when the next hold or grant expires."""
        times = [hold.expires_at for hold in self._waiting.values()]
        return min((*times, *(hold.ask.good_until for hold in self._ahead.values())), default=None)

    # What a session does.

    def ask(self, ask: Ask, now: float) -> Hold:
        """Put a statement on the desk; it has ended at once if it was approved for the session already."""
        self._expire_grants(now)
        self._check_room(ask)
        expires_s = min(*(terms.approvers.expires_s for terms in ask.terms), ask.within_s)
        hold = Hold(id=self._fresh_id(), ask=ask, asked_at=now, expires_at=now + expires_s)
        self._waiting[hold.id] = hold
        self._events.append(Event(step="asked", hold=hold))
        if (ahead := self._grant_for(ask)) is not None:
            self._spend(ahead, f"used in session {ask.session}")
            return self._end(
                replace(hold, grant=ahead.id), State.APPROVED, f"{ahead.why} (asked ahead as {ahead.id})"
            )
        granted = self._grants.get(ask.session, {}).get(ask.binding)
        if granted is not None:
            return self._end(
                hold, State.APPROVED, f"by {' and '.join(granted)}, for the rest of this session"
            )
        return hold

    def withdraw(self, name: str, why: str) -> Hold | None:
        """End a hold whose bot is gone; None if it does not wait."""
        hold = self._waiting.get(name)
        return None if hold is None else self._end(hold, State.WITHDRAWN, why)

    def cancel(self, name: str, why: str) -> Hold | None:
        """Give a hold up; None if it does not wait."""
        hold = self._waiting.get(name)
        return None if hold is None else self._end(hold, State.CANCELLED, why)

    def forget(self, sessions: Iterable[str], why: str) -> None:
        """Give up the holds of sessions that are over, and what was approved for the rest of them."""
        gone = set(sessions)
        for hold in self.waiting():
            if hold.ask.session in gone:
                self._end(hold, State.CANCELLED, why)
        for session in gone:
            self._grants.pop(session, None)

    def revoke(self, why: Callable[[Hold], str]) -> None:
        """Give up those that are asked ahead, and the grants, of which `why` gives a reason."""
        for hold in [one for one in (*self._waiting.values(), *self._ahead.values()) if one.ask.ahead]:
            if reason := why(hold):
                if hold.waits:
                    self._end(hold, State.CANCELLED, reason)
                else:
                    self._spend(hold, f"revoked: {reason}")

    def distrust(self, person: str) -> None:
        """Forget what somebody has approved for the rest of sessions."""
        for grants in self._grants.values():
            for binding in [binding for binding, persons in grants.items() if person in persons]:
                del grants[binding]

    # What time does.

    def expire(self, now: float) -> None:
        """End what has waited long enough, and grants that nobody has used."""
        self._expire_grants(now)
        for hold in self.waiting():
            if now >= hold.expires_at:
                self._end(hold, State.EXPIRED, "nobody has decided in time")

    # What people do.

    def answer(
        self,
        name: str,
        voter: Voter,
        circle: Circle,
        *,
        approve: bool,
        reason: str,
        for_session: bool,
        now: float,
    ) -> Hold:
        """Take one person's answer; return the hold as it stands after it, or raise AnswerRefused."""
        self.expire(now)
        hold = self.find(name)
        if hold is None or not may_see(hold.ask, voter.groups):
            raise AnswerRefused(f"there is no hold {name[:32]} that {voter.person} may see")
        if not hold.waits:
            raise AnswerRefused(f"{hold.id} waits no more: {hold.outcome}")
        if len(reason) > MAX_REASON_CHARS:
            raise AnswerRefused(f"the reason is longer than {MAX_REASON_CHARS} characters")
        if approve:
            self._check_approval(hold, voter, circle, for_session)
        answer = Answer(
            person=voter.person,
            groups=tuple(sorted(voter.groups & hold.ask.groups)),
            how=voter.how,
            approve=approve,
            reason=reason,
            for_session=for_session and approve,
            at=now,
        )
        hold = replace(hold, answers=(*hold.answers, answer))
        self._waiting[hold.id] = hold
        self._events.append(Event(step="answered", hold=hold))
        if not approve:
            said = f": {reason}" if reason else ""
            return self._end(hold, State.DENIED, f"by {voter.person}{said}")
        if missing(hold, circle) > 0:
            return hold
        return self._approve(hold)

    def _check_approval(self, hold: Hold, voter: Voter, circle: Circle, for_session: bool) -> None:
        objections = [objection(hold.ask, terms, voter, circle) for terms in hold.ask.terms]
        if not any(one is None for one in objections):
            raise AnswerRefused(next(one for one in objections if one is not None))
        if any(answer.person == voter.person for answer in hold.approvals()):
            more = missing(hold, circle)
            raise AnswerRefused(
                f"{voter.person} has approved {hold.id} already; it waits for {more} more of other persons"
            )
        if for_session and not hold.ask.for_session:
            raise AnswerRefused(
                f"rule {', '.join(hold.ask.rules)} takes no approval for the rest of a session"
            )

    def _approve(self, hold: Hold) -> Hold:
        approvals = hold.approvals()
        persons = tuple(answer.person for answer in approvals)
        grants = self._grants.setdefault(hold.ask.session, {})
        if all(answer.for_session for answer in approvals) and len(grants) < MAX_GRANTS:
            grants[hold.ask.binding] = persons
        said = "; ".join(answer.reason for answer in approvals if answer.reason)
        hold = self._end(hold, State.APPROVED, f"by {' and '.join(persons)}" + (f": {said}" if said else ""))
        if hold.ask.ahead:
            self._ahead[hold.id] = hold
        return hold

    def _grant_for(self, ask: Ask) -> Hold | None:
        """Return the oldest grant for this very statement of this run, under the same rules."""
        if ask.ahead or not ask.grant:
            return None
        fits = (ask.grant, ask.run, ask.terms)
        grants = self._ahead.values()
        return next((one for one in grants if (one.ask.grant, one.ask.run, one.ask.terms) == fits), None)

    def _expire_grants(self, now: float) -> None:
        for hold in [one for one in self._ahead.values() if now >= one.ask.good_until]:
            self._spend(hold, "expired: nothing has used it in time")

    def _spend(self, hold: Hold, how: str) -> None:
        """End a grant."""
        del self._ahead[hold.id]
        hold = replace(hold, spent=how)
        self._ended[hold.id] = hold
        self._events.append(Event(step="spent", hold=hold))

    def _end(self, hold: Hold, state: State, why: str) -> Hold:
        hold = replace(hold, state=state, why=why)
        self._waiting.pop(hold.id, None)
        self._ended[hold.id] = hold
        if len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)
        self._events.append(Event(step="ended", hold=hold))
        return hold

    def _check_room(self, ask: Ask) -> None:
        size_bytes = len(ask.statement.encode("utf-8", "surrogateescape"))
        if size_bytes > MAX_STATEMENT_BYTES:
            raise CannotHold(
                f"it has {size_bytes} bytes, and nobody can judge more than {MAX_STATEMENT_BYTES} at once"
            )
        holds = self._waiting.values()
        ahead = [*holds, *self._ahead.values()]
        for most, count, whose in (
            (MAX_WAITING, len(holds), "in all"),
            (MAX_OF_IDENTITY, sum(hold.ask.identity == ask.identity for hold in holds), "of this identity"),
            (
                (
                    MAX_AHEAD_OF_RUN,
                    sum(hold.ask.ahead and hold.ask.run == ask.run for hold in ahead),
                    "of this run",
                )
                if ask.ahead
                else (
                    MAX_OF_SESSION,
                    sum(hold.ask.session == ask.session for hold in holds),
                    "of this session",
                )
            ),
        ):
            if count >= most:
                raise CannotHold(f"{count} statements {whose} wait for an approval already")

    def _fresh_id(self) -> str:
        while (name := self._new_id()) in self._waiting or name in self._ended:
            pass
        return name
