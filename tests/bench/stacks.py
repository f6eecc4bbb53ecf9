"""Profile the bastion while much data moves, with py-spy, which samples a process from outside.

Out     for each way, the share of each thread, and the functions in which (and under which) most samples lie
Errors  BenchFault when py-spy may not look into the process
Source  py-spy's raw form: one line a stack, frames parted by ";", outermost first, then a count
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.bench.bulk import transfers
from tests.bench.faults import BenchFault
from tests.bench.figures import bytes_text
from tests.bench.run import Run

RATE_PER_S = 200
SHOWN = 18
WAITING = ("PyThread_acquire_lock_timed", "epoll_wait")  # for work, not for the interpreter's lock
PY_SPY = Path(sys.executable).with_name("py-spy")

Stack = tuple[list[str], int]


def profile(run: Run) -> str:
    """Return, as text, where the bastion spends its time each way."""
    size = run.scale.bulk_bytes
    payload = run.payload(size)
    told: list[str] = []
    with run.ground(writes=8 * size) as ground:
        for way, transfer in transfers(payload).items():
            run.say(f"profile: {bytes_text(size)} {way}, twice")
            transfer(ground.bastion)

            def load(transfer: Callable[..., float] = transfer) -> None:
                for _ in range(2):
                    transfer(ground.bastion)

            raw = sampled(ground.process.pid, load, run.folder / "stacks.txt")
            told += [f"{bytes_text(size)} {way}", "", *summary(parsed(raw.splitlines())), ""]
    return "\n".join(told).rstrip()


def sampled(pid: int, load: Callable[[], None], file: Path) -> str:
    """Return py-spy's samples of a process while the load runs; raise BenchFault."""
    rate = ["--rate", str(RATE_PER_S), "--duration", "3600"]
    spy = subprocess.Popen(
        [str(PY_SPY), "record", "--pid", str(pid), *rate, "--format", "raw", "--threads", "--function",
         "--native", "--subprocesses", "--output", str(file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        load()
    finally:
        spy.send_signal(signal.SIGINT)
        _, said = spy.communicate(timeout=120)
    if not file.exists():
        raise BenchFault(f"py-spy could not look into the bastion (it may take root): {said[-300:]!r}")
    text = file.read_text(errors="replace")
    file.unlink()
    return text


def parsed(lines: Iterable[str]) -> list[Stack]:
    """Return each stack with its count, but for those of threads that wait for something to do."""
    stacks: list[Stack] = []
    for line in lines:
        frames, _, count = line.rpartition(" ")
        waits = any(f";{name} " in line for name in WAITING)
        if frames and count.isdigit() and not waits:
            stacks.append(([_short(frame) for frame in frames.split(";")], int(count)))
    return stacks


def summary(stacks: Iterable[Stack]) -> list[str]:
    """Return lines: each thread's share, then the functions by samples in them and by samples under them."""
    threads: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    under: Counter[tuple[str, str]] = Counter()
    for frames, count in stacks:
        thread = next((frame for frame in frames if frame.startswith("thread ")), "thread")
        threads[thread] += count
        calls = [frame for frame in frames if not frame.startswith(("thread ", "process "))]
        named = [frame for frame in calls if not frame.startswith("(")]
        if calls:  # a library without symbols is told by who called it
            caller = named[-1] if named else thread
            inside[calls[-1] if calls[-1] == caller else f"{calls[-1]} under {caller}"] += count
        under.update(dict.fromkeys(((thread, frame) for frame in named), count))
    called: Counter[str] = Counter()
    for (thread, frame), count in under.items():
        if count < threads[thread]:  # what is below everything in its thread says nothing
            called[frame] += count
    lines: list[str] = []
    for title, counter in (("thread", threads), ("in itself", inside), ("with what it calls", called)):
        lines += ["", f"  {title}", *_shares(counter, sum(threads.values()))]
    return lines[1:]


def _shares(counter: Counter[str], total: int) -> list[str]:
    return [f"  {count / total:6.1%}  {name}" for name, count in counter.most_common(SHOWN)]


def _short(frame: str) -> str:
    """Return a thread's name, or a function with its file: no numbers, no folders but the file's own."""
    if thread := re.match(r'thread \(\d+\)(?:: "?([^"]*)"?)?', frame):
        return f"thread {thread[1] or ''}".rstrip()
    if frame.startswith("process "):
        return "process"
    frame = re.sub(r"^0x[0-9a-f]+ ", "", frame)
    return re.sub(r"\((?:[^()]*?/)??((?:[^()/]+/)?[^()/]+?)(?::\d+)?\)$", r"(\1)", frame)
