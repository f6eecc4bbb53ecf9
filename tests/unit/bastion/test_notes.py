"""What strangers do wrong is recorded, but cannot fill the record; what is left out is counted."""

from __future__ import annotations

from bastion.notes import BURST, BURST_OF_ALL, DOOR, Notes
from bastion.throttle import SOURCES


def test_the_first_are_noted_one_by_one_and_later_ones_counted() -> None:
    notes = Notes()
    said = [notes.admit("a", "login.refused", 0.0) for _ in range(int(BURST) + 3)]
    assert said == [0] * int(BURST) + [None] * 3
    assert notes.admit("b", "login.refused", 0.0) == 0
    assert notes.admit("a", "login.refused", 10.0) == 3
    assert notes.admit("a", "login.refused", 15.0) == 0


def test_being_refused_at_the_door_is_noted_once_a_minute() -> None:
    notes = Notes()
    said = [notes.admit("a", DOOR, float(second)) for second in range(121)]
    assert [(at, it) for at, it in enumerate(said) if it is not None] == [(0, 0), (60, 59), (120, 59)]


def test_what_was_left_out_of_a_source_that_has_stopped_is_told_later() -> None:
    notes = Notes()
    assert notes.admit("a", DOOR, 0.0) == 0
    assert notes.admit("a", DOOR, 1.0) is None
    assert notes.owed(30.0) is None
    assert notes.owed(61.0) == ("a", 1)
    assert notes.owed(200.0) is None


def test_t20_many_sources_together_have_a_bound_and_none_is_uncounted() -> None:
    notes = Notes()
    said = [notes.admit(str(at), DOOR, 0.0) for at in range(2 * SOURCES)]
    assert said.count(0) == BURST_OF_ALL
    told = 0
    for minute in range(1, 200):
        for _ in range(60):
            if (owed := notes.owed(minute * 60.0)) is not None:
                told += owed[1]
    assert told == 2 * SOURCES - BURST_OF_ALL
