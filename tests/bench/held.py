"""Hold idle sessions with a terminal open: each by a stock OpenSSH client of its own (and its jump's)."""

from __future__ import annotations

import subprocess
from types import TracebackType
from typing import Self

from tests.bench.faults import BenchFault
from tests.bench.ground import TARGET, Side

AT_ONCE = 4
READY = b"ready"


class Held:
    """Sessions that do nothing until the `with` ends."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._clients: list[subprocess.Popen[bytes]] = []

    def __len__(self) -> int:
        return len(self._clients)

    def grow(self, count: int) -> None:
        """Hold so many, and return when each has its terminal; raise BenchFault."""
        while len(self) < count:
            opened = [self._open() for _ in range(min(AT_ONCE, count - len(self)))]
            self._clients += opened
            for client in opened:
                assert client.stdout
                line = client.stdout.readline()
                if READY not in line:
                    raise BenchFault(f"a session to hold did not open: {line!r}")

    def check(self) -> None:
        """Raise BenchFault if one has ended."""
        ended = [client.returncode for client in self._clients if client.poll() is not None]
        if ended:
            raise BenchFault(f"{len(ended)} of {len(self)} held sessions ended by themselves: {ended[:5]}")

    def release(self) -> None:
        """End them all."""
        for client in self._clients:
            client.kill()
        for client in self._clients:
            client.communicate(timeout=60)
        self._clients.clear()

    def _open(self) -> subprocess.Popen[bytes]:
        command = self._side.ssh("-tt", TARGET, f"echo {READY.decode()}; exec cat")
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
