"""`bastion keys` prints what bots, targets and auditors need, as OpenSSH and JOSE read it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from bastion.cli.operator_commands import KEY_KINDS
from bastion.demo.host import free_port
from bastion.keyring import SSH_KEYS, open_keyring
from recorder.evidence import Evidence
from tests.integration.conftest import World
from tests.integration.operator_desk import PRIVATE, bastion, serving, told


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The configuration file of a bastion that `init` has made."""
    done = bastion("init", tmp_path / "made", "--listen", f"127.0.0.1:{free_port()}", "--name", "localhost")
    assert done.returncode == 0, done.stderr
    return tmp_path / "made" / "bastion.toml"


# keys


def test_t50_the_host_ca_line_is_found_under_the_bastions_and_the_targets_names_and_no_other(
    world: World,
) -> None:
    line = world.bastion("keys", "host-ca").stdout.decode()
    (world.job / "host-ca.line").write_text(line)

    def known(name: str) -> bool:
        found = world.run("ssh-keygen", "-F", name, "-f", "host-ca.line")
        return found.returncode == 0 and b"CA" in found.stdout

    assert known("bastion.example.com")
    assert known(f"[bastion.example.com]:{world.stage.port}")
    assert known("web-1")
    for other in ("web-2", "127.0.0.1", "example.com", "x.bastion.example.com", "[bastion.example.com]:1"):
        assert not known(other)
    marker, patterns, kind, _ = line.split(maxsplit=3)
    assert (marker, kind) == ("@cert-authority", "ssh-ed25519")
    assert not set(patterns) & set("*?!|")


def test_t50_with_the_host_ca_line_alone_stock_ssh_trusts_the_bastion_and_only_it(made: Path) -> None:
    port = int(re.findall(r"127\.0\.0\.1:([0-9]+)", made.read_text())[0])
    known_hosts, key = made.with_name("known_hosts"), made.with_name("key")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)

    def ask(line: str) -> str:
        known_hosts.write_text(line)
        options = [
            f"UserKnownHostsFile={known_hosts}",
            "StrictHostKeyChecking=yes",
            "GlobalKnownHostsFile=none",
        ]
        words = [word for option in options for word in ("-o", option)]
        command = [
            "ssh",
            "-F",
            "none",
            *words,
            "-i",
            str(key),
            "-p",
            str(port),
            "login@localhost",
            "certificate",
        ]
        return subprocess.run(command, input="no.to.ken", capture_output=True, text=True, timeout=30).stderr

    with serving(made, port):
        line = bastion("keys", "host-ca", config=made).stdout
        assert "no certificate: the token" in ask(line)
        other_ca = bastion("keys", "user-ca", config=made).stdout.split()[1]
        assert "Host key verification failed" in ask(line.replace(line.split()[3], other_ca))
        assert "Host key verification failed" in ask("")


def test_t6_a_target_that_trusts_the_user_ca_takes_neither_a_bots_certificate_nor_its_key(
    world: World,
) -> None:
    printed = world.bastion("keys", "user-ca").stdout.decode().split()[:2]
    assert printed == (world.folder / "web-1" / "user_ca.pub").read_text().split()[:2]
    straight = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=none", "-o", "ProxyJump=none")
    where = ("-p", str(world.stage.host.port), f"{world.login}@127.0.0.1")
    done = world.run("ssh", "-F", "none", "-i", "key", *straight, *where, "echo in")
    assert (done.stdout, done.returncode) == (b"", 255)


@pytest.mark.parametrize("kind", ["user-ca", "login-ca"])
def test_public_keys_are_lines_that_openssh_reads(made: Path, kind: str) -> None:
    done = bastion("keys", kind, config=made)
    assert len(done.stdout.splitlines()) == 1
    read = subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=done.stdout, capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
    assert read.stdout.split()[0] == "256"
    assert f"bastion-{kind}" in read.stdout


def test_the_seal_set_is_a_jwk_set_of_public_keys_that_grows_with_each_rotation(made: Path) -> None:
    first = json.loads(bastion("keys", "seal", config=made).stdout)["keys"]
    rotated = bastion("keys", "seal", "--rotate", config=made)
    assert "from the bastion's next start on" in rotated.stderr
    second = json.loads(rotated.stdout)["keys"]
    assert second[1:] == first
    assert json.loads(bastion("keys", "seal", config=made).stdout)["keys"] == second
    for key in second:
        assert not PRIVATE & set(key)
        assert (key["kty"], key["crv"], key["use"]) == ("OKP", "Ed25519", "sig")
    # What the old key has signed still verifies, with what is printed alone.
    (made.parent / "auditors.jwks").write_text(rotated.stdout)
    database = made.parent / "var" / "recordings.sqlite"
    verified = bastion("verify", "--all", "--database", database, "--keys", made.parent / "auditors.jwks")
    assert verified.returncode == 0, verified.stderr


def test_missing_keys_are_made_and_recorded(made: Path) -> None:
    for path in (made.parent / "keys").glob("user-ca*"):
        path.unlink()
    assert bastion("keys", "user-ca", config=made).returncode == 0
    assert (made.parent / "keys" / "user-ca").stat().st_mode & 0o777 == 0o600
    ring = open_keyring(made.parent / "keys")
    evidence = Evidence(made.parent / "var" / "recordings.sqlite", ring.seal_keys)
    made_keys = [entry.detail["keys"] for entry in evidence.audit() if entry.kind == "keys.made"]
    evidence.close()
    assert made_keys == [[*SSH_KEYS, "seal"], ["user-ca"]]


@pytest.mark.parametrize("kind", ["host-ca", "user-ca", "login-ca"])
def test_only_the_seal_key_is_rotated_by_command(made: Path, kind: str) -> None:
    lines = told(bastion("keys", kind, "--rotate", config=made))
    assert "only seal can be rotated" in lines[-1]


def test_an_unknown_kind_of_key_is_refused_with_those_there_are(made: Path) -> None:
    lines = told(bastion("keys", "ca", config=made))
    assert all(kind in lines[-1] for kind in KEY_KINDS)
