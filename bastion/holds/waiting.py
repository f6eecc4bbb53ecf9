"""Let the statements of this process's sessions wait, and let go of each only what its own approval speaks of.

In      an Ask; what says that a reload has changed its verdict
Out     the Hold when it has ended
Holds   one future for each statement that waits here
Errors  CannotHold, RecorderError; whoever stops waiting withdraws the hold
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bastion.holds.binding import Binder
from bastion.holds.desk import Event
from bastion.holds.hold import Ask, Hold, State
from bastion.holds.office import Approvals

GONE = "the bot is gone"


@dataclass(slots=True, kw_only=True)
class _Place:
    hold: Hold
    ended: asyncio.Future[Hold]
    objection: Callable[[], str]


class Waiting:
    """The statements of one process that wait."""

    def __init__(self, approvals: Approvals, grant_key: bytes | None = None) -> None:
        self.binder = Binder()
        self.grants = Binder(grant_key)
        self._approvals = approvals
        self._places: dict[str, _Place] = {}
        self._sessions: set[str] = set()  # that have ever asked
        approvals.published.listen(self._heard)

    async def wait(
        self, ask: Ask, *, held: Callable[[Hold], Awaitable[None]], objection: Callable[[], str]
    ) -> Hold:
        """Put a statement on the desk, and wait for its end.

        `held` is called once it waits there; `objection` says why it may not run whatever people say, or nothing: it is
        asked after each reload, and before an approval counts. Raise CannotHold or RecorderError.
        """
        if not ask.ahead:
            self._sessions.add(ask.session)
        hold = await self._approvals.put(ask)
        ended = asyncio.get_running_loop().create_future()
        self._places[hold.id] = place = _Place(hold=hold, ended=ended, objection=objection)
        try:
            if hold.waits:
                await held(hold)
            known = hold if not hold.waits else self._approvals.published.find(hold.id)
            if known is not None and not known.waits and not ended.done():
                ended.set_result(known)  # it ended before anybody here could hear of it
            elif why := objection():  # the policy changed while it was being asked
                self._give_up(place, why)
            hold = await ended
        finally:
            self._places.pop(hold.id, None)
            if not ended.done() or ended.cancelled():
                self._approvals.drop(hold.id, State.WITHDRAWN, GONE)
        return self._good(ask, hold, objection)

    def recheck(self) -> None:
        """Give up what the configuration that has just come into force would not let run."""
        for place in list(self._places.values()):
            if why := place.objection():
                self._give_up(place, why)

    def cancel(self, why: str, *, session: str | None = None) -> list[str]:
        """Give up all that waits, or all of one session; return which holds those are."""
        places = [one for one in self._places.values() if session in (None, one.hold.ask.session)]
        for place in places:
            self._give_up(place, why)
        return [place.hold.id for place in places]

    def forget(self, session: str) -> None:
        """Let go of what was approved for the rest of a session, which is over."""
        if session in self._sessions:
            self._sessions.discard(session)
            self._approvals.forget(session, "the session is over")

    def _give_up(self, place: _Place, why: str) -> None:
        if not place.ended.done():
            self._approvals.drop(place.hold.id, State.CANCELLED, why)
            place.ended.set_result(replace(place.hold, state=State.CANCELLED, why=why))

    def _heard(self, event: Event) -> None:
        place = self._places.get(event.hold.id)
        if place is None:
            return
        place.hold = event.hold
        if not event.hold.waits and not place.ended.done():
            place.ended.set_result(event.hold)

    def _good(self, ask: Ask, hold: Hold, objection: Callable[[], str]) -> Hold:
        """Return the hold, cancelled if it was approved for something else than was asked, or by another policy."""
        if hold.state is not State.APPROVED:
            return hold
        if not Binder.same(ask.binding, hold.ask.binding):
            return replace(hold, state=State.CANCELLED, why="the approval is for another statement")
        if why := objection():
            return replace(hold, state=State.CANCELLED, why=why)
        return hold
