"""Fuzz one target with atheris for so much processor time, and keep what was found.

A find does not end the run: it is kept, with its input and stack, and the run goes on to look for others. Time is the
processor's, that of programs which the target starts included: what is stopped, or has to wait for others, gets its
whole share later.

In      a target's name, seconds, a folder
Out     FOLDER/status.json, written every few seconds; FOLDER/corpus/; FOLDER/finds/
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from random import Random
from typing import Any

STATUS_EVERY_S = 5.0
INSTRUMENTED = ["bastion", "recorder", "policies", "asyncssh"]
MOST_FINDS = 100


class Run:
    """What one process has done so far."""

    def __init__(self, name: str, cpu_s: float, folder: Path) -> None:
        self.name, self.limit_s, self.folder = name, cpu_s, folder
        self.executions = 0
        self.finds: dict[str, dict[str, Any]] = {}
        self.began_s = self.told_s = processor_s()

    def keep(self, error: BaseException, data: bytes) -> None:
        """Keep a find, once for each place and kind of error."""
        frames = traceback.extract_tb(error.__traceback__)
        place = "; ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-2:])
        what = f"{type(error).__name__}: {str(error)[:300]}"
        key = hashlib.sha256(f"{type(error).__name__} {place} {_without_values(what)}".encode()).hexdigest()[
            :12
        ]
        if key in self.finds:
            self.finds[key]["times"] += 1
        elif len(self.finds) < MOST_FINDS:
            self.finds[key] = {"what": what, "place": place, "times": 1}
            finds = self.folder / "finds"
            (finds / f"{key}.bin").write_bytes(data)
            (finds / f"{key}.txt").write_text("".join(traceback.format_exception(error)), "utf-8", "replace")

    def tell(self, *, done: bool = False) -> None:
        """Write the status, whole or not at all."""
        self.told_s = processor_s()
        status = {
            "target": self.name,
            "pid": os.getpid(),
            "cpu_s": round(self.told_s - self.began_s, 1),
            "executions": self.executions,
            "corpus": sum(1 for _ in (self.folder / "corpus").iterdir()),
            "finds": self.finds,
            "done": done,
        }
        fresh = self.folder / "status.tmp"
        fresh.write_text(json.dumps(status, indent=1), "utf-8")
        fresh.replace(self.folder / "status.json")


def processor_s() -> float:
    """Return the seconds of processor time of this process, and of its children that have ended."""
    return sum(os.times()[:4])


def _without_values(text: str) -> str:
    return "".join(char for char in text.split("(")[0].split("'")[0] if not char.isdigit())


def main() -> None:
    """Run until the time is up."""
    options = argparse.ArgumentParser()
    options.add_argument("target")
    options.add_argument("cpu_s", type=float)
    options.add_argument("folder", type=Path)
    asked = options.parse_args()
    warnings.simplefilter("ignore")
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz import catalog

        target = catalog.target(asked.target)
    from tests.fuzz.target import CPU_S, watched

    corpus = asked.folder / "corpus"
    for folder in (corpus, asked.folder / "finds"):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    run = Run(asked.target, asked.cpu_s, asked.folder)

    def one(data: bytes) -> None:
        run.executions += 1
        try:
            watched(target, data, CPU_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
            run.keep(error, data)
        now_s = processor_s()
        if now_s - run.told_s > STATUS_EVERY_S:
            over = now_s - run.began_s >= run.limit_s
            run.tell(done=over)
            if over:
                os._exit(0)

    def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
        def havoc(part: bytes) -> bytes:
            return bytes(atheris.Mutate(part, max(len(part) * 2, 64)))

        return target.mutate(data, Random(seed), havoc)[:most_bytes]

    engine = [f"-max_len={target.most_bytes}", "-timeout=100000", "-rss_limit_mb=4096", "-len_control=0"]
    place = f"-artifact_prefix={asked.folder / 'finds'}{os.sep}"
    run.tell()
    atheris.Setup([sys.argv[0], *engine, place, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
