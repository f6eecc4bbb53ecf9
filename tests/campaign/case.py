"""One fault in the middle of traffic: who must be cut off and told why, who must not notice, and what is on record.

In      a Scene; what the fault is expected to do, as calls
Out     a Finding: the Balance of its traffic, and everything that went otherwise
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.evidence import Filter
from recorder.verify import verify
from tests.campaign.ledger import Balance, Ledger
from tests.campaign.scene import PATIENCE_S, Scene, gone
from tests.campaign.traffic import Traffic, Work
from tests.patience import looks

STATUS_SSH = 255
AS_ROOT = [] if os.getuid() == 0 else ["sudo", "-n"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one fault."""

    fault: str
    ended: int
    untouched: int
    balance: Balance


class Case:
    """One fault's traffic, and what is expected of it."""

    def __init__(self, scene: Scene, fault: str, *, config: str = "ssh_config.marked") -> None:
        self.scene = scene
        self.fault = fault
        self.wrong: list[str] = []
        self.traffic = Traffic(scene, fault, config=config)
        self.traffic.rates_kbit = (4_000,)  # so slow that no transfer ends before its fault
        self._ledger = Ledger()
        self._ended = self._untouched = 0

    def start(self, *kinds: str, options: tuple[str, ...] = ()) -> list[Work]:
        """Start work of these kinds, and wait until it flows."""
        works = [self.traffic.start(kind, *options) for kind in kinds]
        self.until(lambda: all(work.flows() for work in works), "some traffic never began to flow")
        for work in works:
            self.expect(work.program.poll() is None, f"{work.mark} ended before its time: {said(work)!r}")
        return works

    def expect(self, true: object, otherwise: str) -> None:
        """Note what is not as expected."""
        if not true:
            self.wrong.append(f"{self.fault}: {otherwise}")

    def until(self, look: Callable[[], object], otherwise: str, seconds: float = 60) -> None:
        """Wait for something that is expected."""
        self.expect(any(look() for _ in looks(seconds)), otherwise)

    def ended(self, works: list[Work], says: str | None, *, seconds: float = 60) -> None:
        """Expect that these are cut off, their clients with SSH's own status and a reason."""
        for work in works:
            if not work.ends(seconds):
                self.expect(False, f"{work.mark} hangs")
                continue
            status = work.program.returncode
            self.expect(
                status == STATUS_SSH or (work.files and status), f"{work.mark} ended with status {status}"
            )
            self.expect(
                says is None or re.search(says, said(work)),
                f"{work.mark} was not told {says!r} but {said(work)[-200:]!r}",
            )
            self._ended += 1

    def untouched(self, works: list[Work]) -> None:
        """Expect that these go on: what flows flows, and what was quiet answers."""
        for work in works:
            before = came_through(work)
            if work.kind == "quiet" and work.program.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    os.write(work.program.stdin.fileno(), b"still here\n")

            def goes_on(work: Work = work, before: int = before) -> bool:
                return work.program.poll() is None and came_through(work) > before

            self.until(goes_on, f"{work.mark} was touched: {said(work)[-200:]!r}")
            self._untouched += 1

    def refused(self, says: str, *words: str) -> None:
        """Expect that new sessions are refused, with a reason."""
        done = self.scene.world.ssh(*words, "web-1", "echo never", timeout=PATIENCE_S)
        self.expect(done.returncode == STATUS_SSH and not done.stdout, f"a new session ended as {done}")
        self.expect(
            re.search(says, done.stderr.decode()), f"a new session was not told {says!r} but {done.stderr!r}"
        )
        self.expect(self.alive(), "the bastion is gone")

    def served(self) -> None:
        """Expect that new sessions work."""
        done = self.scene.world.ssh("web-1", "echo after; exit 4", timeout=PATIENCE_S)
        self.expect(
            (done.returncode, done.stdout) == (4, b"after\n"), f"afterwards a session ended as {done}"
        )

    def alive(self) -> bool:
        """Say whether the bastion still runs."""
        program = self.scene.world.stage.program
        return program is not None and program.poll() is None

    def active(self) -> int:
        """Return how many sessions are open, by the record."""
        with contextlib.closing(self.scene.evidence()) as evidence:
            return len([row for row in evidence.sessions(Filter()) if not row.sealed])

    def finish(self) -> Finding:
        """Let all clients go, and compare what they and their target have with the record."""
        self.traffic.stop()
        self.until(lambda: not self.active(), "a session is left open")
        with contextlib.closing(self.scene.evidence()) as evidence:
            balance = self._ledger.check(self.traffic, evidence)
        report = verify(self.scene.world.database, self.scene.keys(), live=True)
        balance.wrong += self.wrong
        balance.wrong += [f"{self.fault}: verify: {it.where}: {it.what}" for it in report.problems]
        balance.wrong += [f"{self.fault}: does not end: {it}" for it in self.traffic.hanging]
        balance.wrong += [
            f"{self.fault}: left running: {it}" for it in gone(f"{self.scene.tag}-{self.fault}-")
        ]
        return Finding(fault=self.fault, ended=self._ended, untouched=self._untouched, balance=balance)


def came_through(work: Work) -> int:
    """Return how many bytes have reached the client and its target by now."""
    places = [place for place in (work.received, work.arrived, work.lines) if place is not None]
    return sum(place.stat().st_size for place in places if place.exists())


def said(work: Work) -> str:
    """Return what a client has said on its stderr."""
    return work.received.with_suffix(".said").read_bytes().decode(errors="replace")


def as_root(*words: str) -> str:
    """Run a command as root; raise when it fails, with what it said."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    done = subprocess.run(
        [*AS_ROOT, *words], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} failed, which this fault needs: {done.stderr.strip()}")
    return done.stdout.strip()


@contextlib.contextmanager
def restarted(scene: Scene, *, before: Callable[[], object], after: Callable[[], object]) -> Iterator[None]:
    """Have the bastion serve from a changed place: something is done while it is down, and undone in the end."""
    stage = scene.world.stage
    stage.stop_bastion()
    before()
    try:
        stage.start_bastion()
        yield
    finally:
        stage.stop_bastion()
        after()
        fresh(scene.world.database)
        stage.start_bastion()


def fresh(database: Path) -> None:
    """Leave no recordings behind."""
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
