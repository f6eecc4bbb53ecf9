"""Strike one of several processes that serve.

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
    return _one_of_two(scene, "worker-killed", signal.SIGKILL)


def worker_stopped(scene: Scene) -> Finding:
    """One of several workers stands still, whatever it holds: it is killed, and all is as above."""
    return _one_of_two(scene, "worker-stopped", signal.SIGSTOP)


def _one_of_two(scene: Scene, fault: str, number: int) -> Finding:
    with restarted(scene, before=lambda: scene.workers(2), after=lambda: scene.workers(1)):
        case = Case(scene, fault, config="ssh_config.quiet")
        works = case.start(*TRAFFIC)
        program = scene.world.stage.program
        assert program is not None
        workers = family(program.pid)[1:]
        os.kill(workers[0], number)
        case.until(lambda: _ended(works), "nobody was served by the worker that was struck")
        case.until(lambda: case.active() == len(works) - len(_ended(works)), "what it served is not sealed")
        ended = _ended(works)
        case.untouched([work for work in works if work not in ended])
        case.ended(ended, None)
        case.until(
            lambda: len(set(family(program.pid)[1:]) - {workers[0]}) == len(workers), "it is not replaced"
        )
        case.served()
        return case.finish()


def _ended(works: list[Work]) -> list[Work]:
    return [work for work in works if work.program.poll() is not None]
