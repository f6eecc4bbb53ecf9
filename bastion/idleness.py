"""Notice that nothing has passed through a session for too long.

In      how many bytes have passed; how long nothing may, by the configuration in force
Out     the limit, once it is reached; a session whose statement waits for people is not idle
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOKS = 20  # in the time that a session may be idle


async def idle_too_long(
    limit: Callable[[], int], *, passed_bytes: Callable[[], int], waits: Callable[[], bool]
) -> int:
    """Return the limit in seconds when no byte has passed for so long."""
    seen_bytes, still_s = -1, 0.0
    while True:
        limit_s = limit()
        step_s = limit_s / LOOKS
        await asyncio.sleep(step_s)
        still_s += step_s
        if passed_bytes() != seen_bytes or waits():
            seen_bytes, still_s = passed_bytes(), 0.0
        if still_s >= limit_s:
            return limit_s
