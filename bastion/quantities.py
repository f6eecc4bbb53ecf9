"""Read durations and sizes as people write them.

In      values from a TOML file
Out     int: seconds, bytes
Errors  ValueError, whose text says what was got and what was expected
Source  IEC 80000-13 (KiB, MiB, GiB, TiB)
"""

from __future__ import annotations

import re

from policies.problem import listed, shown

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S

DURATION_PATTERN = r"^(?=\d)(\d{1,9}d)?(\d{1,9}h)?(\d{1,9}m)?(\d{1,9}s)?$"
SIZE_PATTERN = r"^\d{1,15}(B|KiB|MiB|GiB|TiB)$"

_UNIT_S = {"d": DAY_S, "h": HOUR_S, "m": MINUTE_S, "s": 1}
_UNIT_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_QUOTA_BYTES = 1 << 50
_PACKET_BYTES = (35_000, 1 << 20)  # RFC 4253 section 6.1 asks for at least the first


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


def parse_size(value: object) -> int:
    """Return the bytes of a size such as "512MiB", or of a plain number of bytes; at least one."""
    size_bytes = 0
    if isinstance(value, int) and not isinstance(value, bool):
        size_bytes = value
    elif isinstance(value, str) and re.fullmatch(SIZE_PATTERN, value, re.ASCII):
        count, unit = re.findall(r"\d+|\D+", value)
        size_bytes = int(count) * _UNIT_BYTES[unit]
    if 1 <= size_bytes <= _QUOTA_BYTES:
        return size_bytes
    units = listed(list(_UNIT_BYTES))
    raise ValueError(
        f'got {shown(value)}, expected a size such as "1GiB" (a whole number and {units}), or bytes'
    )


def check_packet_size(size_bytes: int) -> int:
    """Return a packet's greatest length if every peer can live with it, and we can."""
    low, high = _PACKET_BYTES
    if not low <= size_bytes <= high:
        raise ValueError(f"got {size_bytes}, expected a size from {low} to {high} bytes")
    return size_bytes
