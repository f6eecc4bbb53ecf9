"""Measure how much memory the bastion takes while much data waits for a reader that has stopped, in either direction.

The growth is against a bastion that has served one session and is idle.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.bench.faults import BenchFault
from tests.bench.figures import bytes_text
from tests.bench.ground import TARGET, Ground
from tests.bench.process import Process
from tests.bench.run import SETTLE_S, Run
from tests.bench.scale import MIB
from tests.bench.table import Row, at_most

PARTS = 4
SAMPLE_S = 0.25


class Peak:
    """The most memory that a process had, in each phase of a transfer."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._phase = "moving"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak", daemon=True)
        self.bytes_by_phase = {"moving": 0, "stalled": 0}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Sample until the block ends."""
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()

    def stall(self, duration_s: float) -> None:
        """Let time pass while nothing is read."""
        self._phase = "stalled"
        time.sleep(duration_s)
        self._phase = "moving"

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            phase = self._phase
            self.bytes_by_phase[phase] = max(self.bytes_by_phase[phase], self._process.pss_bytes())


def measure(run: Run) -> list[Row]:
    """Return the growth while a reader of output stalls, and while a command does not read its input."""
    ways = {"a reader of output": _stalled_reader, "a command that reads input": _stalled_command}
    rows: list[Row] = []
    for who, transfer in ways.items():
        with run.ground(writes=2 * run.scale.stall_bytes) as ground:
            run.say(
                f"stalled: {who}, {run.scale.stall_s:.0f} s in the middle of {bytes_text(run.scale.stall_bytes)}"
            )
            rows += _growth(run, ground, who, transfer)
    return rows


def _growth(run: Run, ground: Ground, who: str, transfer: Callable[[Run, Ground, Peak], None]) -> list[Row]:
    ground.bastion.run("true")
    time.sleep(SETTLE_S)
    idle = ground.process.pss_bytes()
    peak = Peak(ground.process)
    with peak.watching():
        transfer(run, ground, peak)
    return [
        Row(
            line="stalled",
            what=f"memory growth while {who} is stalled",
            measured=(peak.bytes_by_phase["stalled"] - idle) / MIB,
            unit="MiB",
            target=at_most(32),
            note=f"{run.scale.stall_s:.0f} s in {bytes_text(run.scale.stall_bytes)}; idle {idle / MIB:.0f} MiB",
        ),
        Row(
            line="stalled",
            what="the same, while the data moves",
            measured=(peak.bytes_by_phase["moving"] - idle) / MIB,
            unit="MiB",
        ),
    ]


def _stalled_reader(run: Run, ground: Ground, peak: Peak) -> None:
    size = run.scale.stall_bytes
    payload = str(run.payload(size // PARTS))
    command = ground.bastion.ssh(TARGET, "cat", *[payload] * PARTS)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0) as ssh:
        assert ssh.stdout
        got, stalled = 0, False
        while data := ssh.stdout.read(MIB):
            got += len(data)
            if got >= size // 2 and not stalled:
                stalled = True
                peak.stall(run.scale.stall_s)
    _expect(ssh, got == size, f"{got} of {size} bytes arrived")


def _stalled_command(run: Run, ground: Ground, peak: Peak) -> None:
    size = run.scale.stall_bytes
    half = size // 2
    payload = str(run.payload(size // PARTS))
    script = (
        f"dd bs=1M count={half // MIB} iflag=fullblock of=/dev/null status=none; "
        f"echo stalled; sleep {run.scale.stall_s}; wc -c"
    )
    with (
        subprocess.Popen(["cat", *[payload] * PARTS], stdout=subprocess.PIPE) as source,
        subprocess.Popen(
            ground.bastion.ssh(TARGET, script), stdin=source.stdout, stdout=subprocess.PIPE, bufsize=0
        ) as ssh,
    ):
        assert ssh.stdout
        assert source.stdout
        source.stdout.close()
        said = ssh.stdout.readline()
        peak.stall(run.scale.stall_s - SETTLE_S)
        rest = ssh.stdout.read().strip()
    _expect(
        ssh, (said, rest) == (b"stalled\n", b"%d" % (size - half)), f"the command said {said!r}, {rest!r}"
    )


def _expect(ssh: subprocess.Popen[bytes], whole: bool, what: str) -> None:
    if ssh.returncode != 0 or not whole:
        raise BenchFault(f"the stalled transfer ended with status {ssh.returncode}; {what}")
