"""Judge answers to holds that come over HTTP: who they are from, and whether they are new; then let the desk decide.

A program of a person's answers with that person's own key. Slack answers for its users, by its own signature and their
ids, which the aliases of persons name. Either is one more door of the desk: who may answer what is decided there.

In      headers and body of a request; the configuration and the secrets in force
Out     Reply
Holds   the ids of messages that were taken in the last TOLERANCE_S, at most NONCES: past that none is taken
Errors  none: each is a Reply; `fault` says what is to go on the record of a message that nobody is known to have sent
Source  docs/notifications.md
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from bastion.errors import Refused
from bastion.holds.callers import Caller
from bastion.holds.desk import MAX_REASON_CHARS
from bastion.holds.errors import AnswerRefused
from bastion.holds.hold import Hold, State
from bastion.holds.office import Approvals
from bastion.notices.payload import APPROVE, DENY
from bastion.notices.secrets import Secrets
from bastion.notices.signing import (
    SLACK_TIMESTAMP,
    TIMESTAMP,
    TOLERANCE_S,
    BadSignature,
    check_signed,
    check_slack,
)
from bastion.settings import ChannelSettings, Config
from bastion.strict_json import read_object
from bastion.throttle import Throttle
from recorder.errors import RecorderError
from recorder.terminal import plain

PERSON = "bastion-person"
NONCES = 10_000
BURST, PER_S = 30.0, 1.0
NAME_CHARS = 64


class _Malformed(Refused):
    """A message whose signature holds, and that says nothing that can be done."""

    code = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the sender is told. `fault` goes on the record, with its source; `tell` is to be posted to that URL."""

    status: int
    said: Mapping[str, Any]
    fault: str = ""
    tell: tuple[str, str] | None = field(default=None, repr=False)


class Signatures(Protocol):
    """The secrets in force."""

    def __call__(self) -> Secrets: ...


class AnswerDesk:
    """The desk's door for HTTP, without the HTTP."""

    def __init__(
        self,
        approvals: Approvals,
        *,
        config: Callable[[], Config],
        secrets: Signatures,
        now: Callable[[], float],
    ) -> None:
        self._approvals = approvals
        self._config = config
        self._secrets = secrets
        self._now = now
        self._began = now()
        self._taken: OrderedDict[str, float] = OrderedDict()
        self._throttle = Throttle(burst=BURST, per_s=PER_S)

    async def signed(self, headers: Mapping[str, str], body: bytes, peer: str) -> Reply:
        """Take an answer that a program of a person's has signed."""
        person = headers.get(PERSON, "")
        key = self._secrets().persons.get(person)
        try:
            if key is None:
                raise BadSignature(f"no person of that name ({PERSON}) has a key for answers")
            message = f"{person}\0{check_signed(key, headers, body, self._now())}"
            self._check_new(message, int(headers[TIMESTAMP]))
            self._check_pace(person)  # before it is noted: nobody's loop takes the room of others
            self._note(message)
        except BadSignature as error:
            return _refused(
                401, error, fault=f"an answer of {plain(person[:NAME_CHARS]) or 'nobody'}: {error.public}"
            )
        except AnswerRefused as error:
            return _no_effect(error)
        try:
            told = _answer_in(body)
            caller = Caller(how=f"{person} by a signed answer from {peer}", person=person)
            hold = await self._approvals.answer(
                caller,
                told.hold,
                approve=told.approve,
                reason=told.reason,
                for_session=told.for_session,
            )
        except (Refused, RecorderError) as error:
            return _no_effect(error)
        return Reply(status=200, said={"hold": hold.id, "state": hold.state.value, "said": _said(hold)})

    async def slack(self, name: str, headers: Mapping[str, str], body: bytes, peer: str) -> Reply:
        """Take what Slack says that one of its users has pressed."""
        channel = next((one for one in self._config().channels if one.name == name), None)
        secret = self._secrets().channels.get(name)
        try:
            if channel is None or channel.kind != "slack" or secret is None or secret.key is None:
                raise BadSignature("there is no such channel that takes answers")
            signature = check_slack(secret.key, headers, body, self._now())
            self._check_new(signature, int(headers[SLACK_TIMESTAMP]))
            self._note(signature)
        except BadSignature as error:
            return _refused(401, error, fault=f"slack {plain(name[:NAME_CHARS])}: {error.public}")
        origin = _origin(secret.urls[0])
        try:
            press = _press_in(body)
        except _Malformed as error:
            return _refused(400, error)
        url = press.response_url if _origin(press.response_url) == origin else None
        told, fault = await self._pressed(channel, press, peer)
        said = {"text": told}
        return Reply(status=200, said=said, fault=fault, tell=(url, told) if url else None)

    async def _pressed(self, channel: ChannelSettings, press: _Press, peer: str) -> tuple[str, str]:
        """Answer for a user of Slack; return what they are told, and what goes on the record as a stranger's."""
        who = f"Slack user {plain(press.user[:NAME_CHARS])} in {channel.name}"
        if channel.team is not None and press.team != channel.team:
            return (
                "no effect: this workspace is not the one that answers come from",
                f"{who}: another workspace",
            )
        names = [one.name for one in self._config().persons if one.aliases.get(channel.name) == press.user]
        if len(names) != 1:
            told = f"no effect: {press.user[:NAME_CHARS]} is nobody's alias for {channel.name}"
            return told, f"{who}: is no declared person"
        try:
            self._check_pace(names[0])
            known = self._approvals.published.find(press.hold)
            if known is not None and known.ask.session != press.session:
                raise AnswerRefused(f"{press.hold[:NAME_CHARS]} waits no more")
            caller = Caller(how=f"{who}, from {peer}", person=names[0])
            hold = await self._approvals.answer(
                caller,
                press.hold,
                approve=press.approve,
                reason="" if press.approve else f"by a button in {channel.name}",
                for_session=False,
            )
        except (Refused, RecorderError) as error:
            return f"no effect: {error.public}", ""
        return f"{hold.id} {_said(hold)}", ""

    def _check_new(self, message: str, at: int) -> None:
        """Raise BadSignature if a message that is signed well was taken before, or there is no room to note it.

        What was signed before this bastion began may have been taken by the one before, and is not taken again.
        """
        now = self._now()
        while self._taken and next(iter(self._taken.values())) < now - 2 * TOLERANCE_S:
            self._taken.popitem(last=False)
        if message in self._taken:
            raise BadSignature("this very message was taken before")
        if at < int(self._began):
            raise BadSignature("it was signed before this bastion began: sign it anew")
        if len(self._taken) >= NONCES:
            raise BadSignature("more messages came lately than can be told apart: try again later")

    def _note(self, message: str) -> None:
        self._taken[message] = self._now()

    def _check_pace(self, person: str) -> None:
        if not self._throttle.admit(person, self._now()):
            raise AnswerRefused(f"{person} answers too often: try again in a while")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    hold: str
    approve: bool
    reason: str
    for_session: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Press:
    user: str
    team: str
    hold: str
    session: str
    approve: bool
    response_url: str


def _answer_in(body: bytes) -> _Answer:
    """Return what a signed answer says; raise _Malformed."""
    try:
        said = read_object(body)
    except ValueError as error:
        raise _Malformed(f"the body is no JSON object: {error}") from None
    unknown = said.keys() - {"hold", "answer", "reason", "for_session"}
    hold, answer = said.get("hold"), said.get("answer")
    reason, for_session = said.get("reason", ""), said.get("for_session", False)
    if unknown or not isinstance(hold, str) or answer not in ("approve", "deny"):
        raise _Malformed(
            'expected {"hold": ID, "answer": "approve" or "deny", "reason": TEXT, "for_session": BOOL}'
        )
    if not isinstance(reason, str) or not isinstance(for_session, bool) or len(reason) > MAX_REASON_CHARS:
        raise _Malformed(
            f"reason is a text of at most {MAX_REASON_CHARS} characters, for_session true or false"
        )
    if answer == "deny" and not reason.strip():
        raise _Malformed("reason says why, and the bot is told")
    return _Answer(
        hold=hold[:NAME_CHARS],
        approve=answer == "approve",
        reason=reason,
        for_session=for_session and answer == "approve",
    )


def _press_in(body: bytes) -> _Press:
    """Return which of our buttons was pressed by whom; raise _Malformed."""
    try:
        form = parse_qs(body.decode("utf-8"), strict_parsing=True, max_num_fields=8)
        payload = json.loads(form["payload"][0])
        (action,) = payload["actions"]
        value = json.loads(action["value"])
        press = _Press(
            user=payload["user"]["id"],
            team=(payload.get("team") or {}).get("id") or payload["user"].get("team_id") or "",
            hold=value["hold"],
            session=value["session"],
            approve=action["action_id"] == APPROVE,
            response_url=payload.get("response_url") or "",
        )
        known = payload["type"] == "block_actions" and action["action_id"] in (APPROVE, DENY)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        known = False
    if not known or not all(
        isinstance(one, str) for one in (press.user, press.team, press.hold, press.session)
    ):
        raise _Malformed("this is no button of the bastion's")
    return press


def _origin(url: object) -> tuple[str, str, int | None] | None:
    """Return where a URL leads; None for what is none."""
    try:
        parts = urlsplit(str(url))
        return (parts.scheme, parts.hostname, parts.port) if parts.hostname else None
    except ValueError:
        return None


def _said(hold: Hold) -> str:
    if hold.state is State.WAITING:
        return "has your approval and waits for that of others"
    return plain(hold.outcome)


def _refused(status: int, error: Refused, fault: str = "") -> Reply:
    return Reply(status=status, said={"error": plain(error.public)}, fault=fault)


def _no_effect(error: Refused | RecorderError) -> Reply:
    status = 503 if isinstance(error, RecorderError) else 400 if isinstance(error, _Malformed) else 409
    return Reply(status=status, said={"error": plain(error.public)})
