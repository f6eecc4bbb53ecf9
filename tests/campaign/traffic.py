"""Make traffic of every kind that a job makes, and keep at both ends what got through.

In      a Scene; a kind by name
Out     Work: a client's program, what it has received, and what its target has received
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.campaign.scene import MARK, PATIENCE_S, Scene, family, wait_for
from tests.patience import looks

HEAVY_BYTES = 6_000_000
STEADY_BYTES = 60_000_000
READY = b"ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One file on its way: what it holds, where it arrives, and how the record calls it."""

    direction: Literal["upload", "download"]
    arrives: Path
    path: str


@dataclass(slots=True, kw_only=True)
class Work:
    """One client on one channel."""

    kind: str
    mark: str
    program: subprocess.Popen[bytes]
    received: Path
    said: Path | None = None
    arrived: Path | None = None
    lines: Path | None = None
    pump: Pump | None = None
    files: tuple[Moved, ...] = ()
    source: bytes = b""
    endless: bool = True
    cut: bool = False  # its bastion was killed while it ran

    def flows(self) -> bool:
        """Say whether something has come through, or the client has ended."""
        places = [self.received, self.arrived, self.lines, *(file.arrives for file in self.files)]
        seen = any(place is not None and place.exists() and place.stat().st_size for place in places)
        return seen or self.program.poll() is not None

    def ends(self, seconds: float = 60) -> bool:
        """Say whether the client ends by itself."""
        ended = wait_for(self.program, seconds)
        if self.pump is not None:
            self.pump.stop()
        return ended


class Pump:
    """Feeds a program pieces of random size at random moments, until it takes no more."""

    def __init__(
        self,
        program: subprocess.Popen[bytes],
        *,
        piece: Callable[[int], bytes],
        pause_s: Callable[[], float],
        after: Callable[[], bool] = lambda: True,
        most_bytes: int = HEAVY_BYTES,
    ) -> None:
        """Start at once, or as soon as `after` says so."""
        self.sent = bytearray()
        self._program = program
        self._piece = piece
        self._pause_s = pause_s
        self._after = after
        self._most = most_bytes
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Feed no more."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        stdin = self._program.stdin
        assert stdin is not None
        number = 0
        try:
            while not self._after() and not self._stopping.wait(0.01):
                pass
            while not self._stopping.wait(self._pause_s()) and len(self.sent) < self._most:
                piece = self._piece(number)
                self.sent += piece  # before it goes: what was not taken may be in the record all the same
                os.write(stdin.fileno(), piece) if len(piece) < 4096 else self._write(piece)
                number += 1
            self._stopping.wait()
        except OSError:
            pass  # the client has gone
        finally:
            with contextlib.suppress(OSError):
                stdin.close()

    def _write(self, piece: bytes) -> None:
        assert self._program.stdin is not None
        view = memoryview(piece)
        while view:
            view = view[os.write(self._program.stdin.fileno(), view) :]


@dataclass(slots=True)
class Repeated:
    """Something done over and over beside the other work, until it is told to stop."""

    step: Callable[[int], None]
    stopping: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join(timeout=PATIENCE_S)

    def _run(self) -> None:
        number = 0
        while not self.stopping.is_set():
            self.step(number)
            number += 1


class Traffic:
    """What one round of a campaign has going on."""

    def __init__(self, scene: Scene, name: str, *, config: str = "ssh_config.quiet") -> None:
        """`name` begins every mark; `config` is the ssh_config in the job's folder."""
        self.scene = scene
        self.name = name
        self.folder = scene.folder / "rounds" / name
        self.folder.mkdir(parents=True)
        self.works: list[Work] = []
        self.certificates: list[bytes] = []
        self.hanging: list[str] = []
        self.config = config
        self.rates_kbit: tuple[int, ...] = (16_000, 64_000, 400_000)  # of transfers
        self.prefix: tuple[str, ...] = ()  # words before a client's command
        self._dice = random.Random(scene.dice.random())
        self._repeated: list[Repeated] = []
        self._counted = 0
        self._adding = threading.Lock()

    # Kinds of work. Each puts what the target has received into the folder, by the work's mark.

    def start(self, kind: str, *options: str) -> Work:
        """Start one client; `options` go to its ssh."""
        work: Work = getattr(self, f"_{kind}")(self._mark(kind), options)
        self.works.append(work)
        return work

    def _answer(self, mark: str, options: tuple[str, ...]) -> Work:
        out, err, pause = self._dice.choice([(900, 40, 0.01), (30_000, 1000, 0.01), (200, 200, 0.002)])
        command = f"while head -c {out} /dev/urandom; do head -c {err} /dev/urandom >&2; sleep {pause}; done"
        return self._ssh("answer", mark, options, command)

    def _burst(self, mark: str, options: tuple[str, ...]) -> Work:
        return self._ssh("burst", mark, options, f"head -c {HEAVY_BYTES} /dev/urandom", endless=False)

    def _feed(self, mark: str, options: tuple[str, ...]) -> Work:
        arrived = self.folder / f"{mark}.arrived"
        work = self._ssh("feed", mark, options, f"exec cat > {arrived}", stdin=subprocess.PIPE)
        work.arrived, work.pump = arrived, self._pump(work)
        return work

    def _flood(self, mark: str, options: tuple[str, ...]) -> Work:
        arrived = self.folder / f"{mark}.arrived"
        work = self._ssh("flood", mark, options, f"exec cat > {arrived}", stdin=subprocess.PIPE)
        work.arrived = arrived
        work.pump = Pump(work.program, piece=lambda _n: self._dice.randbytes(60_000), pause_s=lambda: 0)
        return work

    def _echo(self, mark: str, options: tuple[str, ...]) -> Work:
        arrived = self.folder / f"{mark}.arrived"
        work = self._ssh("echo", mark, options, f"exec tee {arrived}", stdin=subprocess.PIPE)
        work.arrived, work.pump = arrived, self._pump(work)
        return work

    def _terminal(self, mark: str, options: tuple[str, ...]) -> Work:
        arrived = self.folder / f"{mark}.arrived"
        command = f"stty raw -echo; echo {READY.decode()}; exec tee {arrived}"
        work = self._ssh("terminal", mark, ("-tt", "-e", "none", *options), command, stdin=subprocess.PIPE)
        work.arrived = arrived
        work.pump = self._pump(work, after=lambda: READY in work.received.read_bytes()[:4096])
        return work

    def _shell(self, mark: str, options: tuple[str, ...]) -> Work:
        work = self._ssh("shell", mark, ("-tt", "-e", "none", *options), stdin=subprocess.PIPE)
        return self._typed(work, mark, 0.02)

    def _script(self, mark: str, options: tuple[str, ...]) -> Work:
        work = self._ssh("script", mark, options, stdin=subprocess.PIPE)
        return self._typed(work, mark, 0.005)

    def _quiet(self, mark: str, options: tuple[str, ...]) -> Work:
        return self._ssh("quiet", mark, options, f"echo {READY.decode()}; exec cat", stdin=subprocess.PIPE)

    def _get(self, mark: str, options: tuple[str, ...]) -> Work:
        to = self.folder / f"{mark}.download"
        file = Moved(direction="download", arrives=to, path=str(self.scene.payload))
        return self._scp("get", mark, options, f"web-1:{self.scene.payload}", str(to), file)

    def _put(self, mark: str, options: tuple[str, ...]) -> Work:
        to = self.folder / f"{mark}.upload"
        file = Moved(direction="upload", arrives=to, path=str(to))
        return self._scp("put", mark, options, str(self.scene.payload), f"web-1:{to}", file)

    def _sftp(self, mark: str, options: tuple[str, ...]) -> Work:
        source, files, batch = self.scene.payload, [], []
        for number in range(3):
            up, down = self.folder / f"{mark}.{number}.up", self.folder / f"{mark}.{number}.down"
            files += [Moved(direction="upload", arrives=up, path=str(up))]
            files += [Moved(direction="download", arrives=down, path=str(up))]
            batch += [f"put {source} {up}", f"get {up} {down}"]
        script = self.folder / f"{mark}.batch"
        script.write_text("\n".join(batch) + "\n")
        words = ("sftp", "-F", self.config, "-q", "-l", self._rate(), *options, "-b", str(script), "web-1")
        return self._run("sftp", mark, words, files=tuple(files), endless=False)

    # Work that goes round and round.

    def brief(self) -> None:
        """Run short commands one after another: sessions that open and end all the time."""

        def step(number: int) -> None:
            work = self._ssh("brief", self._mark("brief"), (), f"echo said {number}; exit {number % 100}")
            work.endless = False
            with self._adding:
                self.works.append(work)
            if not work.ends():
                self.hanging.append(f"client {work.mark}")

        self._repeated.append(Repeated(step))

    def certify(self) -> None:
        """Ask for certificates one after another."""

        def step(number: int) -> None:
            token = self.scene.world.stage.issuer.issuer.token("deploy", run_id=f"{self.name}-{number}")
            key = self.folder / "newcomer"
            if not key.exists():
                make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
                subprocess.run(make, check=True)
            words = ["ssh", "-F", self.config, "-i", str(key), "login@bastion", "certificate"]
            done = self.scene.world.run(*words, stdin=token.encode(), timeout=PATIENCE_S)
            if done.stdout:
                self.certificates.append(done.stdout)

        self._repeated.append(Repeated(step))

    # The end of it.

    def settle(self, seconds: float = 20) -> None:
        """Wait until all that was started flows, or has ended."""
        any(all(work.flows() for work in list(self.works)) for _ in looks(seconds, 0.01))

    def end(self, seconds: float = 60) -> None:
        """Wait for the clients, which have lost their bastion; note those that do not notice."""
        for repeated in self._repeated:
            repeated.stop()
        for work in self.works:
            if not work.ends(seconds):
                self.hanging.append(f"client {work.mark}")

    def stop(self) -> None:
        """Let the clients go, as if their machines went off."""
        for work in self.works:
            for pid in family(work.program.pid) if work.program.poll() is None else ():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.end()

    # How work is started.

    def _mark(self, kind: str) -> str:
        with self._adding:
            self._counted += 1
            return f"{self.scene.tag}-{self.name}-{kind}-{self._counted}"

    def _ssh(self, kind: str, mark: str, options: tuple[str, ...], *command: str, **more: Any) -> Work:
        return self._run(kind, mark, ("ssh", "-F", self.config, *options, "web-1", *command), **more)

    def _scp(self, kind: str, mark: str, options: tuple[str, ...], source: str, to: str, file: Moved) -> Work:
        old = ["-O"] if self._dice.random() < 0.5 else []
        words = ("scp", "-F", self.config, "-q", *old, "-l", self._rate(), *options, source, to)
        return self._run(kind, mark, words, files=(file,), endless=False)

    def _run(
        self,
        kind: str,
        mark: str,
        words: tuple[str, ...],
        *,
        stdin: int = subprocess.DEVNULL,
        files: tuple[Moved, ...] = (),
        endless: bool = True,
    ) -> Work:
        received, said = self.folder / f"{mark}.received", self.folder / f"{mark}.said"
        with received.open("wb") as out, said.open("wb") as err:
            marked = {"env": {**os.environ, MARK: mark}}
            program = self.scene.world.start(
                *self.prefix, *words, stdin=stdin, stdout=out, stderr=err, **marked
            )
        return Work(
            kind=kind,
            mark=mark,
            program=program,
            received=received,
            said=None if kind in ("terminal", "shell") or files else said,
            files=files,
            source=self.scene.source if files else b"",
            endless=endless,
        )

    def _typed(self, work: Work, mark: str, pause_s: float) -> Work:
        work.lines = self.folder / f"{mark}.lines"
        place = work.lines
        work.pump = Pump(
            work.program,
            piece=lambda number: typed_line(place, number),
            pause_s=lambda: self._dice.expovariate(1 / pause_s),
        )
        return work

    def _pump(self, work: Work, after: Callable[[], bool] = lambda: True) -> Pump:
        most, pause_s = self._dice.choice([(20, 0.002), (2000, 0.005), (40_000, 0.02)])
        return Pump(
            work.program,
            piece=lambda _number: self._dice.randbytes(self._dice.randint(1, most)),
            pause_s=lambda: self._dice.expovariate(1 / pause_s),
            after=after,
            most_bytes=STEADY_BYTES,
        )

    def _rate(self) -> str:
        return str(self._dice.choice(self.rates_kbit))


def typed_line(place: Path, number: int) -> bytes:
    """Return what is typed at a shell, line by line; the target's file then shows which lines it ran."""
    return f"echo {number} >> {place}\n".encode()


KINDS = (
    *("answer", "burst", "feed", "flood", "echo", "terminal", "shell", "script", "quiet"),
    *("get", "put", "sftp"),
)
