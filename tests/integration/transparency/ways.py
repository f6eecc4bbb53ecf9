"""Lead to one and the same sshd in two ways: through OpenSSH as a plain jump host, and through the bastion.

In      a World with a bastion, a target and its issuer of tokens
Out     a Way of each kind (way.py says what is in its folder)
"""

from __future__ import annotations

import time
from typing import Any

from bastion.demo.host import SshHost
from tests.integration.conftest import RENEW_S, World
from tests.integration.transparency.way import Way

# A name that the bastion knows as a target, and a plain jump host as an address: ssh shows it to the user.
TARGET, JUMP = "localhost", "bastion.example.com"
TARGETS = {
    "target": "",
    "rekeying": "RekeyLimit 1M",
    "permissive": "AcceptEnv *\nX11Forwarding yes\nBanner {home}/banner",
}

_POLICY = """\
[[rule]]
id = "everything-on-both"
verdict = "allow"
when = { groups = ["ci"], targets = ["glob:*"], access = ["exec", "shell", "sftp"] }
"""

_TARGET = """
[[target]]
name = "{name}"
address = "127.0.0.1:{port}"
host_key = "{host_key}"
logins = ["{login}"]
shell = "bash"
"""

_SSH_TARGET = """\
Host {alias}
  HostName {name}
  Port {port}
  HostKeyAlias {known_as}
  ProxyJump jump
"""

_SSH_CONFIG = """\
Host jump
  HostName 127.0.0.1
  Port {jump_port}
  HostKeyAlias {jump_name}

{targets}
Host *
  User {login}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
"""


class PlainWay(Way):
    """Through OpenSSH's sshd, which passes bytes on and looks at nothing."""

    def __init__(self, jump: SshHost, **options: Any) -> None:
        super().__init__(jump_port=jump.port, **options)
        self._jump = jump

    def certify(self, key: str, seconds: int) -> None:
        self._make_key(key)
        authority = str(self.world.folder / "keys" / "user-ca")
        sign = ("ssh-keygen", "-q", "-s", authority, "-I", "plain", "-n", self.login)
        done = self.run(*sign, "-V", f"-1m:+{seconds}s", f"{key}.pub", quietly=True)
        assert done.status == 0, done.stderr

    def jump_process(self) -> int:
        assert self._jump._process is not None
        return self._jump._process.pid


class BastionWay(Way):
    """Through the bastion."""

    def __init__(self, **options: Any) -> None:
        super().__init__(jump_port=options["world"].stage.port, **options)

    def certify(self, key: str, seconds: int) -> None:
        self._make_key(key)
        config = (self.job / "ssh_config").read_text().replace("/key\n", f"/{key}\n")
        (self.job / "ssh_config.login").write_text(config)
        token = self.world.stage.issuer.issuer.token("deploy", exp=int(time.time()) + seconds)
        words = ("ssh", "-F", "ssh_config.login", "login@jump", "certificate")
        done = self.run(*words, stdin=token.encode(), quietly=True)
        assert done.status == 0, done.stderr
        (self.job / f"{key}-cert.pub").write_bytes(done.stdout)

    def jump_process(self) -> int:
        assert self.world.stage._bastion is not None
        return self.world.stage._bastion.pid


class Ways:
    """Both ways, and all that they need."""

    def __init__(self, world: World) -> None:
        self._world = world
        authority = (world.folder / "keys" / "user-ca.pub").read_text().strip()
        jump = SshHost(world.folder / "jump", user_ca=authority, extra="AllowTcpForwarding yes")
        home = world.folder / "home"  # whoever runs the tests may have anything in their .bashrc
        home.mkdir()
        (home / "banner").write_text("Authorized use only\n")
        self._targets = {
            name: SshHost(
                world.folder / name, user_ca=authority, extra=f"SetEnv HOME={home}\n{extra.format(home=home)}"
            )
            for name, extra in TARGETS.items()
        }
        self._hosts = [jump, *self._targets.values()]
        for host in self._hosts:
            host.start()
        self._open_targets()
        shared: dict[str, Any] = {
            "world": world,
            "login": world.login,
            "target": (TARGET, self._targets["target"].port),
        }
        # Folders of one length: the columns of a listing do not move when the folder's name is replaced.
        self.plain = PlainWay(jump, folder=world.folder / "way-1", **shared)
        self.bastion = BastionWay(folder=world.folder / "way-2", **shared)
        for way in (self.plain, self.bastion):
            self._configure(way)
        known = {JUMP: jump, **{_known_as(alias): host for alias, host in self._targets.items()}}
        vouched = "".join(f"{name} {host.host_key}\n" for name, host in known.items())
        (self.plain.job / "known_hosts").write_text(vouched)
        (self.bastion.job / "known_hosts").write_bytes(world.bastion("keys", "host-ca").stdout)
        self.plain.certify("key", 86_400)
        self._certified = 0.0
        self.renew()

    def renew(self) -> None:
        """Get a new certificate for the bastion before the old one expires."""
        if not self._certified or time.monotonic() - self._certified > RENEW_S:
            self.bastion.certify("key", 600)
            self._certified = time.monotonic()

    def strike(self) -> None:
        """End everything."""
        for host in self._hosts:
            host.stop()
        self._world.strike()

    def _open_targets(self) -> None:
        tables = [
            _TARGET.format(name=_known_as(alias), port=host.port, host_key=host.host_key, login=host.login)
            for alias, host in self._targets.items()
        ]
        self._world.rewrite_policy(_POLICY)
        self._world.rewrite_config(lambda text: text.replace("[policy]", "\n".join([*tables, "[policy]"])))
        assert self._world.reload()["kind"] == "configuration.reloaded"

    def _configure(self, way: Way) -> None:
        targets = [
            _SSH_TARGET.format(
                alias=alias,
                name=TARGET if way is self.plain else _known_as(alias),
                known_as=_known_as(alias),
                port=host.port,
            )
            for alias, host in self._targets.items()
        ]
        config = _SSH_CONFIG.format(
            jump_port=way.jump_port,
            jump_name=JUMP,
            targets="\n".join(targets),
            login=way.login,
            folder=way.job,
        )
        (way.job / "ssh_config").write_text(config)


def _known_as(alias: str) -> str:
    return TARGET if alias == "target" else alias
