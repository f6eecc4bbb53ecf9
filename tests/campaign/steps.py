"""Step the bastion's clock in the middle of traffic, without touching the machine's.

In      a Scene; libfaketime, which scripts/setup installs
Out     a Finding for each fault
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.campaign.case import Case, Finding, restarted
from tests.campaign.scene import Scene

AHEAD = "+1800"  # longer than a certificate lives, shorter than the bastion's own is kept
TRAFFIC = ("quiet", "answer", "echo", "terminal", "shell")


def clock_back(scene: Scene) -> Finding:
    """Nobody notices: time goes on from before, and the step is on the audit chain."""
    with _clock(scene) as step:
        case = Case(scene, "clock-back")
        works = case.start(*TRAFFIC)
        step("-3600")
        case.until(lambda: _told(scene), "the step is not on the audit chain")
        case.untouched([work for work in works if work.kind != "shell"])
        case.served()
        return case.finish()


def clock_forward(scene: Scene) -> Finding:
    """Sessions go on; certificates have expired and no new ones are given, also after the clock was set right."""
    with _clock(scene) as step:
        case = Case(scene, "clock-forward")
        works = [work for work in case.start(*TRAFFIC) if work.kind != "shell"]
        for offset in (AHEAD, "+0"):
            step(offset)
            case.refused("expired")
            certified = scene.world.certify("newcomer", "deploy", run_id="78")
            case.expect(
                certified.returncode and b"no certificate" in certified.stderr, f"certified: {certified}"
            )
        case.untouched(works)
        return case.finish()


def _told(scene: Scene) -> bool:
    with contextlib.closing(scene.evidence()) as evidence:
        return any(entry.kind == "clock.stepped-back" for entry in evidence.audit())


@contextlib.contextmanager
def _clock(scene: Scene) -> Iterator[Callable[[str], object]]:
    """Have the bastion read its wall clock through a file; yield what steps it by so many seconds."""
    library = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
    if library is None:
        raise RuntimeError("libfaketime is not installed: scripts/setup dev installs it")
    offset, stage = scene.folder / "clock", scene.world.stage
    offset.write_text("+0\n")

    def fake() -> None:
        stage.launcher = (
            *("env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={offset}"),
            *("FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1"),
        )

    def true() -> None:
        stage.launcher = ()

    with restarted(scene, before=fake, after=true):
        yield lambda text: offset.write_text(f"{text}\n")
