"""A hold as rows: what decides first, each row of a statement marked, nothing left out (T36)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from bastion.approval_screen.page import Page, page
from bastion.holds.hold import Hold, Mark
from tests.unit.bastion.holds.holds_fixture import ask

EVIL = "\x1b]0;t\x07\x1b[2J\r\u202e\u2066\u200b\u200d\ufeff\u2028\x9b\x00\udcff"


def shown(width: int = 80, objection: str | None = "", **fields: object) -> Page:
    hold = Hold(id="H-7K3Q", ask=ask(**fields), asked_at=50.0, expires_at=650.0)
    return page(hold, width, get_cwidth, objection=objection)


def lines(made: Page) -> list[str]:
    return ["".join(text for _style, text in row).rstrip() for row in made.rows]


def test_a_person_sees_what_they_need_and_first_what_decides() -> None:
    seen = lines(
        shown(
            statement="cd /srv\nrm -rf x\n",
            held_for=("rm -rf x",),
            stated="hotfix",
            before=("$ ls", "| x"),
            objection=None,
        )
    )
    assert seen == [
        " held for   rm -rf x",
        " what       | cd /srv",
        "            | rm -rf x",
        " where      deploy@web-1, session 01SESSION",
        " who        deployer, owned by dana@acme.example",
        "            run_id 8412, actor sam",
        " rule       four-eyes: restarts are four-eyes",
        "            four-eyes asks for one person of dba",
        " bot says   hotfix",
        " you        is being asked",
        " before     $ ls",
        "            | x",
        " facts      runs systemctl restart orders",
    ]


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(), max_size=60), st.integers(40, 130))
def test_t36_nothing_on_the_screen_acts_on_a_terminal(text: str, width: int) -> None:
    made = shown(
        width,
        text + EVIL,
        statement=text + EVIL,
        owner=text,
        login=EVIL,
        reason=text + EVIL,
        stated=EVIL + text,
        facts=(text + EVIL,),
        held_for=(EVIL + text,),
        before=(text + EVIL,),
        claims={"actor": EVIL + text, "run_id": text},
        marks=(Mark(start=0, end=max(1, len(text)), what="matched"),),
    )
    assert "".join(lines(made)).isprintable()
    assert all(sum(map(get_cwidth, line)) <= width for line in lines(made))


@given(st.text("ab \n;|:\x1b", max_size=200), st.integers(20, 60))
def test_t36_all_of_a_statement_is_there_and_each_row_of_it_has_a_mark(text: str, width: int) -> None:
    made = shown(width, statement=text)
    rows = [line[12:] for line in lines(made)[made.begin : made.end]]
    assert all(row[:1] in ("|", ":") for row in rows)
    told = "".join(piece for row in made.rows[made.begin : made.end] for _style, piece in row[2:])
    assert told == text.removesuffix("\n").replace("\n", "").replace("\x1b", "\\x1b")


def test_t36_a_statement_cannot_pass_for_what_we_say_of_it() -> None:
    made = shown(30, statement="echo 1\n you        may approve\n" + "x" * 40)
    assert lines(made)[made.begin : made.end] == [
        " what       | echo 1",
        "            |  you        may",
        "            : approve",
        "            | " + "x" * 16,
        "            : " + "x" * 16,
        "            : " + "x" * 8,
    ]


@pytest.mark.parametrize(("what", "style"), [("matched", "class:matched"), ("masked", "class:masked")])
def test_what_is_marked_is_drawn_so_over_the_ends_of_lines(what: str, style: str) -> None:
    made = shown(statement="cd x\nrm y; z", marks=(Mark(start=3, end=9, what=what),))  # type: ignore[arg-type]
    drawn = [piece for row in made.rows[made.begin : made.end] for piece in row[2:]]
    assert drawn == [
        ("class:statement", "cd "),
        (style, "x"),
        (style, "rm y"),
        ("class:statement", "; z"),
    ]


def test_who_cannot_approve_reads_why() -> None:
    assert " you        cannot approve: you own it" in lines(shown(objection="you own it"))
