"""Kill the bastion at random points of random traffic, and see what the record then says.

In      a Scene; how many kills
Out     a Balance over all of them; whatever hangs is among what is wrong
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable

from recorder.verify import verify
from tests.campaign.case import fresh
from tests.campaign.ledger import Balance, Ledger
from tests.campaign.scene import PATIENCE_S, Scene, family, gone
from tests.campaign.traffic import KINDS, Traffic
from tests.patience import looks

ROUNDS_EACH = 8  # kills before the recordings are set aside, so that checking all of them stays quick
WORKERS = (1, 2)  # processes that serve, until the recordings are set aside

Progress = Callable[[int, Balance], None]


def kills(scene: Scene, count: int, progress: Progress = lambda _done, _balance: None) -> Balance:
    """Kill the bastion so many times; return what was counted."""
    total, ledger = Balance(), Ledger()
    set_aside(scene, total)
    for number in range(count):
        traffic = begin(scene, f"k{number}")
        wait(scene, traffic)
        strike(scene, traffic)
        traffic.end()
        recover(scene)
        balance = settled(scene, traffic, ledger)
        total.add(balance)
        if not balance.wrong:
            shutil.rmtree(traffic.folder)
        progress(number + 1, total)
        if (number + 1) % ROUNDS_EACH == 0:
            set_aside(scene, total)
            scene.renew()
    set_aside(scene, total, workers=1)
    return total


def begin(scene: Scene, name: str) -> Traffic:
    """Start a few clients of random kinds, some of them over one connection."""
    dice, traffic = scene.dice, Traffic(scene, name)
    shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={traffic.folder}/ctl")
    sharing = dice.random() < 0.5
    for kind in dice.sample(KINDS, dice.randint(3, 6)):
        traffic.start(kind, *(shared if sharing and dice.random() < 0.6 else ()))
        if dice.random() < 0.3:
            time.sleep(dice.uniform(0, 0.1))
    if dice.random() < 0.5:
        traffic.brief()
    if dice.random() < 0.3:
        traffic.certify()
    return traffic


def wait(scene: Scene, traffic: Traffic) -> None:
    """Let some time pass: mostly until all flows, at times only until somebody connects."""
    if scene.dice.random() < 0.75:
        traffic.settle()
    time.sleep(scene.dice.uniform(0, 0.4))


def strike(scene: Scene, traffic: Traffic) -> None:
    """Kill the bastion: all its processes at once, or only the first; at times it is just shutting down."""
    dice, stage = scene.dice, scene.world.stage
    if dice.random() < 0.1:
        stage.signal(signal.SIGTERM)
        time.sleep(dice.uniform(0, 0.5))
    assert stage.program is not None
    workers = family(stage.program.pid)[1:]
    if workers and dice.random() < 0.3:
        with contextlib.suppress(ProcessLookupError):  # it may just have ended
            os.kill(dice.choice(workers), signal.SIGKILL)
        time.sleep(dice.uniform(0, 0.5))
        workers = family(stage.program.pid)[1:]
    if workers and dice.random() < 0.3:
        stage.stop_bastion(signal.SIGKILL)  # the others notice, and end their sessions themselves
        return
    for work in traffic.works:
        work.cut = work.program.poll() is None
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        stage.signal(number)
    stage.stop_bastion(signal.SIGKILL)


def recover(scene: Scene) -> None:
    """Start the bastion again; at times it is killed once more while it recovers."""
    stage = scene.world.stage
    if scene.dice.random() < 0.1:
        program = stage.launch_bastion()
        time.sleep(scene.dice.uniform(0.4, 1.2))
        program.kill()
        program.wait()
    start(scene)


def start(scene: Scene) -> None:
    """Start the bastion, and wait until it has recorded that."""
    scene.world.stage.start_bastion()
    for _ in looks(PATIENCE_S):
        with contextlib.closing(scene.evidence()) as evidence:
            if any(True for _entry in evidence.audit()):
                break


def settled(scene: Scene, traffic: Traffic, ledger: Ledger) -> Balance:
    """Check everything that one kill left behind."""
    with contextlib.closing(scene.evidence()) as evidence:
        balance = ledger.check(traffic, evidence)
    report = verify(scene.world.database, scene.keys(), live=True)
    balance.wrong += [f"{traffic.name}: verify: {it.where}: {it.what}" for it in report.problems]
    balance.wrong += [f"{traffic.name}: does not end: {it}" for it in traffic.hanging]
    balance.wrong += [f"{traffic.name}: left running: {it}" for it in gone(f"{scene.tag}-{traffic.name}-")]
    return balance


def set_aside(scene: Scene, total: Balance, *, workers: int | None = None) -> None:
    """Stop the bastion in good order, have all of it verified by the command, and begin a new file."""
    world = scene.world
    world.stage.stop_bastion()
    done = world.bastion("verify", "--all", "--json", timeout=120)
    report = json.loads(done.stdout) if done.stdout else {"problems": [done.stderr.decode()]}
    if done.returncode != 0 or report["problems"]:
        total.wrong.append(f"verify --all: {report['problems']}")
    fresh(world.database)
    scene.workers(workers or scene.dice.choice(WORKERS))
    start(scene)
