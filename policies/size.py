"""Read sizes as people write them.

In      values from a TOML file
Out     bytes
Errors  ValueError, whose text says what was got and what was expected
Source  IEC 80000-13 (KiB, MiB, GiB, TiB)
"""

from __future__ import annotations

import re

from policies.problem import listed, shown

SIZE_PATTERN = r"^\d{1,15}(B|KiB|MiB|GiB|TiB)$"

_UNIT_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_MOST_BYTES = 1 << 50


def parse_size(value: object) -> int:
    """Return the bytes of a size such as "512MiB", or of a plain number of bytes; at least one."""
    size_bytes = 0
    if isinstance(value, int) and not isinstance(value, bool):
        size_bytes = value
    elif isinstance(value, str) and re.fullmatch(SIZE_PATTERN, value, re.ASCII):
        count, unit = re.findall(r"\d+|\D+", value)
        size_bytes = int(count) * _UNIT_BYTES[unit]
    if 1 <= size_bytes <= _MOST_BYTES:
        return size_bytes
    units = listed(list(_UNIT_BYTES))
    raise ValueError(
        f'got {shown(value)}, expected a size such as "1GiB" (a whole number and {units}), or bytes'
    )
