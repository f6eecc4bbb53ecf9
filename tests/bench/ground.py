"""Set up what is compared: one target behind a bastion and behind a plain jump host, and one client for both.

The jump host is OpenSSH's sshd as it comes. Both ways log in with an Ed25519 certificate, check host keys, share no
connection, and have the same options else; only the jump differs. The bastion records with durability "power".

Out     two Sides; the bastion's Process
Errors  BenchFault, OperatorError
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bastion.clock import Clock
from bastion.demo.host import SshHost
from bastion.demo.stage import NAME, Stage
from tests.bench.faults import BenchFault
from tests.bench.process import Process

TARGET = "web-1"
DAY_S = 24 * 3600
ROOT = Path(__file__).parents[2]

SETTINGS = (
    ('lifetime = "10m"', 'lifetime = "1d"'),
    ('session = "1h"', 'session = "1d"'),
    ("[policy]\n", '[recorder]\ndurability = "power"\nquota = "1TiB"\n\n[policy]\n'),
)

_CLIENT = """\
Host jump
  HostName 127.0.0.1
  Port {jump_port}
  HostKeyAlias {jump_alias}

Host web-1
  {where}
  ProxyJump jump

Host *
  User {login}
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {known_hosts}
  StrictHostKeyChecking yes
  ControlMaster no
  ControlPath none
  LogLevel ERROR
  {options}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two ways to the target."""

    name: str
    config: Path

    def ssh(self, *words: str) -> list[str]:
        """Return an ssh command with this way's options."""
        return ["ssh", "-F", str(self.config), *words]

    def scp(self, *words: str) -> list[str]:
        """Return an scp command with this way's options."""
        return ["scp", "-q", "-F", str(self.config), *words]

    def run(self, *words: str, stdin: bytes = b"", timeout_s: float = 600) -> bytes:
        """Run a command on the target and return what it printed; raise BenchFault."""
        done = subprocess.run(self.ssh(TARGET, *words), input=stdin, capture_output=True, timeout=timeout_s)
        if done.returncode != 0:
            raise BenchFault(
                f"{self.name}: {' '.join(words)}: status {done.returncode}: {done.stderr[-400:]!r}"
            )
        return done.stdout


class _Stage(Stage):
    """The stage of the demo, with certificates, a quota and accesses that last for a long run."""

    def __init__(
        self, folder: Path, *, workers: int, callbacks: Path | None, policies: Sequence[str] = ()
    ) -> None:
        super().__init__(folder, workers=workers)
        self._policies = policies
        self._callbacks = callbacks

    def launch_bastion(self) -> subprocess.Popen[bytes]:
        """Start the bastion, watched if its callbacks are to be measured."""
        text = self.config.read_text()
        for old, new in SETTINGS:
            text = text.replace(old, new)
        files = ", ".join(f'"{name}"' for name in ("policy.toml", *self._policies))
        text = text.replace('files = ["policy.toml"]', f"files = [{files}]")
        self.config.write_text(text)
        policy = self.folder / "policy.toml"
        policy.write_text(policy.read_text().replace('"exec", "sftp"', '"exec", "sftp", "shell"'))
        program = ["-P", "-m", "bastion"]
        if self._callbacks is not None:
            program = ["-m", "tests.bench.launcher", str(self._callbacks)]
        with self.journal.open("ab") as journal:
            self._bastion = subprocess.Popen(
                [sys.executable, *program, "serve", "--config", str(self.config)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
            )
        return self._bastion

    @property
    def pid(self) -> int:
        """The process id of the bastion that runs."""
        if self._bastion is None:
            raise BenchFault("the bastion does not run")
        return self._bastion.pid


class Ground:
    """A target, a bastion and a plain jump host, running until the `with` ends."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        options: str = "",
        callbacks: Path | None = None,
        policies: Sequence[str] = (),
    ) -> None:
        """Take how many processes serve, ssh_config lines for both sides, a file for callbacks, more policies."""
        self.folder = folder
        self._options = options
        self._stage = _Stage(folder, workers=workers, callbacks=callbacks, policies=policies)
        self._jump: SshHost | None = None

    def __enter__(self) -> Self:
        try:
            self._stage.set()
            self._host = self._stage.host
            self._open_bastion()
            self._open_jump()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything; raise BenchFault when the bastion does not end by itself (then it is killed)."""
        try:
            self._stage.strike()
        except subprocess.TimeoutExpired:
            self._stage.stop_bastion(signal.SIGKILL)
            self._stage.strike()
            raise BenchFault("the bastion did not stop when it was told to") from None
        finally:
            if self._jump is not None:
                self._jump.stop()

    @property
    def sides(self) -> tuple[Side, Side]:
        """The bastion's way first."""
        return self.bastion, self.jump

    @property
    def process(self) -> Process:
        """The bastion's process."""
        return Process(pid=self._stage.pid)

    @property
    def journal(self) -> str:
        """What the bastion has said so far."""
        return self._stage.journal.read_text(errors="replace")

    @property
    def database(self) -> Path:
        return self.folder / "var" / "recordings.sqlite"

    def signal(self, number: int) -> None:
        """Send the bastion a signal."""
        self._stage.signal(number)

    def _open_bastion(self) -> None:
        """Trade a token for a certificate that lasts a day, and write the client's files."""
        job, known = self._stage.job, self._stage.job / "known_hosts"
        config = ["--config", str(self._stage.config)]
        known.write_bytes(_run(sys.executable, "-P", "-m", "bastion", "keys", "host-ca", *config))
        _keygen("-N", "", "-f", str(job / "key"))
        where = f"HostName {TARGET}"
        self.bastion = self._side("bastion", self._stage.port, NAME, where, key=job / "key", known=known)
        issuer = self._stage.issuer.issuer
        token = issuer.token("deploy", exp=int(Clock().now()) + DAY_S - 60)
        ask = self.bastion.ssh("login@jump", "certificate")
        (job / "key-cert.pub").write_bytes(_run(*ask, stdin=token.encode()))

    def _open_jump(self) -> None:
        """Start the plain jump host, whose clients have a certificate of the CA that the target trusts."""
        ca = self.folder / "keys" / "user-ca"
        self._jump = SshHost(
            self.folder / "jump",
            user_ca=ca.with_name("user-ca.pub").read_text().strip(),
            extra="AllowTcpForwarding yes",
        )
        self._jump.start()
        key, known = self.folder / "plain" / "key", self.folder / "plain" / "known_hosts"
        key.parent.mkdir()
        _keygen("-N", "", "-f", str(key))
        _keygen("-s", str(ca), "-I", "plain", "-n", self._host.login, f"{key}.pub")
        known.write_text(f"jump {self._jump.host_key}\n{TARGET} {self._host.host_key}\n")
        where = f"HostName 127.0.0.1\n  Port {self._host.port}\n  HostKeyAlias {TARGET}"
        self.jump = self._side("jump", self._jump.port, "jump", where, key=key, known=known)

    def _side(self, name: str, port: int, alias: str, where: str, *, key: Path, known: Path) -> Side:
        config = key.parent / "client_config"
        config.write_text(
            _CLIENT.format(
                jump_port=port,
                jump_alias=alias,
                where=where,
                login=self._host.login,
                key=key,
                known_hosts=known,
                options=self._options,
            )
        )
        return Side(name=name, config=config)


def _keygen(*words: str) -> None:
    kind = ["-t", "ed25519"] if "-N" in words else []
    _run("ssh-keygen", "-q", *kind, *words)


def _run(*words: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(words, input=stdin, capture_output=True, timeout=60)
    if done.returncode != 0:
        raise BenchFault(f"{' '.join(words[:3])}: status {done.returncode}: {done.stderr[-400:]!r}")
    return done.stdout
