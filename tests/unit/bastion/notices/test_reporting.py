"""Notices are made of what is recorded, as it is recorded, and a loop does not flood their way."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from bastion.notices.notice import Notice
from bastion.notices.reporting import BURST, Reporting, Scene
from bastion.principal import Principal
from bastion.workers.link import MESSAGE_BYTES
from recorder.events import Event, Kind
from tests.unit.bastion.notices.notices_fixture import NOW

PRINCIPAL = SimpleNamespace(
    name="deployer",
    owner="dana@acme.example",
    groups=frozenset({"ci"}),
    claims={"actor": "sam\u202e", "sub": "not told"},
)


class Desk:
    """A session's events, and what is told of them."""

    def __init__(self) -> None:
        self.told: list[Notice] = []
        self.reporting = Reporting(self.told.append, lambda: NOW)
        scene = Scene(
            principal=cast(Principal, PRINCIPAL), session="01SESSION", target="web-1", login="deploy"
        )
        self.veil = self.reporting.watching(self.masked, scene)

    @staticmethod
    def masked(events: Any) -> Any:
        return [
            Event(one.at_us, one.kind, one.channel, one.data.replace(b"secret", b"[x]"), one.detail)
            for one in events
        ]


def statement(verdict: str, data: bytes = b"touch x", **detail: Any) -> Event:
    return Event(0, Kind.STATEMENT, 1, data, {"verdict": verdict, "rules": ["r"], "reason": "why", **detail})


def test_l10_a_denial_is_told_of_as_it_is_recorded() -> None:
    desk = Desk()
    desk.veil([statement("deny", b"touch secret\x1b", severity="high")])
    (notice,) = desk.told
    assert notice.kinds == ("denial",)
    assert notice.statement is not None
    assert "touch [x]\\x1b" in notice.statement.head
    assert (notice.severity, notice.rules, notice.groups) == ("high", ("r",), ("ci",))
    assert notice.claims == {"actor": "sam\\u202e"}


def test_what_is_allowed_is_told_of_where_a_rule_says_so() -> None:
    desk = Desk()
    desk.veil([statement("allow")])
    desk.veil([statement("allow", notify=True)])
    desk.veil([statement("deny", notify=True)])
    assert [notice.kinds for notice in desk.told] == [("alert",), ("denial", "alert")]


def test_a_statement_that_is_held_is_no_denial_and_one_that_cannot_be_is() -> None:
    desk = Desk()
    desk.veil([statement("approve"), Event(0, Kind.HOLD, 1, b"", {"state": "waiting"})])
    assert desk.told == []
    desk.veil([statement("approve")])
    assert [notice.kinds for notice in desk.told] == [("denial",)]


def test_an_access_that_is_denied_is_told_of_with_its_request() -> None:
    desk = Desk()
    verdict = {"verdict": "deny", "rules": [], "reason": "no rule allows it", "policy": "p"}
    desk.veil(
        [Event(0, Kind.REQUEST, 1, b"ls secret", {"type": "exec"}), Event(0, Kind.VERDICT, 1, b"", verdict)]
    )
    (notice,) = desk.told
    assert notice.statement is not None
    assert notice.statement.head == "ls [x]"


def test_a_refusal_before_there_is_a_session_is_told_of() -> None:
    desk = Desk()
    desk.reporting.refused(cast(Principal, PRINCIPAL), "session db-1", "no such target\x1b")
    (notice,) = desk.told
    assert (notice.kinds, notice.reason) == (("denial",), "session db-1: no such target\\x1b")


def test_a_loop_is_cut_short_and_counted() -> None:
    desk = Desk()
    for _ in range(1000):
        desk.veil([statement("deny")])
    assert len(desk.told) == BURST
    desk.reporting.rest()
    last = desk.told[-1]
    assert (last.kinds, last.identity, last.left_out) == (("left-out", "denial"), "deployer", 1000 - BURST)
    desk.reporting.rest()
    assert len(desk.told) == BURST + 1


def test_a_notice_fits_into_one_message_of_the_link_whatever_is_in_it() -> None:
    desk = Desk()
    odd = "\U0001f600" * 5000
    principal = SimpleNamespace(
        **{
            **vars(PRINCIPAL),
            "owner": odd,
            "claims": dict.fromkeys(
                ("run_url", "run_id", "commit", "actor", "job", "ref", "pod", "namespace"), odd
            ),
        }
    )
    scene = Scene(principal=cast(Principal, principal), session="s", target="t", login=odd)
    veil = desk.reporting.watching(lambda events: events, scene)
    veil([statement("deny", odd.encode(), reason=odd)])
    (notice,) = desk.told
    assert len(json.dumps({"op": "notice", "notice": notice.to_json()})) < MESSAGE_BYTES
    assert Notice.from_json(json.loads(json.dumps(notice.to_json()))) == notice
