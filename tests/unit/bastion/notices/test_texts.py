"""A notice in words acts on nobody who reads it, wherever that is, and hides nothing (T36)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.holds.hold import State
from bastion.notices.notice import Statement, cut_statement, notice_of_hold, recut, seen_statement
from bastion.notices.texts import Dialect, compose, statement_lines
from tests.unit.bastion.notices.notices_fixture import HOSTILE, INVISIBLE, NOW, asked, denial, ended, held

ROOMY = 30_000
LIVE = re.compile(
    r"[<>&@*_~`\[\]{}#|^]|://|:[A-Za-z0-9_+-]+:|\\(?!x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt])"
)


def test_a_hold_says_what_who_where_why_and_how_to_answer() -> None:
    message = compose(asked(stated="hotfix", held_for=("runs systemctl",)), Dialect.PLAIN, ROOMY, 250)
    assert message.title == "H-7K3Q waits for an approval: deployer on web-1"
    assert message.whole
    assert message.body.splitlines() == [
        "› systemctl restart orders",
        "held for: runs systemctl",
        "who: deployer, owned by dana@acme.example",
        "run: run_id 8412, actor sam",
        "where: deploy@web-1, session 01SESSION",
        "fact: runs systemctl restart orders",
        "rule: four-eyes",
        "reason: restarts are four-eyes",
        "the bot says: hotfix",
        "waits for: one person of dba, until 2026-11-18T11:16:40Z",
        "answer: ssh BASTION approve H-7K3Q, or deny H-7K3Q --reason …",
        "at: 2026-11-18 11:06:40Z",
    ]


def test_what_is_asked_ahead_says_so_and_what_becomes_of_its_grant_is_not_told() -> None:
    message = compose(asked(session="", run="deployer/8412"), Dialect.PLAIN, ROOMY, 250)
    assert "where: deploy@web-1, asked ahead, for a later session of run deployer/8412" in message.body
    spent = replace(held(session="", state=State.APPROVED), step="spent")
    assert notice_of_hold(spent, NOW) is None


def test_the_end_of_a_hold_and_a_denial_say_what_became_of_it() -> None:
    assert "ended: approved: by kim@acme.example" in compose(ended(), Dialect.PLAIN, ROOMY, 250).body
    message = compose(denial(left_out=7), Dialect.PLAIN, ROOMY, 250)
    assert message.title == "denied: deployer on web-1"
    assert "left out: 7 more of the same kind before this were not told of" in message.body


@pytest.mark.parametrize("dialect", list(Dialect))
def test_t36_no_control_bidi_or_zero_width_character_is_sent_anywhere(dialect: Dialect) -> None:
    for notice in (
        asked(HOSTILE, stated=HOSTILE, reason=HOSTILE, facts=(HOSTILE,)),
        asked("x", login=INVISIBLE),
    ):
        message = compose(notice, dialect, ROOMY, 250)
        assert not set(INVISIBLE) & set(message.title + message.body)
        assert "\\x1b" in message.body
        assert "\\u202e" in message.body
        assert message.body.replace("\n", "").isprintable()


def test_t36_where_anything_might_be_markup_all_markup_is_shown_as_escapes() -> None:
    notice = asked(HOSTILE, stated=HOSTILE, reason=HOSTILE, login=HOSTILE, identity="a_b")
    message = compose(notice, Dialect.STRICT, ROOMY, 250)
    assert not LIVE.search(message.title + message.body)
    assert "\\x3c!channel\\x3e" in message.body
    assert "\\x40everyone" in message.body
    assert "https\\x3a//evil.example" in message.body


@given(st.text())
def test_t36_strict_leaves_nothing_alive_and_takes_nothing_away(text: str) -> None:
    message = compose(
        denial(statement=seen_statement(text.encode("utf-8", "replace")).head), Dialect.STRICT, 10**6, 250
    )
    assert not LIVE.search(message.body)


@given(st.text(alphabet="`@a\n ", max_size=60))
def test_t36_a_statement_cannot_end_the_code_block_that_it_stands_in(text: str) -> None:
    message = compose(denial(statement=text), Dialect.FENCED, ROOMY, 250)
    assert message.body.startswith("```text\n")
    assert message.body.endswith("\n```")
    assert message.body.count("`") == 6
    assert "@" not in message.body


@pytest.mark.parametrize("room", [200, 500, 1000, 2000, 4000])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_t36_what_does_not_fit_is_cut_with_a_mark_and_both_ends_stay(dialect: Dialect, room: int) -> None:
    statement = "echo begin; " + "true; " * 1200 + "rm -rf /srv/orders"
    message = compose(asked(statement), dialect, room, 250)
    assert len(message.body) <= room
    assert not message.whole
    (mark,) = re.findall(
        r"(?m)^… ([0-9]+) characters are not shown here: ssh BASTION approvals$", message.body
    )
    shown = sum(len(line) - 2 for line in message.body.splitlines() if line.startswith("› "))
    assert int(mark) + shown == len(statement)
    if shown:
        assert "› echo begin" in message.body
        assert "/srv/orders" in message.body


def test_t36_the_deciding_part_is_there_where_the_statement_is_cut() -> None:
    statement = "echo begin; " + "true; " * 500 + "rm -rf /srv/orders; " + "true; " * 500
    for dialect in Dialect:
        message = compose(asked(statement, held_for=("rm -rf /srv/orders",)), dialect, 900, 250)
        assert not message.whole
        assert "held for: rm -rf /srv/orders" in message.body


def test_t36_a_statement_cannot_write_the_mark_itself() -> None:
    forged = "rm -rf /\n… 4 characters are not shown here: ssh BASTION approvals"
    message = compose(asked(forged), Dialect.PLAIN, ROOMY, 250)
    assert message.whole
    assert "\n› … 4 characters" in message.body


@given(
    st.text(max_size=400), st.integers(min_value=0, max_value=300), st.integers(min_value=0, max_value=300)
)
def test_cutting_counts_every_character(text: str, first: int, second: int) -> None:
    for cut in (cut_statement(text, first), recut(cut_statement(text, first), second)):
        assert len(cut.head) + cut.cut + len(cut.tail) == len(text)
        assert text.startswith(cut.head)
        assert text.endswith(cut.tail)


def test_l11_the_work_on_a_statement_does_not_grow_with_its_length() -> None:
    statement = seen_statement(b"\x1b" * (1 << 20))
    assert len(statement.head) + len(statement.tail) <= 4000
    assert statement.cut > 1_000_000


def test_lines_of_a_statement_are_barred_each() -> None:
    assert statement_lines(Statement(head="one\ntwo\n"), 1000) == (["› one", "› two"], True)


def test_a_title_that_does_not_fit_is_marked() -> None:
    assert compose(denial(target="t" * 300), Dialect.PLAIN, ROOMY, 50).title.endswith("…")
    assert NOW
