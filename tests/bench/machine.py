"""Say on what a run was made: processor, cores, versions, load; nothing that names the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from bastion.clock import Clock


def machine_facts(folder: Path) -> dict[str, Any]:
    """Return the facts, for the table's head and for the JSON file."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "kernel": platform.release(),
        "file_system": file_system(folder),
        "python": platform.python_version(),
        "openssh": _first_line("ssh", "-V"),
        "commit": _first_line("git", "describe", "--always", "--dirty"),
        "at": round(Clock().now()),
        "load": os.getloadavg()[0],
    }


def head_line(facts: dict[str, Any]) -> str:
    """Return the facts in one line."""
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_mib'] >> 10} GiB, {facts['file_system']}; "
        f"Python {facts['python']}, {facts['openssh'].split(',')[0]}; commit {facts['commit']}; "
        f"load {facts['load']:.1f} at the start"
    )


def file_system(folder: Path) -> str:
    """Return the kind of the file system that a folder lies on."""
    place, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, this, *_ = line.split()
        if folder.resolve().is_relative_to(mount) and len(mount) >= len(place):
            place, kind = mount, this
    return kind


def _processor() -> str:
    """Return the model's name, with family and model: many a cloud calls several generations by one name."""
    told: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _colon, value = line.partition(":")
        told.setdefault(key.strip(), value.strip())
    name = told.get("model name", platform.machine())
    return f"{name} (family {told['cpu family']}, model {told['model']})" if "cpu family" in told else name


def _first_line(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parent, timeout=20)
    except OSError:
        return "unknown"
    return ((done.stdout or done.stderr).splitlines() or ["unknown"])[0]
