"""Answers over HTTP count for whom their signature says, once, and for nobody else (T36)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bastion.holds.hold import Hold, State
from bastion.holds.office import Office
from bastion.identity import Identity, Person
from bastion.notices import answers as answers_module
from bastion.notices.answers import BURST, AnswerDesk, Reply
from bastion.notices.payload import APPROVE, DENY
from bastion.notices.secrets import ChannelSecrets, Secrets
from bastion.notices.signing import signed_headers
from bastion.settings import ChannelSettings, Config, NotifyFilter
from tests.unit.bastion.holds.holds_fixture import ALEX, DANA, KIM, SAM, ask, terms

KEYS = {ALEX: b"alex-" * 8, KIM: b"kim--" * 8, DANA: b"dana-" * 8, SAM: b"sam--" * 8}
SLACK = b"the signing secret of the app"
HOOK = "https://hooks.slack.com/services/T0/B0/x"
REPLY = "https://hooks.slack.com/actions/T0/1/y"


def person(name: str, ci: str, slack: str) -> Person:
    return Person(name=name, aliases={"ci": ci, "ops": slack}, groups=("dba",))


def channel(name: str = "ops", kind: Any = "slack", team: str | None = None) -> ChannelSettings:
    return ChannelSettings(
        name=name,
        kind=kind,
        url_file=Path("u"),
        key_file=Path("k"),
        team=team,
        tells=NotifyFilter(events=frozenset({"hold.asked"})),
    )


class Recorder:
    """The audit chain."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Mapping[str, Any]]] = []

    async def audit(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.entries.append((kind, detail))


class Door:
    """An office with a hold that waits, and the desk that answers come to."""

    def __init__(self) -> None:
        self.at = 1_795_000_000.0
        self.chain = Recorder()
        self.audit = self.chain.entries
        self.ids = itertools.count(1)
        self.persons = (
            person(DANA, "dana", "U0DANA"),
            person(SAM, "sam", "U0SAM"),
            person(ALEX, "alex", "U0ALEX"),
            person(KIM, "kim", "U0KIM"),
        )
        self.config = cast(
            Config,
            SimpleNamespace(
                policy=SimpleNamespace(masking_of_all=lambda: None),
                persons=self.persons,
                identities=(
                    Identity(
                        name="deployer",
                        owner=DANA,
                        issuer="ci",
                        match={"a": "b"},
                        groups=(),
                        lifetime_s=900,
                        session_s=900,
                    ),
                ),
                channels=(channel(), channel("plain", "webhook"), channel("teamed", team="T0ACME")),
            ),
        )
        secret = ChannelSecrets(urls=(HOOK,), key=SLACK)
        self.secrets = Secrets(channels={"ops": secret, "plain": secret, "teamed": secret}, persons=KEYS)
        self.office = Office(self.chain, self.config, lambda: self.at)
        self.desk = AnswerDesk(
            self.office, config=lambda: self.config, secrets=lambda: self.secrets, now=lambda: self.at
        )

    async def hold(self, **fields: Any) -> Hold:
        return await self.office.put(ask(terms(expires_s=600), **fields))

    async def signed(
        self,
        who: str,
        answer: Any,
        *,
        key: bytes | None = None,
        message: str | None = None,
        at: float | None = None,
    ) -> Reply:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        stamp = int(self.at if at is None else at)
        headers = signed_headers(key or KEYS.get(who, b"?"), message or f"m{next(self.ids)}", stamp, body)
        return await self.desk.signed({**headers, "bastion-person": who}, body, "192.0.2.7")

    def press(self, hold: Hold, user: str, action: str = APPROVE, **changes: Any) -> bytes:
        value = json.dumps({"hold": hold.id, "session": changes.pop("session", hold.ask.session)})
        payload = {
            "type": "block_actions",
            "user": {"id": user},
            "team": {"id": "T0ACME"},
            "response_url": REPLY,
            "trigger": next(self.ids),
            "actions": [{"action_id": action, "value": value}],
            **changes,
        }
        return urllib.parse.urlencode({"payload": json.dumps(payload)}).encode()

    async def slack(self, body: bytes, name: str = "ops", key: bytes = SLACK) -> Reply:
        stamp = str(int(self.at))
        mac = hmac.new(key, f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
        headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={mac}"}
        return await self.desk.slack(name, headers, body, "192.0.2.8")

    def state(self, hold: Hold) -> State:
        found = self.office.published.find(hold.id)
        assert found is not None
        return found.state


@pytest.fixture
async def door() -> Door:
    return Door()


async def test_a_signed_answer_approves_and_another_denies(door: Door) -> None:
    first, second = await door.hold(), await door.hold(session="02SESSION")
    reply = await door.signed(KIM, {"hold": first.id.lower(), "answer": "approve", "reason": "seen"})
    assert (reply.status, reply.said["said"], reply.fault) == (200, f"approved by {KIM}: seen", "")
    reply = await door.signed(ALEX, {"hold": second.id, "answer": "deny", "reason": "no"})
    assert (reply.status, reply.said["state"]) == (200, "denied")
    kinds = [kind for kind, _detail in door.audit]
    assert kinds.count("hold.answered") == 2


async def test_two_persons_are_two_keys(door: Door) -> None:
    hold = await door.office.put(ask(terms(count=2, expires_s=600)))
    answer = {"hold": hold.id, "answer": "approve"}
    reply = await door.signed(KIM, answer)
    assert reply.said["said"] == "has your approval and waits for that of others"
    again = await door.signed(KIM, answer)
    assert (again.status, "has approved" in again.said["error"]) == (409, True)
    assert (await door.signed(ALEX, answer)).said["state"] == "approved"


@pytest.mark.parametrize(("who", "why"), [(DANA, "owns deployer"), (SAM, "triggered this run")])
async def test_t36_neither_owner_nor_actor_approves_by_a_signature(door: Door, who: str, why: str) -> None:
    hold = await door.hold()
    reply = await door.signed(who, {"hold": hold.id, "answer": "approve"})
    assert (reply.status, why in reply.said["error"]) == (409, True)
    assert door.state(hold) is State.WAITING
    assert door.audit[-1][0] == "hold.answer-refused"


async def test_t36_one_persons_key_is_no_other_persons(door: Door) -> None:
    hold = await door.hold()
    for who, key in (
        (KIM, KEYS[ALEX]),
        (DANA, KEYS[KIM]),
        ("nobody@acme.example", KEYS[KIM]),
        ("", KEYS[KIM]),
    ):
        reply = await door.signed(who, {"hold": hold.id, "answer": "approve"}, key=key)
        assert reply.status == 401
        assert reply.fault
    assert door.state(hold) is State.WAITING


async def test_t36_a_message_is_taken_once(door: Door) -> None:
    first = await door.hold()
    assert (await door.signed(KIM, {"hold": first.id, "answer": "approve"}, message="once")).status == 200
    second = await door.hold(session="02SESSION")
    replayed = await door.signed(KIM, {"hold": second.id, "answer": "approve"}, message="once")
    assert (replayed.status, replayed.said["error"]) == (401, "this very message was taken before")
    assert (await door.signed(ALEX, {"hold": second.id, "answer": "approve"}, message="once")).status == 200


async def test_t36_what_was_signed_before_a_restart_is_not_taken_after_it(door: Door) -> None:
    hold = await door.hold()
    reply = await door.signed(KIM, {"hold": hold.id, "answer": "approve"}, at=door.at - 2)
    assert (reply.status, "before this bastion began" in reply.said["error"]) == (401, True)


async def test_t36_ids_of_messages_are_kept_as_long_as_they_could_be_replayed(door: Door) -> None:
    await door.signed(KIM, b"{}", message="once")
    door.at += 299
    assert (await door.signed(KIM, b"{}", message="once", at=door.at - 299)).status == 401
    door.at += 100_000
    assert (await door.signed(KIM, b"{}", message="once")).status == 400, (
        "a time that is new, and no JSON that is"
    )


async def test_t36_with_no_room_for_more_ids_nothing_is_taken(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "NONCES", 1)
    await door.signed(KIM, b"{}")
    assert "try again later" in (await door.signed(KIM, b"{}")).said["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"hold": "H-1", "hold": "H-2", "answer": "approve"}',
        b'{"hold": 7, "answer": "approve"}',
        b'{"hold": "H-1", "answer": "Approve"}',
        b'{"hold": "H-1", "answer": "deny"}',
        b'{"hold": "H-1", "answer": "deny", "reason": 7}',
        b'{"hold": "H-1", "answer": "approve", "for_session": "yes"}',
        b'{"hold": "H-1", "answer": "approve", "person": "alex"}',
        b'{"hold": "H-1", "answer": "approve", "reason": "' + b"x" * 300 + b'"}',
        b"[" * 100_000,
    ],
)
async def test_what_is_signed_and_says_nothing_has_no_effect(door: Door, body: bytes) -> None:
    reply = await door.signed(KIM, body)
    assert (reply.status, reply.fault) == (400, "")


async def test_an_answer_after_the_end_is_told_so(door: Door) -> None:
    hold = await door.hold()
    door.at += 601
    reply = await door.signed(KIM, {"hold": hold.id, "answer": "approve"})
    assert (reply.status, "expired" in reply.said["error"]) == (409, True)


async def test_who_answers_in_a_loop_is_slowed_down(door: Door) -> None:
    replies = [await door.signed(KIM, {"hold": "H-NONE", "answer": "approve"}) for _ in range(100)]
    assert sum("too often" in reply.said["error"] for reply in replies) == 100 - BURST
    assert len(door.audit) == BURST, "what is not asked of the desk is not on the record each time"


async def test_a_press_in_slack_approves_and_another_denies(door: Door) -> None:
    first, second = await door.hold(), await door.hold(session="02SESSION")
    reply = await door.slack(door.press(first, "U0KIM"))
    assert (reply.status, reply.tell) == (200, (REPLY, f"{first.id} approved by {KIM}"))
    reply = await door.slack(door.press(second, "U0ALEX", DENY))
    assert reply.tell == (REPLY, f"{second.id} denied by {ALEX}: by a button in ops")


@pytest.mark.parametrize(
    ("user", "told", "fault"),
    [
        ("U0DANA", f"no effect: {DANA} owns deployer, and nobody approves what they own", False),
        ("U0SAM", f"no effect: {SAM} triggered this run, and nobody approves what they triggered", False),
        ("U0NOBODY", "no effect: U0NOBODY is nobody's alias for ops", True),
        ("u0kim", "no effect: u0kim is nobody's alias for ops", True),
        ("dana", "no effect: dana is nobody's alias for ops", True),
    ],
)
async def test_t36_reading_a_channel_is_not_enough_to_answer_in_it(
    door: Door, user: str, told: str, fault: bool
) -> None:
    hold = await door.hold()
    reply = await door.slack(door.press(hold, user))
    assert (reply.status, reply.said["text"], bool(reply.fault)) == (200, told, fault)
    if fault:
        assert (await door.slack(door.press(hold, user, DENY))).said["text"] == told
    assert door.state(hold) is State.WAITING


async def test_t36_what_slack_did_not_sign_for_this_channel_has_no_effect(door: Door) -> None:
    hold = await door.hold()
    body = door.press(hold, "U0KIM")
    assert (await door.slack(body, key=b"another secret")).status == 401
    for name in ("plain", "nowhere", "", "../ops"):
        assert (await door.slack(body, name)).status == 401
    reply = await door.slack(door.press(hold, "U0KIM", team={"id": "T0OTHER"}), "teamed")
    assert "workspace" in reply.said["text"]
    assert door.state(hold) is State.WAITING
    assert (await door.slack(body)).status == 200
    assert (await door.slack(body)).said["error"] == "this very message was taken before"


async def test_t36_a_button_is_for_the_hold_that_it_was_shown_with(door: Door) -> None:
    hold = await door.hold()
    reply = await door.slack(door.press(hold, "U0KIM", session="another"))
    assert reply.said["text"] == f"no effect: {hold.id} waits no more"
    assert door.state(hold) is State.WAITING


@pytest.mark.parametrize(
    "url", ["https://evil.example/x", "http://hooks.slack.com/x", "", None, "https://[", 7]
)
async def test_t36_what_came_of_it_is_told_to_slack_alone(door: Door, url: Any) -> None:
    hold = await door.hold()
    reply = await door.slack(door.press(hold, "U0KIM", response_url=url))
    assert (reply.status, reply.tell) == (200, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=",
        b"payload=%7B%7D",
        b"payload=[]",
        b"\xff",
        b"a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9",
        urllib.parse.urlencode({"payload": json.dumps({"type": "block_actions", "actions": []})}).encode(),
        urllib.parse.urlencode({"payload": "[" * 100_000}).encode(),
        urllib.parse.urlencode(
            {
                "payload": json.dumps(
                    {
                        "type": "block_actions",
                        "user": {"id": 7},
                        "actions": [{"action_id": APPROVE, "value": '{"hold": "H-1", "session": "s"}'}],
                    }
                )
            }
        ).encode(),
    ],
)
async def test_what_slack_sends_that_is_no_button_of_ours_has_no_effect(door: Door, body: bytes) -> None:
    assert (await door.slack(body)).status == 400


async def test_two_that_answer_at_once_are_told_who_was_first(door: Door) -> None:
    hold = await door.hold()
    replies = await asyncio.gather(
        door.signed(KIM, {"hold": hold.id, "answer": "approve"}),
        door.signed(ALEX, {"hold": hold.id, "answer": "deny", "reason": "no"}),
        door.slack(door.press(hold, "U0ALEX", DENY)),
    )
    assert [reply.status for reply in replies] == [200, 409, 200]
    assert f"approved by {KIM}" in replies[1].said["error"]
    assert f"approved by {KIM}" in replies[2].said["text"]


async def test_t36_who_answers_in_a_loop_takes_no_room_of_others(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "NONCES", int(BURST) + 1)
    hold = await door.hold()
    for _ in range(100):
        await door.signed(KIM, b"{}")
    assert (await door.signed(ALEX, {"hold": hold.id, "answer": "approve"})).status != 401
