"""Read durations as people write them.

In      values from a TOML file
Out     seconds
Errors  ValueError, whose text says what was got and what was expected
"""

from __future__ import annotations

import re

from policies.problem import shown

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S

DURATION_PATTERN = r"^(?=\d)(\d{1,9}d)?(\d{1,9}h)?(\d{1,9}m)?(\d{1,9}s)?$"

_UNIT_S = {"d": DAY_S, "h": HOUR_S, "m": MINUTE_S, "s": 1}


def parse_duration(value: object, *, low_s: int, high_s: int) -> int:
    """Return the seconds of a duration such as "15m", "90s" or "2h30m", within the bounds."""
    if isinstance(value, str) and re.fullmatch(DURATION_PATTERN, value, re.ASCII):
        parts = re.findall(r"(\d+)([dhms])", value)
        total_s = sum(int(count) * _UNIT_S[unit] for count, unit in parts)
        if low_s <= total_s <= high_s:
            return total_s
    bounds = f"{show_duration(low_s)} to {show_duration(high_s)}"
    raise ValueError(f'got {shown(value)}, expected a duration from {bounds} such as "15m" or "2h30m"')


def show_duration(seconds: int) -> str:
    """Return seconds as `parse_duration` reads them: 9000 is "2h30m"."""
    words = ""
    for unit, unit_s in _UNIT_S.items():
        count, seconds = divmod(seconds, unit_s)
        words += f"{count}{unit}" if count else ""
    return words or "0s"
