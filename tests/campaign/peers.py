"""Take away the peers: the target, its identity, the client.

In      a Scene; for a client behind a dead link, as root, a network namespace
Out     a Finding for each fault
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bastion.demo.host import program
from tests.campaign.case import Case, Finding, as_root
from tests.campaign.scene import MARK, PATIENCE_S, Scene, family
from tests.campaign.traffic import Work
from tests.patience import looks

BESIDE = ("quiet", "answer", "echo", "terminal")
VANISHED = "bastion: web-1 closed the channel without saying how the command ended"
OTHER_KEY = "target web-1 showed another host key than the configured one; nothing was sent to it"
LINK = "10.213.77"
NOTICED_S = 120.0  # far more than the keep-alives of this scene take


def target_gone(scene: Scene) -> Finding:
    """The session's clients get 255 and are told; while no target listens, new sessions are refused, saying so."""
    case = Case(scene, "target-gone")
    beside = case.start(*BESIDE)
    works = case.start("answer", "echo", "feed", "terminal", "shell", "quiet")
    for work in works:
        os.kill(_server_of(work), signal.SIGKILL)
    case.ended(works, VANISHED)
    host = scene.world.stage.host
    host.stop()
    case.refused("target web-1 cannot be reached: Connection refused")
    host.start()
    case.untouched(beside)
    case.served()
    return case.finish()


def target_silent(scene: Scene) -> Finding:
    """A target that answers no more, not even keep-alives, is given up: its clients get 255 and are told."""
    case = Case(scene, "target-silent")
    beside = case.start(*BESIDE)
    works = case.start("answer", "echo", "feed", "terminal", "quiet")
    servers = [_server_of(work) for work in works]
    with _stopped(servers):
        case.ended(works, VANISHED, seconds=NOTICED_S)
    case.untouched(beside)
    case.served()
    return case.finish()


def host_key_changed(scene: Scene) -> Finding:
    """Nothing is sent to a target with another key, neither for a new session nor for a second connection of one."""
    case = Case(scene, "host-key-changed")
    shared = ("-q", "-o", "ControlMaster=auto", "-o", f"ControlPath={case.traffic.folder}/ctl")
    beside = [*case.start("answer", options=shared), *case.start("echo", "quiet", "terminal")]
    with _other_host_key(scene):
        case.refused(OTHER_KEY)
        # A terminal takes a connection of its own.
        second = scene.world.ssh(*shared, "-tt", "web-1", "echo never", timeout=PATIENCE_S)
        case.expect(
            OTHER_KEY in second.stdout.decode() + second.stderr.decode(), f"a second connection: {second}"
        )
        case.expect(second.returncode == 255, f"a second connection ended with status {second.returncode}")
        case.untouched(beside)
    case.served()
    return case.finish()


def client_stopped(scene: Scene) -> Finding:
    """A client that answers no more, its connection open, is given up by keep-alives: session sealed, command ended."""
    case = Case(scene, "client-stopped")
    beside = case.start(*BESIDE)
    known = case.active()
    case.traffic.config = "ssh_config.quiet"
    works = case.start("answer", "echo", "feed", "terminal", "quiet")
    clients = [pid for work in works for pid in family(work.program.pid)]
    with _stopped(clients):
        case.until(lambda: case.active() == known, "a session outlives its client", NOTICED_S)
        case.until(lambda: not any(_commands(work) for work in works), "a command outlives its client")
    case.ended(works, None)
    case.untouched(beside)
    case.served()
    return case.finish()


def client_half_open(scene: Scene) -> Finding:
    """As above for a client whose link is dead: no packet and no end of connection ever comes."""
    case = Case(scene, "client-half-open")
    with _far_away(scene, case) as cut:
        beside = case.start(*BESIDE)
        known = case.active()
        case.traffic.prefix = ("ip", "netns", "exec", cut)
        case.traffic.config = "ssh_config.far"
        works = case.start("answer", "echo", "feed", "terminal", "quiet")
        case.traffic.prefix = ()
        as_root("ip", "link", "set", f"{cut}-a", "down")
        case.until(lambda: case.active() == known, "a session outlives its client", NOTICED_S)
        case.until(lambda: not any(_commands(work) for work in works), "a command outlives its client")
        case.untouched(beside)
        case.served()
        return case.finish()


def _commands(work: Work) -> list[int]:
    """Return the processes that the target's sshd runs for this work."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            environment = path.read_bytes().split(b"\0")
            if f"{MARK}={work.mark}".encode() in environment and any(
                it.startswith(b"SSH_CONNECTION=") for it in environment
            ):
                found.append(int(path.parent.name))
    return found


def _server_of(work: Work) -> int:
    """Return the process of the target's sshd that serves this work, once it runs."""
    for _ in looks(PATIENCE_S, 0.05):
        for pid in _commands(work):
            with contextlib.suppress(OSError):  # it has just ended
                while pid > 1:
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    pid = int(fields[1])
                    if Path(f"/proc/{pid}/comm").read_text().strip() == "sshd":
                        return pid
    raise AssertionError(f"nothing runs for {work.mark}")


@contextlib.contextmanager
def _stopped(pids: list[int]) -> Iterator[None]:
    """Let processes stand still, with everything they have open."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def _other_host_key(scene: Scene) -> Iterator[None]:
    """Have a new sshd on the target's port, with a key that nobody knows; what runs on the old one goes on."""
    host, folder = scene.world.stage.host, scene.world.stage.host.folder
    names = ("host_key", "host_key.pub")
    host.stop()
    for name in names:
        (folder / name).rename(folder / f"{name}.true")
    keygen = program("ssh-keygen", "openssh-client")
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / names[0])], check=True)
    host.start()
    try:
        yield
    finally:
        host.stop()
        for name in names:
            shutil.move(folder / f"{name}.true", folder / name)
        host.start()


@contextlib.contextmanager
def _far_away(scene: Scene, case: Case) -> Iterator[str]:
    """Make a network of its own for clients, with one link to the bastion; yield its name."""
    if os.getuid() != 0:
        raise RuntimeError("clients in a network of their own take root: run this as root")
    name, world = f"bc{os.getpid() % 100_000}", scene.world
    as_root("ip", "netns", "add", name)
    config = world.stage.config.read_text()
    try:
        as_root("ip", "link", "add", f"{name}-a", "type", "veth", "peer", "name", f"{name}-b", "netns", name)
        as_root("ip", "address", "add", f"{LINK}.1/24", "dev", f"{name}-a")
        as_root("ip", "link", "set", f"{name}-a", "up")
        as_root("ip", "-n", name, "address", "add", f"{LINK}.2/24", "dev", f"{name}-b")
        as_root("ip", "-n", name, "link", "set", f"{name}-b", "up")
        near = f"127.0.0.1:{world.stage.port}"
        world.rewrite_config(
            lambda text: text.replace(
                f'listen = "{near}"', f'listen = ["{near}", "{LINK}.1:{world.stage.port}"]'
            )
        )
        world.stage.stop_bastion()
        world.stage.start_bastion()
        marked = (world.job / "ssh_config.marked").read_text()
        (world.job / "ssh_config.far").write_text(marked.replace("HostName 127.0.0.1", f"HostName {LINK}.1"))
        yield name
    finally:
        case.traffic.stop()
        as_root("ip", "netns", "delete", name)
        world.stage.config.write_text(config)
        world.stage.stop_bastion()
        world.stage.start_bastion()
