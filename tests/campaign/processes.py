"""Kill one of several processes that serve.

In      a Scene
Out     a Finding
"""

from __future__ import annotations

import os
import signal

from tests.campaign.case import Case, Finding, restarted
from tests.campaign.scene import Scene, family
from tests.campaign.traffic import Work

TRAFFIC = ("answer", "echo", "terminal", "answer", "echo", "quiet")


def worker_killed(scene: Scene) -> Finding:
    """One of several workers dies: its sessions are sealed as interrupted, all others go on, it is replaced."""
    with restarted(scene, before=lambda: scene.workers(2), after=lambda: scene.workers(1)):
        case = Case(scene, "worker-killed", config="ssh_config.quiet")
        works = case.start(*TRAFFIC)
        program = scene.world.stage.program
        assert program is not None
        workers = family(program.pid)[1:]
        os.kill(workers[0], signal.SIGKILL)
        case.until(lambda: _ended(works), "nobody was served by the worker that was killed")
        case.until(lambda: case.active() == len(works) - len(_ended(works)), "what it served is not sealed")
        case.untouched([work for work in works if work not in _ended(works)])
        case.ended(_ended(works), None)
        case.until(lambda: len(family(program.pid)[1:]) == len(workers), "it is not replaced")
        case.served()
        return case.finish()


def _ended(works: list[Work]) -> list[Work]:
    return [work for work in works if work.program.poll() is not None]
