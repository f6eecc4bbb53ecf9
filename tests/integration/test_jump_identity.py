"""Who somebody is comes from the certificate, the same one at both ends of a jump; what a target sees of it (T49)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion.demo.host import SshHost
from bastion.keyring import open_keyring, public_line
from tests.integration.conftest import Finished, World
from tests.integration.jump_evidence import Since

SAME = b"the login at the target must bear the same key and identity as the one at the bastion"


def configure(world: World, name: str, at_bastion: str, at_target: str) -> str:
    """Write an ssh_config that uses one key for the bastion and one for the target; return its name."""
    text = (world.job / "ssh_config").read_text()
    key = f"IdentityFile {world.job}/key\n"
    assert key in text
    only = f"""\
Host bastion
  IdentityFile {world.job}/{at_bastion}
Host web-1
  IdentityFile {world.job}/{at_target}
"""
    (world.job / name).write_text(only + text.replace(key, ""))
    return name


def jump(world: World, config: str, *words: str) -> Finished:
    return world.run("ssh", "-F", config, "web-1", *words)


# T49: user names mean nothing.


@pytest.mark.parametrize("name", ["anyone", "root", "orders-deployer", "on-call", "web-1"])
def test_t49_the_outer_user_name_does_not_change_who_somebody_is(world: World, name: str) -> None:
    since = Since(world)
    done = world.ssh("-J", f"{name}@bastion", "web-1", "echo in")
    assert done.stdout == b"in\n"
    assert since.ended().row.identity == "orders-deployer"
    reading = world.ssh("-l", name, "bastion", "sessions")
    assert reading.returncode == 126
    assert b"orders-deployer may not read evidence" in reading.stderr


def test_t49_a_responder_is_one_by_certificate_whatever_the_user_name(world: World) -> None:
    assert world.responder("sessions").returncode == 0
    since = Since(world)
    assert world.ssh_as("responder", "-l", "orders-deployer", "bastion", "sessions").returncode == 0
    (read,) = since.audit("evidence.read")
    assert read["by"].startswith("on-call over SSH from 127.0.0.1")


def test_t49_login_is_for_certificates_only(world: World) -> None:
    """With a certificate at hand `login@` still serves nothing but `certificate`, and no jump."""
    since = Since(world)
    for words in (("login@bastion", "sessions"), ("-J", "login@bastion", "web-1", "true")):
        done = world.ssh(*words)
        assert done.returncode != 0
        assert b"login@ serves" in done.stderr
    since.none()
    assert {it["identity"] for it in since.audit("request.refused")} == {None}


# Both ends of a jump are the same bot.


@pytest.fixture(scope="module")
def others(world: World) -> World:
    """A second key with a certificate of the same identity, and the first key with one of another identity."""
    assert world.certify("jump-second", "deploy", run_id="9000").returncode == 0
    shutil.copy(world.job / "key", world.job / "jump-twin")
    shutil.copy(world.job / "key.pub", world.job / "jump-twin.pub")
    assert world.certify("jump-twin", "responder").returncode == 0
    world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "jump-bare", check=True)
    return world


@pytest.mark.parametrize(
    ("at_bastion", "at_target"),
    [("key", "jump-second"), ("jump-second", "key"), ("key", "jump-twin"), ("jump-twin", "key")],
    ids=["another-key", "another-key-outside", "another-identity", "another-identity-outside"],
)
def test_t49_the_inner_login_must_be_the_outer_one(others: World, at_bastion: str, at_target: str) -> None:
    since = Since(others)
    done = jump(others, configure(others, "ssh_config.mixed", at_bastion, at_target), "true")
    assert done.returncode == 255
    if at_bastion == "jump-twin":  # on-call may open no target at all
        assert b"no target 'web-1' that on-call may open" in done.stderr
    else:
        assert SAME in done.stderr
        assert b"Permission denied (publickey)" in done.stderr
        others.until(lambda: SAME.decode() in str(since.audit("login.refused")))
    since.none()


def test_t49_a_bare_key_is_not_enough_at_either_end(others: World) -> None:
    since = Since(others)
    for at_bastion, at_target in (("jump-bare", "key"), ("key", "jump-bare")):
        done = jump(others, configure(others, "ssh_config.bare", at_bastion, at_target), "true")
        assert done.returncode == 255
        assert b"Permission denied (publickey)" in done.stderr
    since.none()


def test_a_newer_certificate_of_the_same_key_and_identity_will_do(others: World) -> None:
    """A job may renew its certificate while a connection is open."""
    shutil.copy(others.job / "key", others.job / "renewed")
    shutil.copy(others.job / "key.pub", others.job / "renewed.pub")
    assert others.certify("renewed", "deploy").returncode == 0
    done = jump(others, configure(others, "ssh_config.renewed", "key", "renewed"), "echo in")
    assert done.stdout == b"in\n"


# What targets see.


def test_the_targets_log_shows_identity_run_and_session(world: World) -> None:
    since = Since(world)
    assert world.ssh("web-1", "true").returncode == 0
    row = since.ended().row
    log = world.stage.host.log.read_text()
    serial = r"\(serial \d+\)"
    assert re.search(rf'Accepted certificate ID "orders-deployer/8412/{row.id}" {serial} signed by', log)


def direct(world: World, port: int) -> Finished:
    words = (
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "IdentitiesOnly=yes",
    )
    return world.run(
        "ssh", "-F", "none", *words, "-i", "key", "-p", str(port), f"{world.login}@127.0.0.1", "true"
    )


def test_l6_a_bots_own_certificate_is_refused_by_the_target(world: World) -> None:
    done = direct(world, world.stage.host.port)
    assert (done.returncode, b"Permission denied (publickey)" in done.stderr) == (255, True)


@pytest.fixture
def careless(world: World, tmp_path: Path) -> Iterator[SshHost]:
    """A host whose operator trusts the wrong authority: the one that signs bots' certificates."""
    ring = open_keyring(world.folder / "keys")
    # sshd reads a principal for the login from here, so that only the certificate itself can be at fault.
    principals = (
        "AuthorizedPrincipalsCommand /bin/echo orders-deployer\nAuthorizedPrincipalsCommandUser root\n"
    )
    host = SshHost(tmp_path / "careless", user_ca=public_line(ring.login_ca), extra=principals)
    host.start()
    yield host
    host.stop()


def test_l6_a_bots_certificate_opens_nothing_even_where_its_authority_is_trusted(
    world: World, careless: SshHost
) -> None:
    """It forces a command that says so, and carries no right to a terminal or to forwarding (PROTOCOL.certkeys)."""
    done = direct(world, careless.port)
    assert (done.returncode, done.stdout) == (126, b"")
    assert b"this certificate is for the bastion alone" in done.stderr


def test_a_login_that_is_not_among_the_targets_is_refused_with_those_that_are(world: World) -> None:
    since = Since(world)
    done = world.ssh("-l", "nobody", "web-1", "true")
    assert done.returncode == 255
    said = f"login 'nobody' is not open to orders-deployer on web-1; open are: {world.login}"
    assert f"administratively prohibited: bastion: {said}".encode() in done.stderr
    assert since.refused("session web-1")["reason"] == said
    since.none()
    straight = world.ssh("-s", "bastion", "sftp:nobody@web-1")
    assert (straight.returncode, straight.stderr) == (126, f"bastion: {said}\r\n".encode())
