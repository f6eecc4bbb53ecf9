"""What the bastion posts by itself has everything in it, and nothing of it is alive."""

from __future__ import annotations

import json
import re

from bastion.notices.notice import Notice
from bastion.notices.payload import APPROVE, DENY, SECTION_CHARS, slack_body, slack_text, webhook_body
from tests.unit.bastion.notices.notices_fixture import HOSTILE, INVISIBLE, NOW, asked, denial


def test_a_program_gets_every_field() -> None:
    told = json.loads(webhook_body(asked(stated="hotfix"), "bastion.example.com"))
    assert (told["type"], told["kinds"], told["timestamp"]) == (
        "hold.asked",
        ["hold.asked"],
        "2026-11-18T11:06:40.000Z",
    )
    data = told["data"]
    assert data["bastion"] == "bastion.example.com"
    assert data["statement"] == "systemctl restart orders"
    assert data["statement_cut"] == 0
    assert data["hold"]["id"] == "H-7K3Q"
    assert data["hold"]["stated"] == "hotfix"
    assert data["hold"]["groups"] == ["dba"]
    assert "binding" not in data["hold"]
    assert json.loads(webhook_body(denial(), "b"))["data"]["hold"] is None


def test_t36_slack_is_sent_texts_that_it_shows_word_for_word() -> None:
    notice = asked(HOSTILE, stated=HOSTILE, reason=HOSTILE)
    message = json.loads(slack_body(notice, buttons=True))
    texts = [block["text"] for block in message["blocks"] if "text" in block]
    for text in texts:
        assert (text["type"], text["emoji"]) == ("plain_text", False)
        assert not set(INVISIBLE) & set(text["text"])
        assert len(text["text"]) <= 3000
    assert not re.search(r"[<>*~`@]", message["text"])
    assert sorted(message) == ["blocks", "text"]


def test_t36_mrkdwn_of_slack_is_written_out() -> None:
    written = slack_text("<!channel> <@U1> <https://a|b> *b* _i_ ~s~ `c` &lt; :tada: @here")
    assert not re.search(r"[<>*~`@:]|_", written)
    assert written.startswith("&lt;!channel&gt;")


def buttons(notice: Notice, *, wanted: bool = True) -> list[str]:
    message = json.loads(slack_body(notice, buttons=wanted))
    return [
        button["action_id"]
        for block in message["blocks"]
        if block["type"] == "actions"
        for button in block["elements"]
    ]


def test_there_are_buttons_where_answers_are_taken() -> None:
    assert buttons(asked()) == [APPROVE, DENY]
    assert buttons(asked(), wanted=False) == []
    assert buttons(denial()) == []


def test_t36_who_does_not_see_all_of_a_statement_in_slack_is_offered_no_approval() -> None:
    long = asked("\u2028" * 8000)
    message = json.loads(slack_body(long, buttons=True))
    assert buttons(long) == [DENY]
    assert "characters are not shown here" in json.dumps(message)
    assert len(message["blocks"]) <= 50


def test_all_that_can_be_held_of_usual_text_is_shown_in_slack() -> None:
    statement = "\n".join(f"echo line {number}" for number in range(500))
    message = json.loads(slack_body(asked(statement), buttons=True))
    shown = "\n".join(block["text"]["text"] for block in message["blocks"] if block["type"] == "section")
    assert all(f"› echo line {number}\n" in shown for number in range(499))
    assert all(len(block["text"]["text"]) <= SECTION_CHARS for block in message["blocks"] if "text" in block)
    assert NOW
