"""Carry what every line of the bench needs: how much to do, where, and how to say how far it is."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.faults import BenchFault
from tests.bench.ground import Ground, Side
from tests.bench.scale import Scale

SPARE_BYTES = 2 << 30
PATIENCE_S = 600.0
SETTLE_S = 0.5

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the bench."""

    scale: Scale
    folder: Path
    options: str = ""
    say: Callable[[str], None] = field(
        default=lambda text: print(f"bench: {text}", file=sys.stderr, flush=True)
    )

    @contextmanager
    def ground(
        self,
        *,
        workers: int = 1,
        callbacks: Path | None = None,
        writes: int = 0,
        policies: Sequence[str] = (),
    ) -> Iterator[Ground]:
        """Give a fresh ground, gone with all its files afterwards; `writes` bytes must fit on the disk."""
        free = shutil.disk_usage(self.folder).free
        if free < writes + SPARE_BYTES:
            raise BenchFault(f"{(writes + SPARE_BYTES) >> 20} MiB are needed on the disk, {free >> 20} are free: "
                             "choose another place with --folder")  # fmt: skip
        place = self.folder / f"ground-{next(_numbers)}"
        place.mkdir()
        try:
            with Ground(
                place, workers=workers, options=self.options, callbacks=callbacks, policies=policies
            ) as ground:
                yield ground
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def payload(self, size: int) -> Path:
        """Return a file of so many bytes that cannot be compressed, made once."""
        path = self.folder / f"payload-{size}"
        if not path.exists():
            with path.open("wb") as file:
                for _ in range(0, size, 1 << 20):
                    file.write(os.urandom(1 << 20))
        return path


def alternate(sides: Sequence[Side], pairs: int, measure: Callable[[Side], float]) -> dict[str, list[float]]:
    """Measure each side in turn, so often, after one round that does not count; return the figures by side."""
    found: dict[str, list[float]] = {side.name: [] for side in sides}
    for number in range(pairs + 1):
        for side in sides:
            figure = measure(side)
            if number:
                found[side.name].append(figure)
    return found


def seconds(
    command: Sequence[str],
    *,
    stdin: Path | None = None,
    expect: bytes | None = None,
) -> float:
    """Run a command and return how long it took, from its start to its end; raise BenchFault if it failed."""
    words = " ".join(command)
    began = time.perf_counter()
    with (stdin or Path(os.devnull)).open("rb") as source:
        try:
            done = subprocess.run(
                command,
                stdin=source,
                stdout=subprocess.PIPE if expect is not None else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=PATIENCE_S,
            )
        except subprocess.TimeoutExpired:
            raise BenchFault(f"{words}: did not end within {PATIENCE_S:.0f} s") from None
    took_s = time.perf_counter() - began
    if done.returncode != 0:
        raise BenchFault(f"{words}: status {done.returncode}: {done.stderr[-400:]!r}")
    if expect is not None and done.stdout.strip() != expect:
        raise BenchFault(f"{words}: printed {done.stdout[-80:]!r}, not {expect!r}")
    return took_s
