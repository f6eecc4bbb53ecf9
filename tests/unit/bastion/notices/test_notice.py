"""Which steps of a hold are told, and as what."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bastion.holds.desk import Event
from bastion.holds.hold import State
from bastion.notices.notice import Notice, notice_of_hold
from bastion.notices.texts import Dialect, compose
from tests.unit.bastion.notices.notices_fixture import NOW, asked, denial, ended, held


def test_what_is_asked_and_what_has_ended_is_told_and_no_other_step() -> None:
    event = held()
    assert asked().kinds == ("hold.asked",)
    assert ended().kinds == ("hold.ended",)
    for step in ("answered", "spent"):
        assert notice_of_hold(Event(step=step, hold=replace(event.hold, state=State.APPROVED)), NOW) is None


def test_what_is_asked_ahead_is_told_as_that() -> None:
    notice = asked(session="", run="deployer/8412")
    assert notice.session == ""
    assert (
        "where: deploy@web-1, asked ahead, for a later session of run deployer/8412"
        in compose(notice, Dialect.PLAIN, 9000, 250).body
    )


@pytest.mark.parametrize("notice", [asked(), ended(), denial()], ids=["asked", "ended", "denial"])
def test_json_and_back(notice: Notice) -> None:
    assert Notice.from_json(json.loads(json.dumps(notice.to_json()))) == notice


def test_the_binding_is_told_to_nobody() -> None:
    assert "binding" not in json.dumps(asked().to_json())
