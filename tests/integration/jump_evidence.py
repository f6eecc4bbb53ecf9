"""Read what a story left behind: the sessions it added, their events, the audit entries it caused.

In      a World; what it holds already is not looked at
Out     Recorded, one per session, read from the database itself while the bastion runs
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bastion.keyring import load_key_set
from recorder.events import Event, Kind
from recorder.evidence import Evidence, Filter, SessionRow
from tests.integration.conftest import Finished, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One session as the database has it."""

    row: SessionRow
    events: Sequence[Event]

    def data(self, *kinds: Kind) -> bytes:
        """Return the bytes of all events of these kinds, in order."""
        return b"".join(event.data for event in self.events if event.kind in kinds)

    def details(self, kind: Kind) -> list[dict[str, Any]]:
        """Return the details of all events of one kind."""
        return [event.detail for event in self.events if event.kind is kind]

    @property
    def request(self) -> Event:
        """The only request."""
        (found,) = [event for event in self.events if event.kind is Kind.REQUEST]
        return found

    @property
    def output(self) -> bytes:
        return self.data(Kind.OUTPUT)

    @property
    def input(self) -> bytes:
        return self.data(Kind.INPUT)


class Since:
    """What came into the database since this was made."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known = {row.id for row in self._rows()}
        self._audited = len(world.audit())

    def live(self) -> Recorded:
        """Wait for the one session added, whether it has ended or not."""
        return self._recorded(self._world.until(self._added)[0])

    def ended(self) -> Recorded:
        """Wait until the one session added has ended and is sealed."""
        rows = self._world.until(lambda: [row for row in self._added() if row.sealed])
        (row,) = self._added()
        assert row.id == rows[0].id
        return self._recorded(row)

    def none(self) -> None:
        """Check that no session was added."""
        assert self._added() == []

    def audit(self, kind: str) -> list[dict[str, Any]]:
        """Return the details of the audit entries of this kind that were added."""
        return [entry["detail"] for entry in self._world.audit()[self._audited :] if entry["kind"] == kind]

    def refused(self, what: str) -> dict[str, Any]:
        """Wait for an audit entry `request.refused` of exactly this."""
        found: dict[str, Any] = self._world.until(
            lambda: next((it for it in self.audit("request.refused") if it["what"] == what), None)
        )
        return found

    def _added(self) -> list[SessionRow]:
        return [row for row in self._rows() if row.id not in self._known]

    def _rows(self) -> list[SessionRow]:
        with _evidence(self._world) as evidence:
            return evidence.sessions(Filter())

    def _recorded(self, row: SessionRow) -> Recorded:
        with _evidence(self._world) as evidence:
            return Recorded(row=row, events=list(evidence.events(row.id)))


def shown(world: World, session: str) -> dict[str, Any]:
    """Return what `bastion show ID --json` prints."""
    done = world.bastion("show", session, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Direct:
    """The same sshd without the bastion in between: what a job would see if it were let in."""

    def __init__(self, world: World) -> None:
        """Sign a key of its own with the user CA, as the bastion does for each session."""
        self._world = world
        key = world.job / "direct"
        if not key.exists():
            world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "direct", check=True)
            authority = str(world.folder / "keys" / "user-ca")
            sign = ("ssh-keygen", "-q", "-s", authority, "-I", "direct", "-n", world.login, "-V", "-1m:+1h")
            world.run(*sign, "direct.pub", check=True)
        host = world.stage.host
        (world.job / "known_direct").write_text(f"[127.0.0.1]:{host.port} {host.host_key}\n")
        self.options = (
            *("-F", "none", "-i", "direct", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes"),
            *("-o", "UserKnownHostsFile=known_direct", "-p", str(host.port)),
        )
        self.where = f"{world.login}@127.0.0.1"

    def ssh(self, *words: str, stdin: bytes = b"") -> Finished:
        """Run ssh straight at the target; the words come after its name."""
        return self._world.run("ssh", *self.options, self.where, *words, stdin=stdin)


def children(world: World) -> list[int]:
    """Return the processes that the target's sshd runs for connections."""
    listener = world.stage.host._process
    assert listener
    found = subprocess.run(["pgrep", "-P", str(listener.pid)], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


def running(marker: str) -> bool:
    """Say whether some process has this text in its command line or environment of arguments."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes():
                return True
        except OSError:
            continue
    return False


@contextmanager
def multiplexed(world: World, name: str = "mux") -> Iterator[tuple[str, ...]]:
    """Hold one connection to web-1 that others use; yield the words that run ssh over it."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    use = ("ssh", "-F", "ssh_config", "-S", name)
    holder = world.start(*use, "-M", "-N", "web-1", **quiet)
    try:
        world.until(lambda: world.run(*use, "-O", "check", "web-1").returncode == 0)
        yield (*use, "web-1")
    finally:
        if (
            world.run(*use, "-O", "exit", "web-1").returncode != 0
        ):  # a signal may be lost: OpenSSH 9.2 polls after it
            holder.kill()
        holder.wait(timeout=10)


@contextmanager
def _evidence(world: World) -> Iterator[Evidence]:
    evidence = Evidence(world.database, load_key_set(world.folder / "keys" / "seal.jwks"))
    try:
        yield evidence
    finally:
        evidence.close()
