"""Wait for something in a test: for so long, but not counting that the whole machine stood still meanwhile.

In      how many seconds
Out     looks to take, one after another, until the patience is used up
"""

from __future__ import annotations

import time
from collections.abc import Iterator

STILL_S = 1.0  # between two looks no more than this counts


def looks(seconds: float, every_s: float = 0.02) -> Iterator[None]:
    """Yield for each look; a virtual machine that was paused for a minute has not waited for a minute."""
    waited_s, then = 0.0, time.monotonic()
    while waited_s < seconds:
        yield
        time.sleep(every_s)
        now = time.monotonic()
        waited_s += min(now - then, STILL_S)
        then = now
