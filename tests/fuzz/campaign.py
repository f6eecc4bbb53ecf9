"""Fuzz targets one after the other, a few at a time, and write what came of it.

In      `scripts/fuzz [TARGET…] [--seconds N | --hours H] [--jobs N] [--json FILE] [--list] [--write]`
Out     a line for each target; figures as JSON; .fuzz/TARGET/: corpus, finds, log. Status 1 if anything was found
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz import figures
from tests.fuzz.catalog import PLACES, target

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".fuzz"
TOLD_EVERY_S = 60.0


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    command = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Fuzz the parsers that see what strangers send. Inputs that were worth keeping stay in .fuzz/ for "
        "the next run. Exit status 1: something was found; its input and stack are in .fuzz/TARGET/finds/.",
    )
    command.add_argument(
        "targets", nargs="*", metavar="TARGET", help="which (all, if none is named; see --list)"
    )
    span = command.add_mutually_exclusive_group()
    span.add_argument(
        "--seconds", type=float, default=60.0, metavar="N", help="processor time for each target (60)"
    )
    span.add_argument("--hours", type=float, metavar="H", help="the same in hours")
    command.add_argument("--jobs", type=int, default=2, metavar="N", help="targets at a time (2)")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    command.add_argument("--list", action="store_true", help="list the targets and end")
    command.add_argument(
        "--write",
        action="store_true",
        help="add the figures to those in docs/security.md; a find sets them back",
    )
    asked = command.parse_args()
    if unknown := sorted(set(asked.targets) - PLACES.keys()):
        command.error(f"no target {unknown[0]!r}; there are: {', '.join(PLACES)}")
    if asked.jobs < 1:
        command.error("--jobs: at least 1")
    return asked


class Job:
    """One target under way."""

    def __init__(self, name: str, cpu_s: float) -> None:
        self.name, self.folder = name, HOME / name
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "status.json").unlink(missing_ok=True)
        self._log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", name, str(cpu_s), str(self.folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def status(self, *, interrupted: bool = False) -> dict[str, Any]:
        """Return what the run has said last; a process that died by itself is a find too."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "status.json").read_text("utf-8"))
        except FileNotFoundError:
            found = {
                "target": self.name,
                "cpu_s": 0.0,
                "executions": 0,
                "corpus": 0,
                "finds": {},
                "done": False,
            }
        if self.process.poll() is not None and not found["done"] and not interrupted:
            found["finds"]["died"] = {"what": f"died; see {self.folder / 'log'}", "place": "", "times": 1}
        return found


def run(names: list[str], cpu_s: float, jobs: int) -> Iterator[dict[str, Any]]:
    """Run the targets; yield the figures of each as it ends, and of those that an interruption ends."""
    waiting, running = list(names), list[Job]()
    told_s = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(Job(waiting.pop(0), cpu_s))
            time.sleep(0.5)
            for job in [job for job in running if job.process.poll() is not None]:
                running.remove(job)
                yield job.status()
            if time.monotonic() - told_s > TOLD_EVERY_S:
                told_s = time.monotonic()
                for job in running:
                    print(f"  {told(job.status())}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        yield from [job.status(interrupted=True) for job in running]
    finally:
        for job in running:
            job.process.kill()
            job.process.wait()


def told(status: dict[str, Any]) -> str:
    """Return one line about a target, and one for each find."""
    line = f"{status['target']}: {status['executions']} inputs in {status['cpu_s'] / 3600:.2f} h of processor time"
    finds = "".join(
        f"\n  found {key}: {find['what']} ({find['place']}, {find['times']} times)"
        for key, find in status["finds"].items()
    )
    return line + (finds or ", nothing found")


def main() -> int:
    """Do what was asked."""
    asked = arguments()
    if asked.list:
        for name in PLACES:
            print(f"{name:14} {target(name).feeds}")
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    cpu_s = asked.hours * 3600 if asked.hours is not None else asked.seconds
    results = []
    for status in run(asked.targets or list(PLACES), cpu_s, asked.jobs):
        results.append(status)
        print(told(status), flush=True)
        if asked.json:
            asked.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    if asked.write:
        figures.take(results)
    return 1 if any(status["finds"] for status in results) else 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    os.chdir(ROOT)
    raise SystemExit(main())
