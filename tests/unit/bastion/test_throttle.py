"""A source is slowed down; others are not, and there is a bound on how many are remembered."""

from __future__ import annotations

from bastion.throttle import SOURCES, Throttle


def test_t20_a_source_is_slowed_down_and_recovers() -> None:
    throttle = Throttle(burst=3, per_s=1)
    assert [throttle.admit("a", 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert throttle.admit("b", 0.0)
    assert not throttle.admit("a", 0.5)
    assert throttle.admit("a", 1.5)


def test_t20_what_is_remembered_is_bounded() -> None:
    throttle = Throttle(burst=1, per_s=0)
    for source in range(SOURCES + 1):
        assert throttle.admit(str(source), 0.0)
    assert throttle.admit("0", 0.0)  # forgotten, so it starts anew
    assert not throttle.admit(str(SOURCES), 0.0)


def test_t43_a_clock_set_back_gives_no_tokens() -> None:
    throttle = Throttle(burst=1, per_s=1)
    assert throttle.admit("a", 100.0)
    assert not throttle.admit("a", 50.0)
