"""See the service's desk of holds from a worker: ask the supervisor, and keep a copy of what waits.

In      questions over the link; every step of every hold, as the supervisor tells it
Out     holds, to this worker's sessions and doors
Errors  CannotHold, AnswerRefused; StoreError when the supervisor is gone (law L2)
Holds   a copy of what is published
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from bastion.errors import Refused
from bastion.holds.callers import Caller
from bastion.holds.desk import Event
from bastion.holds.errors import AnswerRefused, CannotHold
from bastion.holds.hold import Ask, Hold, State, ask_from_json, ask_to_json, hold_from_json, hold_to_json
from bastion.holds.office import Office
from bastion.holds.published import Published
from bastion.workers.link import Link, Message
from bastion.workers.questions import Questions
from recorder.errors import RecorderError, StoreError

ASK_BYTES = 96 * 1024  # of an Ask as JSON: with all answers it must fit into one message of the link
NAME_CHARS = 64
REASON_CHARS = 1000  # more than any that is taken
OP = "hold"


class AskedApprovals(Questions):
    """The desk, as a worker sees it."""

    def __init__(self, link: Link) -> None:
        super().__init__(link, OP)
        self.published = Published()

    def stepped(self, message: Message) -> None:
        """Take in a step that the supervisor tells of."""
        self.published.tell(event_from_json(message["event"]))

    async def put(self, ask: Ask) -> Hold:
        told = ask_to_json(ask)
        if len(json.dumps(told)) > ASK_BYTES:
            raise CannotHold("what is known of it is too long")
        return _hold(await self.ask("ask", told), CannotHold)

    async def answer(
        self, caller: Caller, name: str, *, approve: bool, reason: str, for_session: bool
    ) -> Hold:
        known = self.published.find(name)
        groups = known.ask.groups if known is not None else frozenset[str]()  # others mean nothing here
        asks = replace(caller, groups=tuple(group for group in caller.groups if group in groups))
        words = (asks.to_json(), name[:NAME_CHARS], approve, reason[:REASON_CHARS], for_session)
        return _hold(await self.ask("answer", *words), AnswerRefused)

    async def looked(self, caller: Caller, what: str, hold: str = "") -> None:
        words = (replace(caller, groups=()).to_json(), what, hold[:NAME_CHARS])
        _check(await self.ask("looked", *words), AnswerRefused)

    async def broke_off(self, caller: Caller, name: str, *, approve: bool) -> None:
        words = (replace(caller, groups=()).to_json(), name[:NAME_CHARS], approve)
        _check(await self.ask("broke-off", *words), AnswerRefused)

    def drop(self, name: str, state: State, why: str) -> None:
        self._link.send({"op": OP, "question": 0, "what": "drop", "words": [name, state.value, why]})

    def forget(self, session: str, why: str) -> None:
        self._link.send({"op": OP, "question": 0, "what": "forget", "words": [session, why]})


async def answer(office: Office, link: Link, message: Message) -> None:
    """Answer a worker's question about holds."""
    said: dict[str, Any] = {}
    try:
        match message["what"], message["words"]:
            case "ask", [ask]:
                said = {"hold": hold_to_json(await office.put(ask_from_json(ask)))}
            case "answer", [caller, name, approve, reason, for_session]:
                hold = await office.answer(
                    Caller.from_json(caller), name, approve=approve, reason=reason, for_session=for_session
                )
                said = {"hold": hold_to_json(hold)}
            case "looked", [caller, what, name]:
                await office.looked(Caller.from_json(caller), what, name)
            case "broke-off", [caller, name, approve]:
                await office.broke_off(Caller.from_json(caller), name, approve=approve)
            case "drop", [name, state, why]:
                office.drop(name, State(state), why)
            case _, [session, why]:
                office.forget(session, why)
    except Refused as error:
        said = {"refused": error.public}
    except RecorderError as error:
        said = {"failed": str(error)}
    if message["question"]:
        link.send({"op": "hold-answer", "question": message["question"], "answer": said})


def event_to_json(event: Event) -> dict[str, Any]:
    """Return a step as JSON has it."""
    return {"step": event.step, "hold": hold_to_json(event.hold)}


def event_from_json(value: dict[str, Any]) -> Event:
    """Return what `event_to_json` was given."""
    return Event(step=value["step"], hold=hold_from_json(value["hold"]))


def _hold(said: dict[str, Any], refused: type[Refused]) -> Hold:
    _check(said, refused)
    return hold_from_json(said["hold"])


def _check(said: dict[str, Any], refused: type[Refused]) -> None:
    if "refused" in said:
        raise refused(said["refused"])
    if "failed" in said:
        raise StoreError(said["failed"])
