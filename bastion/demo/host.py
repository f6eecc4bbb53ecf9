"""Run OpenSSH's sshd as a target, without touching the system's own: its files in a folder, on a loopback port.

It trusts the bastion's user CA and nothing else. As root it can log in any user; otherwise only the one who runs it.
Whoever logs in has an empty home: what its owner's startup files do (and bash reads them for every command over SSH)
is not the host's.

Errors  OperatorError when sshd is not installed or does not start
"""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from pathlib import Path

from bastion.errors import OperatorError

START_S = 20.0
LOOK_S = 0.02


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def program(name: str, package: str) -> str:
    """Return the path of a program, sbin included; raise OperatorError that names the package it is in."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise OperatorError(f"{name} is not installed: apt-get install {package}")
    return found


class SshHost:
    """One sshd."""

    def __init__(self, folder: Path, *, user_ca: str, extra: str = "", port: int | None = None) -> None:
        """Write its files; `user_ca` is the line of the CA whose certificates it takes."""
        self.folder = folder
        self.port = port or free_port()
        self.login = getpass.getuser()
        self.log = folder / "sshd.log"
        self._sshd = program("sshd", "openssh-server")
        home = folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        key = folder / "host_key"
        if not key.exists():
            keygen = program("ssh-keygen", "openssh-client")
            subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)  # noqa: S603
        kind, blob = key.with_name("host_key.pub").read_text().split()[:2]
        self.host_key = f"{kind} {blob}"
        (folder / "user_ca.pub").write_text(user_ca + "\n")
        (folder / "sshd_config").write_text(
            f"""\
ListenAddress 127.0.0.1:{self.port}
HostKey {key}
TrustedUserCAKeys {folder / "user_ca.pub"}
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
PidFile none
LogLevel VERBOSE
SetEnv HOME={home}
AcceptEnv LANG LC_* BASTION_*
Subsystem sftp internal-sftp
MaxStartups 200
MaxSessions 100
PrintMotd no
PrintLastLog no
{extra}
"""
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start sshd and wait until it listens; raise OperatorError."""
        if Path("/run").is_dir() and getpass.getuser() == "root":
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [self._sshd, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for_port(self.port, self._process, self.log)

    def stop(self) -> None:
        """Stop sshd."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something listens on a port; raise OperatorError with the log's end when it does not come to that."""
    for _look in range(round(START_S / LOOK_S)):  # looks and not time: the whole machine may stand still
        if process.poll() is not None:
            break
        with socket.socket() as sock:
            sock.settimeout(0.2)
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(LOOK_S)
    lines = log.read_text(errors="replace").splitlines()[-5:]
    ended = process.poll()
    why = f"within {START_S:.0f} s" if ended is None else f"and what should ended with status {ended}"
    raise OperatorError("\n".join([f"nothing listens on port {port} {why}; {log} ends with:", *lines]))
