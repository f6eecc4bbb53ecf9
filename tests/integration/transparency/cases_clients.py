"""Clients other than OpenSSH: log in with the certificate, run commands, send 10 MB each way."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
from pathlib import Path

from tests.integration.transparency.matrix import Client, case, differs
from tests.integration.transparency.way import Ended, Way

HERE = Path(__file__).parent
GROUP = "Other clients"
DEBIAN_PYTHON = "/usr/bin/python3"
MEGABYTES = 10

ASYNCSSH = Client(
    name="asyncssh",
    ask=(sys.executable, "-c", "import asyncssh; print(asyncssh.__version__)"),
    version=r"(\S+)",
)
PARAMIKO = Client(
    name="Paramiko",
    ask=(DEBIAN_PYTHON, "-c", "import paramiko; print(paramiko.__version__)"),
    version=r"(\S+)",
)
PLINK = Client(name="PuTTY plink", ask=("plink", "-V"), version=r"Release (\S+)")
DBCLIENT = Client(name="Dropbear dbclient", ask=("dbclient", "-V"), version=r"Dropbear v(\S+)")


@case(GROUP, ASYNCSSH, "commands, exit statuses and signals; 10 MB each way; sftp and scp")
def asyncssh(way: Way) -> None:
    (way.here / "a").write_bytes(os.fsencode("é") * 1000)
    words = (
        "{job}",
        "bastion.example.com",
        str(way.jump_port),
        way.target_name,
        str(way.target_port),
        way.login,
    )
    done = way.run(sys.executable, str(HERE / "asyncssh_client.py"), *words, quietly=True)
    way.saw("asyncssh", (done.status, done.stdout, done.stderr))
    assert done.status == 0, done.stderr
    assert b"up True\ndown True\n" in done.stdout


@case(GROUP, PARAMIKO, "commands and exit statuses; 10 MB each way; sftp")
def paramiko(way: Way) -> None:
    (way.here / "a").write_bytes(os.fsencode("é") * 1000)
    (way.job / "host_keys").write_text("\n".join(host_keys(way)))
    words = ("{job}", str(way.jump_port), way.target_name, str(way.target_port), way.login)
    done = way.run(DEBIAN_PYTHON, str(HERE / "paramiko_client.py"), *words, quietly=True)
    way.saw("paramiko", (done.status, done.stdout, done.stderr))
    assert done.status == 0, done.stderr
    assert b"up True\ndown True\n" in done.stdout


class Plink:
    """plink with the job's certificate, through the jump host by a plink of its own."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._folder = way.job / "putty"
        (self._folder / "sshhostcas").mkdir(parents=True, exist_ok=True)
        way.run(
            "puttygen", "key", "-o", "key.ppk", "-O", "private", "--certificate", "key-cert.pub", quietly=True
        )
        jump, target = self._trust()
        port = f"{way.target_port}"
        proxy = f"plink -batch -noagent -i key.ppk {jump} -P {way.jump_port} -l {way.login}"
        self._words = ("plink", "-batch", "-noagent", "-i", "key.ppk", *target, "-l", way.login)
        self._words += ("-proxycmd", f"{proxy} -nc {way.target_name}:{port} 127.0.0.1", "-P", port)

    def run(self, *words: str, stdin: bytes = b"") -> Ended:
        """Run a command; `web-1` is not looked up, since a proxy leads there."""
        env = {"PUTTYDIR": str(self._folder)}
        done = self._way.run(*self._words, "web-1", *words, stdin=stdin, env=env, quietly=True)
        self._way.saw(words, (done.status, done.stdout, done.stderr))
        return done

    def _trust(self) -> tuple[str, tuple[str, ...]]:
        """Trust the CA of the bastion by PuTTY's own file for it, or the plain hosts' keys by their fingerprints."""
        authority = re.search(
            r"@cert-authority (\S+) ssh-ed25519 (\S+)", (self._way.job / "known_hosts").read_text()
        )
        if authority is not None:
            valid = " || ".join(name for name in authority[1].split(",") if "[" not in name)
            text = f"PublicKey={authority[2]}\nValidity={valid}\nPermitRSASHA1=0\n"
            (self._folder / "sshhostcas" / "bastion").write_text(text)
            return "-loghost bastion.example.com", ("-loghost", self._way.target_name)
        fingerprints = [fingerprint(line.split()[1]) for line in host_keys(self._way)]
        given = [word for each in fingerprints for word in ("-hostkey", each)]
        return " ".join(given), tuple(given)


@case(GROUP, PLINK, "commands and exit statuses; 10 MB each way")
def plink(way: Way) -> None:
    putty = Plink(way)
    statuses = [putty.run(it).status for it in ("echo out; echo err >&2; exit 7", "exit 0", "kill -9 $$")]
    assert statuses[:2] == [7, 0]
    # One way at a time: a plink that is the other's proxy stands still when much goes both ways at once, as each
    # waits in a write until the other reads, whatever the jump host.
    content = b"0123456789abcdef" * (MEGABYTES * 65536)
    digest = hashlib.sha256(content).hexdigest().encode()
    assert putty.run("sha256sum", stdin=content).stdout.split()[:1] == [digest]
    assert putty.run(f"yes 0123456789abcde | head -c {len(content)}").stdout.count(b"\n") == MEGABYTES * 65536


@differs(
    GROUP,
    DBCLIENT,
    "a key without a certificate",
    plain="works where the key is in `authorized_keys`",
    bastion="refused: dbclient cannot send an OpenSSH certificate, and the bastion takes nothing else",
    why="a key has no owner and does not expire (L6, L7)",
)
def dbclient(plain: Way, bastion: Way) -> None:
    for way in (plain, bastion):
        way.run("dropbearconvert", "openssh", "dropbear", "key", "key.dropbear", quietly=True)
    words = ("dbclient", "-y", "-y", "-T", "-i", "key.dropbear", "-p", str(bastion.jump_port))
    done = bastion.run(*words, f"{bastion.login}@127.0.0.1", "true")
    assert done.status == 1
    assert b"No auth methods could be used" in done.stderr
    assert b"cipher" not in done.stderr


def host_keys(way: Way) -> list[str]:
    """Return `TYPE BASE64` of the plain host keys that answer this way."""
    target = way.world.stage.host.host_key
    known = [line.split()[1:] for line in (way.job / "known_hosts").read_text().splitlines()]
    plain = [" ".join(words) for words in known if words and words[0].startswith("ssh-")]
    ours = (way.world.folder / "keys" / "host.pub").read_text().split()[:2]
    return [*plain, target, " ".join(ours)]


def fingerprint(blob: str) -> str:
    """Return a key's fingerprint as PuTTY wants it."""
    digest = hashlib.sha256(base64.b64decode(blob)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
