"""Give each story a real world: an OIDC issuer, a bastion process, an sshd, and the system's own ssh client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bastion.demo.stage import JOBS, Stage
from tests.integration.planted_values import written
from tests.patience import looks

RENEW_S = 240
Finished = subprocess.CompletedProcess[bytes]


class World:
    """A stage with a job on it, whose commands are those a CI job would run."""

    def __init__(self, folder: Path, *, workers: int = 1) -> None:
        self.stage = Stage(folder, workers=workers)
        self.folder = folder
        self.job = self.stage.job
        self._certified = time.monotonic()

    @property
    def login(self) -> str:
        """The login on the target web-1 (whoever runs the tests)."""
        return self.stage.host.login

    @property
    def database(self) -> Path:
        return self.folder / "var" / "recordings.sqlite"

    def ready(self) -> None:
        """Give the job a known_hosts, a key and a certificate."""
        self.stage.set()
        (self.job / "known_hosts").write_text(self.bastion("keys", "host-ca").stdout.decode())
        self.certify("key", "deploy")

    def strike(self) -> None:
        """End everything; nothing that was planted may have been written by the bastion (T41)."""
        self.stage.strike()
        assert written(self.folder) == []

    def renew(self) -> None:
        """Get certificates anew before they expire (they live ten minutes, and a run may take longer)."""
        if time.monotonic() - self._certified > RENEW_S:
            self.certify("key", "deploy")
            (self.job / "responder-cert.pub").unlink(missing_ok=True)
            self._certified = time.monotonic()

    def certify(self, key: str = "key", job: str = "deploy", **claims: Any) -> Finished:
        """Make a key if there is none, and ask for a certificate; return how `ssh login@` ended."""
        if not (self.job / key).exists():
            self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, check=True)
        token = self.stage.issuer.issuer.token(job, **claims)
        return self.certify_with(key, token.encode())

    def certify_with(self, key: str, token: bytes) -> Finished:
        """Ask for a certificate with this very token."""
        done = self.ssh("-i", key, "login@bastion", "certificate", stdin=token)
        if done.returncode == 0:
            (self.job / f"{key}-cert.pub").write_bytes(done.stdout)
        return done

    def responder(self, *words: str, tty: bool = False) -> Finished:
        """Run a control command over SSH as a responder."""
        if not (self.job / "responder-cert.pub").exists():
            assert self.certify("responder", "responder").returncode == 0
        return self.ssh_as("responder", *(["-tt"] if tty else []), "bastion", *words)

    def run(self, *words: str, stdin: bytes = b"", check: bool = False, timeout: float = 60) -> Finished:
        """Run a program in the job's folder."""
        return subprocess.run(
            words, cwd=self.job, input=stdin, capture_output=True, check=check, timeout=timeout
        )

    def ssh(self, *words: str, stdin: bytes = b"", timeout: float = 60) -> Finished:
        """Run the system's ssh with the job's configuration."""
        return self.run("ssh", "-F", "ssh_config", *words, stdin=stdin, timeout=timeout)

    def ssh_as(self, key: str, *words: str, stdin: bytes = b"", timeout: float = 60) -> Finished:
        """Run ssh with another of the job's keys, for the jump as well."""
        config = self.job / f"ssh_config.{key}"
        text = (self.job / "ssh_config").read_text().replace(f"{self.job}/key\n", f"{self.job}/{key}\n")
        if not config.exists() or config.read_text() != text:  # another ssh may be about to read it
            config.write_text(text)
        return self.run("ssh", "-F", config.name, *words, stdin=stdin, timeout=timeout)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program in the job's folder, pipes on all three streams unless said otherwise."""
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(words, cwd=self.job, **{**pipes, **options})

    def bastion(self, *words: str, stdin: bytes = b"", timeout: float = 60) -> Finished:
        """Run the bastion command locally."""
        environment = {**os.environ, "BASTION_CONFIG": str(self.stage.config)}
        return subprocess.run(
            [sys.executable, "-m", "bastion", *words],
            cwd=self.folder,
            env=environment,
            input=stdin,
            capture_output=True,
            timeout=timeout,
        )

    def sessions(self, *words: str) -> list[dict[str, Any]]:
        """Return what `bastion sessions --json` prints, the newest first."""
        done = self.bastion("sessions", "--json", *words)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def ended_session(self) -> dict[str, Any]:
        """Wait until the newest session has ended, and return it."""
        return self.until(lambda: next((row for row in self.sessions()[:1] if row["ended_at"]), None))

    def events(self, session: str) -> list[dict[str, Any]]:
        """Return a session's events, as the JSON export has them."""
        done = self.bastion("export", session, "--format", "json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()[1:]]

    def audit(self) -> list[dict[str, Any]]:
        """Return the audit chain's entries: kind, detail, seq, head."""
        from bastion.keyring import load_key_set
        from recorder.evidence import Evidence

        evidence = Evidence(self.database, load_key_set(self.folder / "keys" / "seal.jwks"))
        try:
            return [
                {"kind": entry.kind, "detail": dict(entry.detail), "seq": entry.seq, "head": entry.head}
                for entry in evidence.audit()
            ]
        finally:
            evidence.close()

    def until(self, look: Callable[[], Any], seconds: float = 20) -> Any:
        """Return the first true answer of `look`; fail when none comes."""
        for _ in looks(seconds, 0.05):
            found = look()
            if found:
                return found
        journal = self.stage.journal.read_text(errors="replace")[-3000:]
        raise AssertionError(f"it did not come to pass in {seconds} s; the journal ends with:\n{journal}")

    def rewrite_config(self, change: Callable[[str], str]) -> None:
        """Change the configuration file (the bastion is not told)."""
        self.stage.config.write_text(change(self.stage.config.read_text()))

    def rewrite_policy(self, text: str) -> None:
        """Replace the policy file (the bastion is not told)."""
        (self.folder / "policy.toml").write_text(text)

    def reload(self) -> dict[str, Any]:
        """Send SIGHUP, and return the audit entry that says what came of it."""
        before = len(self.audit())
        self.stage.signal(signal.SIGHUP)

        def answer() -> dict[str, Any] | None:
            entries = self.audit()[before:]
            return next((entry for entry in entries if entry["kind"].startswith("configuration.")), None)

        found: dict[str, Any] = self.until(answer)
        return found


@pytest.fixture
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], World]]:
    """Make worlds that a story may break; they are struck after it."""
    made: list[World] = []

    def make() -> World:
        world = World(tmp_path_factory.mktemp("world"))
        made.append(world)
        world.ready()
        return world

    yield make
    for world in made:
        world.strike()


@pytest.fixture
def own_world(make_world: Callable[[], World]) -> World:
    """A world for this one test, to reload, kill or break."""
    return make_world()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that tests share: use it, do not reconfigure or stop it."""
    shared = World(tmp_path_factory.mktemp("shared"))
    shared.ready()
    yield shared
    shared.strike()


@pytest.fixture(autouse=True)
def certificates_that_last(request: pytest.FixtureRequest) -> None:
    """Renew the shared world's certificates before they expire."""
    if "world" in request.fixturenames:
        request.getfixturevalue("world").renew()


__all__ = ["JOBS", "World"]
