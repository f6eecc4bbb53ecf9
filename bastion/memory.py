"""Give memory back to the system that was used for a while and is not any more.

glibc keeps what is freed in the middle of its heaps. A bastion whose sessions fall quiet would go on holding what they
took while they were busy.

Source  malloc_trim(3)
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

_trim: Callable[[int], int] | None = getattr(
    ctypes.CDLL(None), "malloc_trim", None
)  # glibc has it, musl does not


def give_back() -> None:
    """Return free memory to the system; takes some milliseconds, and no turn at the interpreter."""
    if _trim is not None:
        _trim(0)
