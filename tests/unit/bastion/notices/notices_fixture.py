"""Notices to test with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bastion.holds.desk import Event
from bastion.holds.hold import Hold, State
from bastion.notices.notice import Notice, Statement, notice_of_hold
from tests.unit.bastion.holds.holds_fixture import ask

NOW = 1_795_000_000.0

# What would act on a terminal, on Slack, Teams, Discord, Mattermost, Telegram or in HTML mail, if it were let.
HOSTILE = (
    "echo '<!channel> <!here> <@U024BE7LH> <https://evil.example|our bank> [bank](https://evil.example/a)"
    " @everyone @here @channel <@&55> *bold* **rm** _it_ __x__ ~gone~ ||spoiler|| `code` ```\nrm -rf /srv ``` "
    "<b>html</b> <img src=x onerror=alert(1)> <at>everyone</at> &lt;script&gt; :tada: ![i](https://evil.example/i.png)'\n"
    "# heading\n> quote\n| a | b |\n|---|---|\n\x1b]0;title\x07\x1b[2K\r\u202egnp.exe\u200b\u2066\ufeff\x00"
)
INVISIBLE = "\x1b\x07\r\x00\u202e\u200b\u2066\ufeff"


def held(
    statement: str = "systemctl restart orders", *, state: State = State.WAITING, **fields: Any
) -> Event:
    """Return the step that a statement began to wait, or has ended."""
    hold = Hold(
        id="H-7K3Q",
        ask=ask(statement=statement, **fields),
        asked_at=NOW,
        expires_at=NOW + 600,
        state=state,
        why="" if state is State.WAITING else "by kim@acme.example",
    )
    return Event(step="asked" if state is State.WAITING else "ended", hold=hold)


def asked(statement: str = "systemctl restart orders", **fields: Any) -> Notice:
    notice = notice_of_hold(held(statement, **fields), NOW)
    assert notice is not None
    return notice


def ended(**fields: Any) -> Notice:
    notice = notice_of_hold(held(state=State.APPROVED, **fields), NOW)
    assert notice is not None
    return notice


def denial(identity: str = "deployer", statement: str = "dropdb orders", **fields: Any) -> Notice:
    usual = Notice(
        kinds=("denial",),
        at=NOW,
        identity=identity,
        owner="dana@acme.example",
        groups=("ci",),
        session="01SESSION",
        target="web-1",
        login="deploy",
        statement=Statement(head=statement),
        verdict="deny",
        rules=("no-drops",),
        reason="databases stay",
        severity="high",
    )
    return replace(usual, **fields)
