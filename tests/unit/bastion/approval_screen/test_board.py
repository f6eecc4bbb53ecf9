"""What keys and news do to the live screen: no answer to another hold, none unread, none twice (T36)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.approval_screen.board import CALM_S, HASTE_S, IDLE_S, Board
from bastion.holds.hold import Answer, Hold, State, hold_to_json
from tests.unit.bastion.holds.holds_fixture import ALEX, ask, terms


class Seat:
    """Somebody before a board."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.board = Board(lambda: self.clock, len)
        self.sent: list[dict[str, Any]] = []
        self.bells = 0
        self.cols, self.rows = 80, 24
        self.tell({"hello": "kim@acme.example", "now": 100.0})
        self.tell({"ready": True})

    def tell(self, told: dict[str, Any]) -> None:
        ring, said = self.board.heard(told)
        self.bells += ring
        self.sent += said

    def step(self, step: str, hold: Hold) -> Hold:
        self.tell({"event": step, "hold": hold_to_json(hold)})
        self.look()
        return hold

    def asked(self, name: str = "H-0001", **fields: Any) -> Hold:
        hold = Hold(id=name, ask=ask(**fields), asked_at=90.0, expires_at=690.0)
        self.step("asked", hold)
        self.tell({"looked": name, "objection": None})
        return hold

    def ended(self, hold: Hold, state: State = State.APPROVED, why: str = f"by {ALEX}") -> None:
        self.step("ended", replace(hold, state=state, why=why))

    def look(self) -> str:
        rows = [*self.board.rows(self.cols, self.rows - 1), self.board.prompt() or self.board.keys(self.cols)]
        assert len(rows) <= self.rows
        return "\n".join("".join(text for _style, text in row).rstrip() for row in rows)


@pytest.fixture
def seat() -> Seat:
    return Seat()


def test_an_empty_screen_says_so(seat: Seat) -> None:
    assert "nothing waits for an approval   kim@acme.example" in seat.look()
    assert seat.board.begin("approve") == seat.board.give("x") == []


def test_a_new_hold_rings_and_is_looked_at_and_its_times_go_on(seat: Seat) -> None:
    seat.asked()
    assert (seat.bells, seat.sent) == (1, [{"look": "H-0001"}])
    assert "▸ H-0001     10s ago   9m50s left  deployer  deploy@web-1  systemctl restart" in seat.look()
    seat.clock = 60.0
    assert "1m10s ago   8m50s left" in seat.look()


def test_what_waited_before_the_screen_was_opened_does_not_ring() -> None:
    seat = Seat()
    seat.step("waits", Hold(id="H-0001", ask=ask(), asked_at=90.0, expires_at=690.0))
    assert seat.bells == 0


@pytest.mark.parametrize(
    ("key", "approve", "lasts"), [("approve", True, False), ("session", True, True), ("deny", False, False)]
)
def test_an_answer_is_begun_given_and_told(seat: Seat, key: Any, approve: bool, lasts: bool) -> None:
    seat.asked("H-0001", terms=(terms(for_session=True),))
    assert seat.board.begin(key) == [{"begin": "H-0001", "approve": approve}]
    assert "Enter gives this answer, Esc does not" in seat.look()
    (answer,) = seat.board.give("  looked\nat it ")
    assert answer == {
        "answer": "H-0001",
        "approve": approve,
        "reason": "looked at it",
        "for_session": lasts,
    }
    assert seat.board.begin("deny") == [], "one answer at a time"
    seat.tell({"told": "H-0001 is done", "hold": "H-0001", "effect": True})
    assert "H-0001 is done" in seat.look()


def test_an_answer_can_be_taken_back_and_a_denial_says_why(seat: Seat) -> None:
    seat.asked()
    seat.board.begin("deny")
    assert seat.board.give(" ") == []
    assert "say why: the bot is told" in seat.look()
    assert seat.board.leave() == [{"leave": "H-0001"}]
    assert seat.board.over is None
    assert seat.board.leave() == []
    assert seat.board.over == ("", 0)


def test_t36_the_choice_stays_where_it_is_whatever_comes_and_ends(seat: Seat) -> None:
    first = seat.asked("H-0001")
    second = seat.asked("H-0002")
    seat.ended(first)
    seat.asked("H-0003")
    assert seat.board.begin("approve") == [], "not the next one's"
    assert f"H-0001 waits no more: approved by {ALEX}" in seat.look()
    assert seat.board.move(1) == [{"look": "H-0002"}]
    assert "H-0001" not in seat.look()
    seat.tell({"looked": "H-0002", "objection": None})
    assert seat.board.begin("approve") == [{"begin": second.id, "approve": True}]
    assert seat.board.move(1) == [], "nor while an answer is being given"


def test_t36_who_is_slower_is_told_and_gives_no_answer(seat: Seat) -> None:
    hold = seat.asked()
    seat.board.begin("approve")
    seat.ended(hold, State.DENIED, f"by {ALEX}: no")
    assert seat.sent[-1] == {"leave": "H-0001"}
    assert f"H-0001 denied by {ALEX}: no: your answer was not given" in seat.look()
    assert seat.board.give("mine") == []


def test_t36_of_a_long_statement_all_must_have_been_seen_to_approve_it(seat: Seat) -> None:
    seat.asked(statement="echo " + "x" * 4000 + "; rm -rf /srv")
    assert "rows below (PgDn), " in seat.look()
    assert "of the statement" in seat.look()
    assert "rm -rf" not in seat.look()
    pages = 0
    while not seat.board.begin("approve"):
        assert "rows of the statement were not on the screen yet" in seat.look()
        pages += 1
    assert pages > 2
    seat.board.leave()
    assert seat.board.begin("deny"), "who denies need not have read it"


def test_t36_a_page_that_was_jumped_over_was_not_seen(seat: Seat) -> None:
    seat.asked(statement="\n".join(f"echo {number}" for number in range(200)))
    seat.look()
    seat.board.scroll(100)
    seat.look()
    assert seat.board.begin("approve") == []
    seat.cols = 60
    seat.look()
    assert seat.board.begin("approve") == [], "nor what was seen in other rows"


def test_who_may_not_approve_is_told_before_they_try(seat: Seat) -> None:
    seat.asked()
    seat.tell({"looked": "H-0001", "objection": "you own it"})
    assert seat.board.begin("approve") == []
    assert "you cannot approve H-0001: you own it" in seat.look()
    assert "cannot approve: you own it" in seat.look()
    assert seat.board.begin("deny")


def test_an_approval_for_the_session_takes_a_rule_that_allows_it(seat: Seat) -> None:
    seat.asked()
    assert "for session" not in seat.look()
    assert seat.board.begin("session") == []
    assert "rule four-eyes takes no approval for the rest of a session" in seat.look()


def test_a_first_approval_of_two_is_shown(seat: Seat) -> None:
    hold = seat.asked("H-0001", terms=(terms(count=2),))
    answer = Answer(
        person=ALEX, groups=("dba",), how="x", approve=True, reason="", for_session=False, at=95.0
    )
    seat.step("answered", replace(hold, answers=(answer,)))
    assert "9m50s left 1 yes" in seat.look()
    assert f"approved by {ALEX}" in seat.look()


def test_with_many_the_list_shows_those_around_the_chosen_one_and_that_there_are_more(seat: Seat) -> None:
    for number in range(200):
        seat.asked(f"H-{number:04}")
    assert seat.bells == 200
    assert "200 wait for an approval" in seat.look()
    assert "▼ 196 newer ones" in seat.look()
    seat.board.move(100)
    assert "▲ 99 older ones" in seat.look()
    assert "▸ H-0100" in seat.look()
    seat.board.move(100_000)
    assert "▸ H-0199" in seat.look()
    assert "newer ones" not in seat.look()


def test_l11_it_is_drawn_anew_as_often_as_it_matters(seat: Seat) -> None:
    assert seat.board.rests_s() == IDLE_S
    hold = seat.asked()
    assert seat.board.rests_s() == CALM_S
    seat.clock = 540.0
    assert seat.board.rests_s() == HASTE_S
    seat.ended(hold)
    assert seat.board.rests_s() == IDLE_S


def test_the_last_words_of_the_bastion_end_it(seat: Seat) -> None:
    seat.tell({"bye": "you are nobody", "status": 126})
    assert seat.board.over == ("you are nobody", 126)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 130), st.integers(2, 60), st.integers(0, 6))
def test_it_fits_any_terminal(cols: int, rows: int, holds: int) -> None:
    seat = Seat()
    seat.cols, seat.rows = cols, rows
    for number in range(holds):
        seat.asked(f"H-{number:04}", statement="x" * 300)
    for line in seat.look().split("\n")[:-1]:
        assert len(line) <= max(cols, 40)
