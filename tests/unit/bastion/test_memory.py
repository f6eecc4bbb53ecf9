"""What was freed in the middle of a heap goes back to the system."""

from __future__ import annotations

import ctypes
from pathlib import Path

from bastion.memory import give_back

PIECE_BYTES = 60_000  # below what glibc maps one by one
PIECES = 1000


def resident_kib() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)
    return int(line.split()[1])


def test_memory_between_what_is_still_used_is_given_back() -> None:
    system = ctypes.CDLL(None)
    system.malloc.restype, system.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    pieces = []
    for _ in range(PIECES):
        pieces.append(system.malloc(PIECE_BYTES))
        ctypes.memset(pieces[-1], 1, PIECE_BYTES)
    for piece in pieces[: PIECES - 1]:
        system.free(piece)
    before = resident_kib()
    give_back()
    assert resident_kib() < before - PIECES * PIECE_BYTES // 1024 // 2
    system.free(pieces[-1])
