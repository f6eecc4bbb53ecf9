"""Read what a process and its children have used: CPU time, and memory as PSS.

In      a process id; a Linux /proc
Errors  BenchFault when the process has gone
Source  proc(5): /proc/PID/stat, /proc/PID/smaps_rollup
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.bench.faults import BenchFault

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process with all that descend from it."""

    pid: int

    def cpu_s(self) -> float:
        """Return the CPU seconds of all threads, of living children and of children that have ended."""
        return sum(sum(map(int, _stat(pid)[11:15])) for pid in self.tree()) / TICKS_PER_S

    def pss_bytes(self) -> int:
        """Return the proportional set size: memory of its own, and its share of what is shared."""
        return sum(_pss_bytes(pid) for pid in self.tree())

    def tree(self) -> list[int]:
        """Return the process and its descendants; raise BenchFault when it has gone."""
        parents = {pid: int(fields[1]) for pid in _all() if (fields := _stat_or_none(pid)) is not None}
        if self.pid not in parents:
            raise BenchFault(f"process {self.pid} has ended: see the bastion's journal")
        found, grown = {self.pid}, True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            found, grown = found | more, bool(more)
        return sorted(found)


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """Return the fields of stat from the state on: the name before it may hold blanks and parentheses."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _stat_or_none(pid: int) -> list[str] | None:
    try:
        return _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None


def _pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise BenchFault(f"/proc/{pid}/smaps_rollup says no Pss")
