"""A worker that died is replaced at once, then after ever longer, then not any more."""

from __future__ import annotations

from bastion.workers.patience import DEATHS, WITHIN_S, Patience


def test_each_death_within_the_time_costs_more_and_one_is_the_last() -> None:
    patience = Patience()
    assert [patience.died(float(at)) for at in range(DEATHS)] == [0.0, 1.0, 2.0, 4.0, None]


def test_what_is_long_ago_does_not_count() -> None:
    patience = Patience()
    assert [patience.died(at * WITHIN_S) for at in range(20)] == [0.0] * 20
