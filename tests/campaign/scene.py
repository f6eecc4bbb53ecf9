"""Give a campaign its world, its clients and a place for what they saw.

In      a folder
Out     a World whose job may run commands, shells and transfers; files that hold what each end received
"""

from __future__ import annotations

import random
import re
import secrets
import subprocess
from pathlib import Path

from bastion.keyring import load_key_set
from recorder.evidence import Evidence
from recorder.seal import KeySet
from tests.integration.conftest import World
from tests.patience import looks

MARK = "LC_JOB"  # the target's sshd takes it, and the record keeps it: it ties a client to its channel
PATIENCE_S = 300.0  # for what never takes so long, on a machine that may stand still for a while
KEEPALIVE_S = 1  # so that who is silent is noticed within 4 s, and not after two minutes
PAYLOAD_BYTES = 6 << 20

_POLICY = """\
[[rule]]
id = "campaign"
verdict = "allow"
when = { groups = ["ci"], targets = ["glob:web-*"], access = ["exec", "sftp", "shell"] }
"""


class Scene:
    """One world, used over and over."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        """Set the stage and start everything; `strike` ends it."""
        self.dice = dice
        self.tag = secrets.token_hex(4)  # begins every mark: other campaigns may run on the same machine
        self.world = World(folder)
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.world.ready()
        self.world.rewrite_policy(_POLICY)
        self.world.rewrite_config(lambda text: f'{text}\n[limits]\nkeepalive = "{KEEPALIVE_S}s"\n')
        self.world.stage.stop_bastion()
        self.world.stage.start_bastion()
        self._bare_shells()
        self.payload = folder / "payload"
        self.payload.write_bytes(dice.randbytes(PAYLOAD_BYTES))
        self.source = self.payload.read_bytes()
        plain = (self.world.job / "ssh_config").read_text()
        (self.world.job / "ssh_config.quiet").write_text(f"LogLevel QUIET\nSendEnv {MARK}\n{plain}")
        (self.world.job / "ssh_config.marked").write_text(f"SendEnv {MARK}\n{plain}")

    def _bare_shells(self) -> None:
        """Have the target's shells read nobody's dotfiles: whoever runs this may have anything in them."""
        host, home = self.world.stage.host, self.folder / "home"
        home.mkdir()
        host.stop()
        with (host.folder / "sshd_config").open("a") as config:
            config.write(f"SetEnv HOME={home}\n")
        host.start()

    def strike(self) -> None:
        """End everything."""
        self.world.stage.strike()

    def renew(self) -> None:
        """Keep the job's certificate fresh."""
        self.world.renew()

    def workers(self, count: int) -> None:
        """Have this many processes serve, from the next start on."""
        self.world.rewrite_config(lambda text: re.sub(r"(?m)^workers = \d+$", f"workers = {count}", text))

    def keys(self) -> KeySet:
        return load_key_set(self.folder / "keys" / "seal.jwks")

    def evidence(self) -> Evidence:
        """Open the record for reading while it grows."""
        return Evidence(self.world.database, self.keys(), live=True)


def wait_for(program: subprocess.Popen[bytes], seconds: float) -> bool:
    """Say whether a program ends by itself within this time; end it if not."""
    if any(program.poll() is not None for _ in looks(seconds)):
        return True
    program.kill()
    program.wait()
    return False


def family(pid: int) -> list[int]:
    """Return a process and what it has started."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [pid, *(it for child in children for it in family(int(child)))]


def marked(prefix: str) -> list[str]:
    """Return the command lines of the processes that run under a mark which begins so."""
    wanted = f"{MARK}={prefix}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes():
                command = path.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append(f"{path.parent.name} {command.strip()}")
        except OSError:
            continue  # it has just ended, or is somebody else's
    return found


def gone(prefix: str, seconds: float = 60) -> list[str]:
    """Wait until no process runs under such a mark; return those that stay."""
    for _ in looks(seconds):
        if not (left := marked(prefix)):
            break
    return left
