"""Hold no more memory than is used: one heap for all threads, and what is not used any more back to the system.

glibc keeps what is freed in the middle of its heaps, and by default grows one for each thread. A bastion whose
transfers stall, or whose sessions fall quiet, would go on holding what they took while they were busy.

Source  mallopt(3), malloc_trim(3); gc.freeze of Python
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

MAPPED_BYTES = (
    4 * 1024 * 1024
)  # larger blocks are mapped one by one; smaller ones would cost a page fault a page
UNUSED_BYTES = 4 * 1024 * 1024  # what may lie unused at the heap's end: with less, each batch takes it anew
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

_system = ctypes.CDLL(None)
_trim: Callable[[int], int] | None = getattr(_system, "malloc_trim", None)  # glibc has it, musl does not
_option: Callable[[int, int], int] | None = getattr(_system, "mallopt", None)


def hold_little() -> None:
    """Keep to one heap and to these bounds from now on; call it before there are threads."""
    if _option is not None:
        _option(_M_ARENA_MAX, 1)
        _option(_M_MMAP_THRESHOLD, MAPPED_BYTES)
        _option(_M_TRIM_THRESHOLD, UNUSED_BYTES)


def give_back() -> None:
    """Return free memory to the system; takes some milliseconds, and no turn at the interpreter."""
    if _trim is not None:
        _trim(0)


def keep_out_of_collections() -> None:
    """Spare later garbage collections what there is now, and will be to the end.

    A hundred thousand objects of modules and policies take some 50 ms to look through, in which the loop stands still.
    """
    gc.collect()
    gc.freeze()
