"""Times as people write and read them."""

from __future__ import annotations

import click
import pytest

from bastion.cli.times import iso, lasted, short, since_us

NOW_US = 1_700_000_000_000_000


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("0s", NOW_US),
        ("90m", NOW_US - 90 * 60_000_000),
        ("24h", NOW_US - 24 * 3_600_000_000),
        ("7d", NOW_US - 7 * 86_400_000_000),
        ("2w", NOW_US - 14 * 86_400_000_000),
        ("2023-11-14", 1_699_920_000_000_000),
        ("2023-11-14T22:13", 1_699_999_980_000_000),
        ("2023-11-14T22:13:20Z", NOW_US),
        ("2023-11-14T23:13:20+01:00", NOW_US),
        ("0001-01-01", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59-23:59", 253_402_387_139_000_000),
    ],
)
def test_since_takes_how_long_ago_or_a_date(text: str, us: int) -> None:
    assert since_us(text, NOW_US) == us


@pytest.mark.parametrize(
    "text", ["", "7", "h", "-1h", "1y", "1.5h", "٣h", "yesterday", "2023-13-01", "9" * 99 + "h", "\udcff"]
)
def test_since_says_what_it_expects(text: str) -> None:
    with pytest.raises(click.UsageError, match="expected 90m, 24h, 7d, or a time"):
        since_us(text, NOW_US)


def test_times_are_shown_in_utc() -> None:
    assert (iso(NOW_US + 7), short(NOW_US)) == ("2023-11-14T22:13:20.000007Z", "2023-11-14 22:13:20")
    assert (iso(None), short(None)) == (None, "")


@pytest.mark.parametrize(
    ("us", "text"),
    [(None, ""), (0, "0.0s"), (59_940_000, "59.9s"), (60_000_000, "1m00s"), (3_725_000_000, "62m05s")],
)
def test_how_long_a_session_took(us: int | None, text: str) -> None:
    assert lasted(NOW_US, None if us is None else NOW_US + us) == text
