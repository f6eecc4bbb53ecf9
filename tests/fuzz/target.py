"""Give every fuzz target one shape, and run it on one input within bounds.

In      a Target and bytes
Out     nothing, or a Finding: what the target declares wrong, an error nobody foresaw, or a bound that was passed
Holds   a bound of processor time (CPU_S in scripts/fuzz) and GROWTH_BYTES of memory for one input
"""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from types import FrameType

CPU_S = 1.0  # no input of at most `most_bytes` may keep the processor for as long, on a machine that fuzzes
HANG_S = 20.0  # nor may any on a machine that is slow or busy
GROWTH_BYTES = 128 * 1024 * 1024

Havoc = Callable[[bytes], bytes]  # alters bytes without knowing what they mean
Mutate = Callable[[bytes, Random, Havoc], bytes]


class Finding(Exception):
    """A target did what it must not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One parser to feed: `run` raises on a finding only; `mutate` knows the form of its inputs."""

    name: str
    feeds: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    mutate: Mutate
    most_bytes: int = 4096


def watched(target: Target, data: bytes, most_cpu_s: float = HANG_S) -> None:
    """Run one input; whatever is raised is a finding, a bound passed too."""
    before = signal.signal(signal.SIGPROF, _hangs)
    peak_kib, began_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    signal.setitimer(signal.ITIMER_PROF, HANG_S)  # of processor time: a process that is stopped does not hang
    try:
        target.run(data)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    took_s = time.process_time() - began_s
    if took_s > most_cpu_s:
        raise Finding(f"took {took_s:.1f} s of processor time")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kib) * 1024
    if grown > GROWTH_BYTES:
        raise Finding(f"took {grown >> 20} MiB of memory")


def require(held: object, what: str) -> None:
    """Raise a Finding unless an invariant held."""
    if not held:
        raise Finding(what)


def _hangs(_number: int, _frame: FrameType | None) -> None:
    raise Finding(f"did not end within {HANG_S:.0f} s of processor time")
