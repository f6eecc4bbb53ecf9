"""Durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.duration import DAY_S, parse_duration, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15m", 900), ("1h", 3600), ("90s", 90), ("2h30m", 9000), ("1d", DAY_S), ("1h0m5s", 3605)],
)
def test_duration_is_read_as_written(text: str, seconds: int) -> None:
    assert parse_duration(text, low_s=1, high_s=DAY_S) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "15",
        15,
        15.0,
        True,
        None,
        ["15m"],
        "15 m",
        "m",
        "-15m",
        "+15m",
        "1.5h",
        "15M",
        "30m1h",
        "1h1h",
        "15m\n",
        "٣m",
    ],
)
def test_what_is_no_duration_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(
        ValueError, match=r'^got .*, expected a duration from 1m to 1d such as "15m" or "2h30m"$'
    ):
        parse_duration(value, low_s=60, high_s=DAY_S)


@pytest.mark.parametrize("text", ["59s", "0s", "86401s", "25h", "999999999d"])
def test_duration_outside_its_bounds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration from 1m to 1d"):
        parse_duration(text, low_s=60, high_s=DAY_S)


@given(st.integers(min_value=1, max_value=10**9))
def test_shown_duration_reads_back(seconds: int) -> None:
    assert parse_duration(show_duration(seconds), low_s=1, high_s=10**9) == seconds
