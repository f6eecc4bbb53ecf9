"""A bot in a loop does not flood a channel, and what was left out is told."""

from __future__ import annotations

from dataclasses import replace

from bastion.notices.notice import Notice
from bastion.notices.restraint import ALL_BURST, COUNTED, HOLD_BURST, OTHER_BURST, OTHERS, OWED_S, Restraint
from tests.unit.bastion.notices.notices_fixture import NOW, asked, denial, ended


def hold(number: int, notice: Notice) -> Notice:
    return replace(notice, hold={**(notice.hold or {}), "id": f"H-{number:04}"})


def test_denials_beyond_a_burst_are_left_out_and_the_next_says_how_many() -> None:
    restraint = Restraint()
    admitted = [restraint.admit(denial(), NOW) for _ in range(1000)]
    assert admitted[: int(OTHER_BURST)] == [0] * int(OTHER_BURST)
    assert set(admitted[int(OTHER_BURST) :]) == {None}
    assert restraint.admit(denial("another"), NOW) == 0, "others are told of as before"
    assert restraint.admit(denial(), NOW + 61) == 1000 - OTHER_BURST


def test_what_was_left_out_is_told_by_itself_where_nothing_follows() -> None:
    restraint = Restraint()
    for _ in range(20):
        restraint.admit(denial(), NOW)
    assert restraint.owed(NOW) is None
    assert restraint.owed(NOW + OWED_S) == ("deployer", 20 - OTHER_BURST)
    assert restraint.owed(NOW + 10 * OWED_S) is None
    restraint.lost(denial(), NOW)
    assert restraint.owed(NOW, at_once=True) == ("deployer", 1)


def test_counts_of_the_processes_that_serve_are_added() -> None:
    restraint = Restraint()
    assert (
        restraint.admit(Notice(kinds=("left-out", "denial"), at=NOW, identity="deployer", left_out=7), NOW)
        is None
    )
    assert restraint.admit(denial(), NOW) == 7


def test_the_end_of_a_hold_is_told_if_its_beginning_was() -> None:
    restraint = Restraint()
    told = [number for number in range(200) if restraint.admit(hold(number, asked()), NOW) is not None]
    assert len(told) == HOLD_BURST
    for number in range(200):
        admitted = restraint.admit(hold(number, ended()), NOW)
        assert (admitted is not None) == (number in told)


def test_an_end_without_a_beginning_is_told_after_a_restart() -> None:
    assert Restraint().admit(ended(), NOW) == 0


def test_all_identities_together_have_a_bound_and_counts_are_bounded() -> None:
    restraint = Restraint()
    admitted = [restraint.admit(denial(f"bot-{number}"), NOW) for number in range(3 * COUNTED)]
    assert sum(one is not None for one in admitted) == ALL_BURST
    owed = [restraint.owed(NOW, at_once=True) for _ in range(COUNTED + 1)]
    assert (OTHERS, 3 * COUNTED - ALL_BURST - COUNTED) in owed
