"""Serve one live screen: tell it what waits and what becomes of it, and take the answers that are given on it.

The screen is drawn elsewhere, by a process of its own: here is only its side of the desk.

In      JSON lines from the screen: {"look": ID}, {"begin": ID, "approve": true}, {"leave": ID},
        {"answer": ID, "approve": true, "reason": "…", "for_session": false}
Out     JSON lines: {"hello": …}, {"event": …} for each step, {"ready": true} after those that wait already,
        {"looked": ID, "objection": …}, {"told": TEXT, "hold": ID, "effect": true}, {"bye": TEXT, "status": 1}
Holds   FOLLOWED lines for a screen that reads slowly; one that reads slower than that is let go of
Errors  none: they are told
Source  docs/approvals.md; docs/adr/0015-a-process-draws-each-live-screen.md
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bastion.holds.callers import Caller
from bastion.holds.desk import Event
from bastion.holds.errors import AnswerRefused
from bastion.holds.hold import Hold, State, hold_to_json
from bastion.holds.office import Approvals
from bastion.served import Live, NotAllowed
from bastion.tasks import Tasks
from recorder.errors import RecorderError

FOLLOWED = 1000
LOOKED = "approvals, on a live screen"
NO_REASON = "a denial says why: the bot is told"


class View(Protocol):
    """What a caller may see and do; each may raise NotAllowed."""

    def sees(self, caller: Caller, hold: Hold) -> bool: ...
    def objection(self, caller: Caller, hold: Hold) -> str | None: ...
    def name(self, caller: Caller) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """An answer that somebody is about to give."""

    hold: str
    approve: bool


class LiveScreen:
    """One screen, while it is open."""

    def __init__(
        self, approvals: Approvals, view: View, now: Callable[[], float], caller: Caller, live: Live
    ) -> None:
        self._approvals = approvals
        self._view = view
        self._now = now
        self._caller = caller
        self._live = live
        self._lines: asyncio.Queue[Event | dict[str, Any]] = asyncio.Queue(FOLLOWED)
        self._looked: set[str] = set()
        self._begun: _Begun | None = None

    async def serve(self) -> None:
        """Tell and hear until the screen is gone."""
        await self._approvals.looked(self._caller, LOOKED)
        published, tasks = self._approvals.published, Tasks()
        waiting = published.waiting()
        unlisten = published.listen(self._put)
        try:
            tasks.start(self._tell(waiting), "tell a live screen")
            await self._hear()
        finally:
            unlisten()
            await tasks.cancel()
            if self._begun is not None:
                await self._approvals.broke_off(self._caller, self._begun.hold, approve=self._begun.approve)

    # What it is told.

    def _put(self, line: Event | dict[str, Any]) -> None:
        try:
            self._lines.put_nowait(line)
        except asyncio.QueueFull:
            self._live.writer.transport.abort()

    async def _tell(self, waiting: list[Hold]) -> None:
        try:
            await self._send({"hello": self._view.name(self._caller), "now": self._now()})
            for hold in waiting:
                await self._tell_step("waits", hold)
            await self._send({"ready": True})
            while True:
                line = await self._lines.get()
                if isinstance(line, Event) and line.step == "spent":
                    continue  # nobody is asked anything by it
                if isinstance(line, Event):
                    await self._tell_step(line.step, line.hold)
                else:
                    await self._send(line)
        except NotAllowed as error:
            await self._send({"bye": str(error), "status": 126})
            self._live.writer.close()
        except OSError:
            self._live.writer.close()

    async def _tell_step(self, step: str, hold: Hold) -> None:
        if self._view.sees(self._caller, hold):
            await self._send({"event": step, "hold": hold_to_json(hold)})
            await asyncio.sleep(0)  # many may wait: others have their turn between two

    async def _send(self, message: dict[str, Any]) -> None:
        self._live.writer.write(json.dumps(message).encode() + b"\n")
        await self._live.writer.drain()

    # What it says.

    async def _hear(self) -> None:
        """Take what the screen says until it says nothing more, or what no screen would say."""
        while True:
            try:
                line = await self._live.reader.readline()
                said = json.loads(line) if line else None
            except (OSError, ValueError, RecursionError):
                return
            if not isinstance(said, dict) or not await self._heard(said):
                return

    async def _heard(self, said: dict[str, Any]) -> bool:
        match said:
            case {"look": str(name)}:
                await self._look(name)
            case {"begin": str(name), "approve": bool(approve)}:
                self._begun = _Begun(hold=name, approve=approve)
            case {"leave": str()}:
                self._begun = None
            case {
                "answer": str(name),
                "approve": bool(approve),
                "reason": str(reason),
                "for_session": bool(lasts),
            }:
                await self._answer(name, approve=approve, reason=reason, for_session=lasts)
            case _:
                return False
        return True

    async def _look(self, name: str) -> None:
        """Record that this hold was looked at (law L9), once for each screen, and say whether they may approve it."""
        try:
            hold = self._approvals.published.find(name)
            if hold is None or not self._view.sees(self._caller, hold):
                return
            if hold.id not in self._looked:
                await self._approvals.looked(self._caller, LOOKED, hold.id)
                self._looked.add(hold.id)
            self._put({"looked": hold.id, "objection": self._view.objection(self._caller, hold)})
        except NotAllowed as error:
            self._put({"bye": str(error), "status": 126})
        except (AnswerRefused, RecorderError) as error:
            self._put({"told": error.public, "hold": name, "effect": False})

    async def _answer(self, name: str, *, approve: bool, reason: str, for_session: bool) -> None:
        if self._live.gone.is_set():
            return  # the terminal died under it: `serve` says so
        self._begun = None
        if not approve and not reason.strip():
            self._put({"told": NO_REASON, "hold": name, "effect": False})
            return
        try:
            hold = await self._approvals.answer(
                self._caller, name, approve=approve, reason=reason, for_session=for_session
            )
        except (AnswerRefused, RecorderError) as error:
            self._put({"told": error.public, "hold": name, "effect": False})
            return
        waits = hold.state is State.WAITING
        told = "has your approval and waits for that of others" if waits else hold.outcome
        self._put({"told": f"{hold.id} {told}", "hold": hold.id, "effect": True})
