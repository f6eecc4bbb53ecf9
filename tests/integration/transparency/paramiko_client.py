"""Be a job that uses Paramiko: log in through a jump host with a certificate, run commands, send 10 MB and get them.

It is run by Debian's own Python, which has Debian's own Paramiko; it imports nothing of this repository.

In      the job's folder, the jump host's port, the target's name and port, the login
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import paramiko

MEGABYTES = 10


class Vouched(paramiko.MissingHostKeyPolicy):
    """Trust exactly the keys given; Paramiko knows no `@cert-authority`."""

    def __init__(self, keys: set[str]) -> None:
        self.keys = keys

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if f"{key.get_name()} {key.get_base64()}" not in self.keys:
            raise paramiko.SSHException(f"unknown host key for {hostname}")


def connect(where: tuple[str, int], login: str, folder: Path, **more: object) -> paramiko.SSHClient:
    """Log in with the key and the certificate beside it."""
    key = paramiko.Ed25519Key.from_private_key_file(str(folder / "key"))
    key.load_certificate(str(folder / "key-cert.pub"))
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(Vouched(set((folder / "host_keys").read_text().splitlines())))
    client.connect(*where, username=login, pkey=key, allow_agent=False, look_for_keys=False, **more)
    return client


def main() -> None:
    """Print what came back, with exit statuses."""
    folder, port, target, target_port, login = sys.argv[1:]
    jump = connect(("127.0.0.1", int(port)), login, Path(folder))
    way = jump.get_transport().open_channel("direct-tcpip", (target, int(target_port)), ("127.0.0.1", 0))
    client = connect((target, int(target_port)), login, Path(folder), sock=way)
    for command in ("echo out; echo err >&2; exit 7", "exit 0", "kill -9 $$", "cat; echo end"):
        stdin, stdout, stderr = client.exec_command(command)
        # To a command that has ended already Paramiko does not write, but raises.
        if "cat" in command:
            stdin.write("in\n")
            stdin.channel.shutdown_write()
        print(command, [stdout.read(), stderr.read(), stdout.channel.recv_exit_status()])
    content = b"0123456789abcdef" * (MEGABYTES * 65536)
    stdin, stdout, _ = client.exec_command("sha256sum")
    stdin.write(content)
    stdin.channel.shutdown_write()
    print("up", stdout.read().decode().split()[0] == hashlib.sha256(content).hexdigest())
    _, stdout, _ = client.exec_command(f"head -c {MEGABYTES << 20} /dev/zero")
    print("down", stdout.read() == bytes(MEGABYTES << 20))
    with client.open_sftp() as files:
        files.putfo((Path(folder) / "here" / "a").open("rb"), f"{folder}/there/a")
        files.get(f"{folder}/there/a", f"{folder}/here/back")
        print("sftp", sorted(files.listdir(f"{folder}/there")))
    client.close()
    jump.close()


main()
