"""What was freed in the middle of a heap goes back to the system, there is one heap for all threads,
and what is there from the start costs later collections nothing.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
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


THREAD_IN_THE_SAME_HEAP = """
import ctypes, re, threading
from pathlib import Path
from bastion.memory import hold_little

hold_little()
system = ctypes.CDLL(None)
system.malloc.restype = ctypes.c_void_p
taken = []
thread = threading.Thread(target=lambda: taken.extend(system.malloc(3_000_000) for _ in range(4)))
thread.start()
thread.join()
first, last = re.search(r"^(\\w+)-(\\w+) .*\\[heap\\]$", Path("/proc/self/maps").read_text(), re.MULTILINE).groups()
print([int(first, 16) <= address < int(last, 16) for address in taken])
"""


def test_threads_take_their_memory_from_one_heap() -> None:
    done = subprocess.run(
        [sys.executable, "-c", THREAD_IN_THE_SAME_HEAP], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[True, True, True, True]\n"


LOOKED_THROUGH = """
import gc, weakref
import bastion.serving
from bastion.memory import keep_out_of_collections

before = len(gc.get_objects())
keep_out_of_collections()

class Session:
    pass

session = Session()
session.itself, gone = session, weakref.ref(session)
del session
gc.collect()
print(before > 50_000, len(gc.get_objects()) < 1_000, gone() is None)
"""


def test_l11_collections_look_through_what_came_after_the_start_only() -> None:
    done = subprocess.run([sys.executable, "-c", LOOKED_THROUGH], capture_output=True, text=True, check=True)
    assert done.stdout == "True True True\n"
