"""Set the stage for the story: an issuer, a target, a bastion with its configuration, and a job's ssh_config.

Out     a folder in which everything lies; processes that `strike` ends
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from signal import SIGTERM

from bastion.config import load
from bastion.demo.host import SshHost, free_port, wait_for_port
from bastion.demo.issuer import Issuer, IssuerThread
from bastion.keyring import open_keyring, public_line

NAME = "bastion.example.com"
AUDIENCE = f"ssh://{NAME}"
OWNER = "dana@acme.example"

JOBS = {
    "deploy": {
        "sub": "repo:acme/orders:environment:production",
        "repository": "acme/orders",
        "repository_id": "1296269",
        "repository_owner": "acme",
        "repository_owner_id": "9919",
        "environment": "production",
        "ref": "refs/heads/release/7",
        "event_name": "push",
        "run_id": "8412",
        "run_attempt": "1",
        "sha": "4c5d1f0c2b6f4ad2a4c1b9e1f6a0d3c7e8b91a20",
        "actor": "sam",
        "workflow_ref": "acme/orders/.github/workflows/deploy.yml@refs/heads/release/7",
    },
    "responder": {"sub": "dana", "repository_id": "0", "environment": "on-call", "actor": "dana"},
    "approver": {"sub": "robin", "repository_id": "0", "environment": "on-call", "actor": "robin"},
    "unknown": {
        "sub": "repo:someone/else:ref:refs/heads/main",
        "repository": "someone/else",
        "repository_id": "99",
        "environment": "production",
        "ref": "refs/heads/release/7",
        "run_id": "1",
        "actor": "mallory",
    },
}

_CONFIG = """\
[bastion]
listen = "127.0.0.1:{port}"
data = "./var"
keys = "./keys"
names = ["{name}"]
workers = {workers}

[[issuer]]
name = "ci"
url = "{issuer}"
audience = "{audience}"

[[person]]
name = "{owner}"
aliases = {{ ci = "dana" }}

[[person]]
name = "robin@acme.example"
aliases = {{ ci = "robin" }}
identities = ["robin"]
groups = ["dba"]

[[identity]]
name = "orders-deployer"
owner = "{owner}"
issuer = "ci"
match = {{ repository_id = "1296269", environment = "production", ref = "glob:refs/heads/release/*" }}
groups = ["ci"]
lifetime = "10m"
session = "1h"

[[identity]]
name = "on-call"
owner = "{owner}"
issuer = "ci"
match = {{ sub = "dana", environment = "on-call" }}
groups = ["responders"]

[[identity]]
name = "robin"
owner = "robin@acme.example"
issuer = "ci"
match = {{ sub = "robin", environment = "on-call" }}

[[target]]
name = "web-1"
kind = "ssh"
address = "127.0.0.1:{target_port}"
host_key = "{host_key}"
logins = [{login}]
shell = "bash"
labels = {{ env = "prod" }}

[policy]
files = ["policy.toml"]
"""

_POLICY = """\
[[rule]]
id = "deployers-work-on-web"
verdict = "allow"
when = { groups = ["ci"], targets = ["glob:web-*"], access = ["exec", "sftp"] }
"""

_SSH_CONFIG = """\
Host bastion
  HostName 127.0.0.1
  Port {port}
  HostKeyAlias {name}

Host web-1
  User {login}
  ProxyJump bastion

Host bastion web-1
  IdentityFile {job}/key
  IdentitiesOnly yes
  UserKnownHostsFile {job}/known_hosts
  StrictHostKeyChecking yes
"""


class Stage:
    """Everything the story needs, running."""

    def __init__(self, folder: Path, *, workers: int = 1, policy: str = _POLICY) -> None:
        self.folder = folder
        self.policy = policy
        self.workers = workers
        self.config = folder / "bastion.toml"
        self.job = folder / "job"
        self.port = free_port()
        self.journal = folder / "bastion.log"
        self.issuer = IssuerThread(Issuer(AUDIENCE, JOBS))
        self.launcher: tuple[
            str, ...
        ] = ()  # words before the bastion's own command, such as `env NAME=VALUE`
        self._bastion: subprocess.Popen[bytes] | None = None

    def set(self) -> None:
        """Write the files and start the processes; raise OperatorError."""
        self.job.mkdir(parents=True, exist_ok=True)
        issuer = self.issuer.start()
        ring = open_keyring(self.folder / "keys")
        self.host = SshHost(self.folder / "web-1", user_ca=public_line(ring.user_ca))
        self.host.start()
        self.config.write_text(
            _CONFIG.format(
                port=self.port,
                name=NAME,
                workers=self.workers,
                issuer=issuer,
                audience=AUDIENCE,
                owner=OWNER,
                target_port=self.host.port,
                host_key=self.host.host_key,
                login=json.dumps(self.host.login),
            )
        )
        (self.folder / "policy.toml").write_text(self.policy)
        load(self.config)
        (self.job / "ssh_config").write_text(
            _SSH_CONFIG.format(port=self.port, name=NAME, login=self.host.login, job=self.job)
        )
        self.start_bastion()

    def start_bastion(self) -> None:
        """Start the bastion and wait until it listens."""
        wait_for_port(self.port, self.launch_bastion(), self.journal)

    def launch_bastion(self) -> subprocess.Popen[bytes]:
        """Start the bastion, and do not wait for it."""
        with self.journal.open("ab") as journal:
            self._bastion = subprocess.Popen(  # noqa: S603
                [
                    *self.launcher,
                    sys.executable,
                    "-P",
                    "-m",
                    "bastion",
                    "serve",
                    "--config",
                    str(self.config),
                ],
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
            )
        return self._bastion

    @property
    def program(self) -> subprocess.Popen[bytes] | None:
        """The bastion's process, None when it was stopped."""
        return self._bastion

    def signal(self, number: int) -> None:
        """Send the bastion a signal."""
        if self._bastion is not None:
            self._bastion.send_signal(number)

    @property
    def process(self) -> int:
        """The bastion's process, while it runs."""
        assert self._bastion is not None  # noqa: S101 - asked for a bastion that runs
        return self._bastion.pid

    def stop_bastion(self, number: int = SIGTERM) -> int | None:
        """Stop the bastion and return its exit status; None when it was not running."""
        if self._bastion is None:
            return None
        self._bastion.send_signal(number)
        status = self._bastion.wait(timeout=300)
        self._bastion = None
        return status

    def strike(self) -> None:
        """End everything."""
        self.stop_bastion()
        if hasattr(self, "host"):
            self.host.stop()
        self.issuer.stop()
