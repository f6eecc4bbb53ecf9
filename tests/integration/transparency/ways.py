"""Lead to one and the same sshd in two ways: through OpenSSH as a plain jump host, and through the bastion.

Both ways have a folder of their own, and in it all that a client needs under the same names, so that a program is run
with the very same words both ways: `ssh -F ssh_config target …`.

    ssh_config     `target` is the sshd; `rekeying` another one, which renews its session keys every megabyte
    key            the private key; key-cert.pub beside it
    known_hosts    who vouches for the host keys
    here/          files of the client
    there/         files of the target

Out     what each program printed, its exit status, and the files that it left
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bastion.demo.host import SshHost
from tests.integration.conftest import World

# The targets' names: as such known to the bastion, and to a plain jump host as addresses. ssh shows them to the user,
# so they must be the same both ways.
TARGET, REKEYING = "localhost", "127.0.0.1"
SHOWN_BYTES = 8192  # longer output is compared by its length and digest

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

_SSH_CONFIG = """\
Host jump
  HostName 127.0.0.1
  Port {jump_port}
  HostKeyAlias {jump_name}

Host target
  HostName {target}
  Port {target_port}
  HostKeyAlias {target}
  ProxyJump jump

Host rekeying
  HostName {rekeying}
  Port {rekeying_port}
  HostKeyAlias {rekeying}
  ProxyJump jump

Host *
  User {login}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended, and what it printed; the way's own folder reads `@` in it."""

    words: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes


class Way:
    """One way to the target. What is run by it and what it leaves behind is kept, to be compared."""

    def __init__(
        self, name: str, world: World, folder: Path, *, jump_port: int, target: SshHost, rekeying: SshHost
    ) -> None:
        self.name = name
        self.world = world
        self.job = folder
        self.here, self.there = folder / "here", folder / "there"
        self.login = target.login
        self.jump_port = jump_port
        self.target_name, self.target_port, self.target_log = TARGET, target.port, target.log
        self.seen: list[Any] = []
        self._started = 0.0
        folder.mkdir(parents=True)
        (folder / "ssh_config").write_text(
            _SSH_CONFIG.format(
                jump_port=jump_port,
                jump_name="bastion.example.com",
                target=TARGET,
                target_port=target.port,
                rekeying=REKEYING,
                rekeying_port=rekeying.port,
                login=self.login,
                folder=folder,
            )
        )

    def clear(self) -> None:
        """Forget what was seen, and begin with empty folders."""
        self.seen = []
        for folder in (self.here, self.there):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self._started = time.time()

    def run(
        self,
        *words: str | bytes,
        stdin: bytes | int = b"",
        timeout: float = 60,
        env: Mapping[str, str] | None = None,
        quietly: bool = False,
    ) -> Ended:
        """Run a program in the way's folder, to be compared unless `quietly`; `{there}` in a word is that folder."""
        given: dict[str, Any] = {"stdin": stdin} if isinstance(stdin, int) else {"input": stdin}
        argv = [self.filled(word) for word in words]
        done = subprocess.run(
            argv,
            cwd=self.job,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "vt220", **(env or {})},
            **given,
        )
        ended = Ended(
            words=tuple(os.fsdecode(word)[:200] for word in words),
            status=done.returncode,
            stdout=self.plainly(done.stdout),
            stderr=self.plainly(done.stderr),
        )
        if not quietly:
            self.saw(ended.words, (ended.status, _short(ended.stdout), _short(ended.stderr)))
        return ended

    def ssh(self, *words: str | bytes, **options: Any) -> Ended:
        """Run `ssh -F ssh_config` with these words."""
        return self.run("ssh", "-F", "ssh_config", *words, **options)

    def each(self, *commands: str | bytes, **options: Any) -> list[Ended]:
        """Run each command on the target, by an ssh of its own, two at a time."""
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda it: self.ssh("target", it, quietly=True, **options), commands))
        for ended in done:
            self.saw(ended.words, (ended.status, _short(ended.stdout), _short(ended.stderr)))
        return done

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program in the way's folder, pipes on all three streams unless said otherwise; nothing is kept."""
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(
            [self.filled(word) for word in words],
            cwd=self.job,
            **{"env": {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "vt220"}, **pipes, **options},
        )

    def saw(self, what: Any, value: Any) -> None:
        """Keep something else, to be compared."""
        self.seen.append((what, value))

    def files(self) -> dict[str, tuple[Any, ...]]:
        """Return all files here and there: kind, mode, time (`now` if since the case began) and content."""
        return {
            str(path.relative_to(self.job)): self._file(path)
            for folder in (self.here, self.there)
            for path in sorted(folder.rglob("*"))
        }

    def filled(self, word: str | bytes) -> bytes:
        """Return a word with the names of the folders filled in."""
        found = os.fsencode(word)
        for name in ("here", "there", "job"):
            found = found.replace(f"{{{name}}}".encode(), os.fsencode(getattr(self, name)))
        return found

    def plainly(self, output: bytes) -> bytes:
        """Return output without the name of the way's own folder."""
        return output.replace(os.fsencode(self.job), b"@")

    def _file(self, path: Path) -> tuple[Any, ...]:
        about = path.lstat()
        when: Any = "now" if about.st_mtime >= self._started - 1 else int(about.st_mtime)
        if path.is_symlink():
            return "link", self.plainly(os.fsencode(path.readlink()))
        if path.is_file():
            return "file", oct(about.st_mode & 0o7777), about.st_nlink, when, _short(path.read_bytes())
        return "folder" if path.is_dir() else "other", oct(about.st_mode & 0o7777), when


class Ways:
    """Both ways, and all that they need."""

    def __init__(self, world: World) -> None:
        self.world = world
        authority = (world.folder / "keys" / "user-ca.pub").read_text().strip()
        target = world.stage.host
        self._hosts = [
            SshHost(world.folder / "rekeying", user_ca=authority, extra="RekeyLimit 1M"),
            SshHost(world.folder / "plain-jump", user_ca=authority, extra="AllowTcpForwarding yes"),
        ]
        rekeying, jump = self._hosts
        for host in self._hosts:
            host.start()
        self._open_targets({TARGET: target, REKEYING: rekeying})
        hosts: dict[str, Any] = {"target": target, "rekeying": rekeying}
        # Of one length: the columns of a listing do not move when a folder's name is replaced.
        self.plain = Way("plain", world, world.folder / "way-1", jump_port=jump.port, **hosts)
        self.bastion = Way("bastion", world, world.folder / "way-2", jump_port=world.stage.port, **hosts)
        self._let_in_plainly({"bastion.example.com": jump, TARGET: target, REKEYING: rekeying})
        self._let_in_at_the_bastion()

    def renew(self) -> None:
        """Get a new certificate for the bastion before the old one expires."""
        before = (self.world.job / "key-cert.pub").read_bytes()
        self.world.renew()
        if (self.world.job / "key-cert.pub").read_bytes() != before:
            self._let_in_at_the_bastion()

    def strike(self) -> None:
        """End everything."""
        for host in self._hosts:
            host.stop()
        self.world.stage.strike()

    def _open_targets(self, targets: Mapping[str, SshHost]) -> None:
        tables = [
            _TARGET.format(name=name, port=host.port, host_key=host.host_key, login=host.login)
            for name, host in targets.items()
        ]
        self.world.rewrite_policy(_POLICY)
        self.world.rewrite_config(lambda text: text.replace("[policy]", "\n".join([*tables, "[policy]"])))
        assert self.world.reload()["kind"] == "configuration.reloaded"

    def _let_in_plainly(self, hosts: Mapping[str, SshHost]) -> None:
        folder, authority = self.plain.job, str(self.world.folder / "keys" / "user-ca")
        self.plain.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key")
        sign = ("ssh-keygen", "-q", "-s", authority, "-I", "plain", "-n", self.plain.login, "-V", "-1m:+1d")
        assert self.plain.run(*sign, "key.pub").status == 0
        lines = [f"{name} {host.host_key}\n" for name, host in hosts.items()]
        (folder / "known_hosts").write_text("".join(lines))

    def _let_in_at_the_bastion(self) -> None:
        for name in ("key", "key.pub", "key-cert.pub"):
            shutil.copy2(self.world.job / name, self.bastion.job / name)
        known = self.world.bastion("keys", "host-ca").stdout
        (self.bastion.job / "known_hosts").write_bytes(known)


def _short(data: bytes) -> Any:
    if len(data) <= SHOWN_BYTES:
        return data
    return len(data), hashlib.sha256(data).hexdigest()
