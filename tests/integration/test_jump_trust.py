"""Nobody takes one host for another: targets by their host keys, the bastion by its certificates (T50)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion.demo.host import SshHost, free_port
from bastion.demo.stage import NAME
from bastion.keyring import open_keyring, public_line
from recorder.events import Kind
from tests.integration.conftest import Finished, World
from tests.integration.jump_evidence import Since

TARGET = """
[[target]]
name = "{name}"
kind = "ssh"
address = "{address}"
{trust}
logins = ["{login}"]
shell = "bash"
"""


class Targets:
    """A world with targets that are not what they should be."""

    def __init__(self, world: World, extra: SshHost) -> None:
        self.world, self.extra = world, extra
        self.declared: list[str] = []

    def declare(self, name: str, address: str, trust: str) -> None:
        self.world.rewrite_config(
            lambda text: text.replace(
                "\n[policy]",
                TARGET.format(name=name, address=address, trust=trust, login=self.world.login) + "\n[policy]",
            )
        )
        self.declared.append(name)

    def adopt(self) -> None:
        """Reload, and give the job a known_hosts and an ssh_config with the new names."""
        world = self.world
        assert world.reload()["kind"] == "configuration.reloaded"
        (world.job / "known_hosts").write_text(world.bastion("keys", "host-ca").stdout.decode())
        names = " ".join(["web-1", *self.declared])
        text = (world.job / "ssh_config").read_text()
        text = text.replace("Host web-1\n", f"Host {names}\n").replace(
            "Host bastion web-1\n", f"Host bastion {names}\n"
        )
        (world.job / "ssh_config").write_text(text)

    def refused(self, name: str, text: str) -> None:
        """Check that a session on a target comes to nothing, and that everybody is told why."""
        since = Since(self.world)
        done = self.world.ssh(name, "echo never", stdin=b"secret input\n")
        assert (done.returncode, done.stdout) == (255, b"")
        assert done.stderr.startswith(f"bastion: {text}".encode()), done.stderr
        recorded = since.ended()
        assert (recorded.row.target, recorded.row.bytes_in, recorded.row.exit_status) == (name, 0, 255)
        assert recorded.data(Kind.NOTICE) == done.stderr
        assert recorded.input == b""


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    world = World(tmp_path_factory.mktemp("trust"))
    world.ready()
    ring = open_keyring(world.folder / "keys")
    folder = tmp_path_factory.mktemp("certified")
    for name, principal in (("good", "127.0.0.1"), ("other", "elsewhere.example")):
        world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name), check=True)
        if not (folder / "ca").exists():
            world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "ca"), check=True)
        sign = ("-s", str(folder / "ca"), "-I", name, "-h", "-n", principal)
        world.run("ssh-keygen", "-q", *sign, str(folder / f"{name}.pub"), check=True)
    hosts = {}
    for name in ("good", "other"):
        certified = f"HostKey {folder / name}\nHostCertificate {folder / name}-cert.pub\n"
        hosts[name] = SshHost(folder / f"host-{name}", user_ca=public_line(ring.user_ca), extra=certified)
        hosts[name].start()
    targets = Targets(world, hosts["good"])
    web = world.stage.host
    talker = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_answer, args=(talker,), daemon=True).start()
    authority = " ".join((folder / "ca.pub").read_text().split()[:2])
    bastion_key = " ".join((world.folder / "keys" / "host.pub").read_text().split()[:2])
    own_port = world.stage.port
    targets.declare("web-impostor", f"127.0.0.1:{web.port}", f'host_key = "{hosts["good"].host_key}"')
    world.run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(folder / "ecdsa"), check=True)
    another_kind = " ".join((folder / "ecdsa.pub").read_text().split()[:2])
    targets.declare("web-kind", f"127.0.0.1:{web.port}", f'host_key = "{another_kind}"')
    targets.declare("web-loop", f"127.0.0.1:{own_port}", f'host_key = "{web.host_key}"')
    targets.declare("web-self", f"127.0.0.1:{own_port}", f'host_key = "{bastion_key}"')
    targets.declare("web-gone", f"127.0.0.1:{free_port()}", f'host_key = "{web.host_key}"')
    targets.declare("web-nowhere", "nowhere.invalid:22", f'host_key = "{web.host_key}"')
    targets.declare("web-talker", f"127.0.0.1:{talker.getsockname()[1]}", f'host_key = "{web.host_key}"')
    targets.declare("web-certified", f"127.0.0.1:{hosts['good'].port}", f'host_ca = "{authority}"')
    targets.declare("web-elsewhere", f"127.0.0.1:{hosts['other'].port}", f'host_ca = "{authority}"')
    targets.declare("web-plain", f"127.0.0.1:{web.port}", f'host_ca = "{authority}"')
    targets.adopt()
    yield targets
    for host in hosts.values():
        host.stop()
    talker.close()
    world.strike()


def _answer(listener: socket.socket) -> None:
    """Be a server of another kind."""
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.sendall(b"220 mail.example ESMTP\r\n" * 3)
        sock.close()


MISMATCH = "target {} showed another host key than the configured one; nothing was sent to it"


@pytest.mark.parametrize("name", ["web-impostor", "web-kind"], ids=["of-the-same-kind", "of-another-kind"])
def test_t50_a_target_with_another_host_key_gets_nothing(targets: Targets, name: str) -> None:
    log = targets.world.stage.host.log
    before = log.stat().st_size
    targets.refused(name, MISMATCH.format(name))
    assert b"Accepted" not in log.read_bytes()[before:]
    assert "showed a host key that the configuration does not name" in targets.world.stage.journal.read_text()


def test_t50_a_target_whose_host_key_changes_is_refused_until_the_configuration_says_so(
    own_world: World,
) -> None:
    world, host = own_world, own_world.stage.host
    assert world.ssh("web-1", "echo before").stdout == b"before\n"
    host.stop()
    (host.folder / "host_key").unlink()
    (host.folder / "host_key.pub").unlink()
    ring = open_keyring(world.folder / "keys")
    changed = SshHost(host.folder, user_ca=public_line(ring.user_ca), port=host.port)
    changed.start()
    try:
        Targets(world, changed).refused("web-1", MISMATCH.format("web-1"))
        world.rewrite_config(lambda text: text.replace(host.host_key, changed.host_key))
        assert world.reload()["kind"] == "configuration.reloaded"
        assert world.ssh("web-1", "echo after").stdout == b"after\n"
    finally:
        changed.stop()


def test_t50_the_bastions_own_host_key_is_not_taken_for_a_targets(targets: Targets) -> None:
    targets.refused("web-loop", MISMATCH.format("web-loop"))


def test_t50_a_target_that_is_the_bastion_itself_lets_nobody_in(targets: Targets) -> None:
    """Even where an operator has named the bastion's own key: an upstream certificate opens no bastion."""
    targets.refused("web-self", f"target web-self refused the bastion's login as '{targets.world.login}'")


def test_t50_a_certified_target_is_known_by_the_name_in_its_address(targets: Targets) -> None:
    assert targets.world.ssh("web-certified", "echo in").stdout == b"in\n"


def test_t50_a_certificate_for_another_host_is_refused(targets: Targets) -> None:
    targets.refused("web-elsewhere", MISMATCH.format("web-elsewhere"))


def test_t50_a_host_without_a_certificate_of_the_named_authority_is_refused(targets: Targets) -> None:
    targets.refused("web-plain", MISMATCH.format("web-plain"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("web-gone", "target web-gone cannot be reached: Connection refused"),
        ("web-nowhere", "target web-nowhere cannot be reached: "),
        ("web-talker", "target web-talker: the SSH handshake failed: "),
    ],
)
def test_a_target_that_cannot_be_reached_is_told_with_255(targets: Targets, name: str, text: str) -> None:
    targets.refused(name, text)


# The client's side: it has one @cert-authority line, and StrictHostKeyChecking on.


def client(world: World, folder: Path, known_hosts: str, *words: str) -> Finished:
    known = folder / "known_hosts"
    known.write_text(known_hosts)
    return world.run("ssh", "-F", "ssh_config", "-o", f"UserKnownHostsFile={known}", *words)


def test_t50_one_authority_line_is_all_that_a_strict_client_needs(world: World, tmp_path: Path) -> None:
    lines = world.bastion("keys", "host-ca").stdout.decode()
    (line,) = [it for it in lines.splitlines() if it and not it.startswith("#")]
    patterns = line.split()[1].split(",")
    assert line.startswith("@cert-authority ")
    assert {NAME, "web-1"} <= set(patterns)
    assert not any("*" in it or "?" in it for it in patterns)
    config = (world.job / "ssh_config").read_text()
    assert "StrictHostKeyChecking yes" in config
    assert (world.job / "known_hosts").read_text() == lines
    assert world.ssh("web-1", "true").returncode == 0


def test_t50_a_client_that_expects_another_name_refuses(world: World) -> None:
    """The certificate of a jump says the target's name, the outer one the bastion's: neither stands for the other."""
    authority = (world.job / "known_hosts").read_text().split()[2:4]
    (world.job / "known_any").write_text(f"@cert-authority * {' '.join(authority)}\n")
    any_name = ("-o", "UserKnownHostsFile=known_any")
    config = (world.job / "ssh_config").read_text()
    (world.job / "ssh_config.any").write_text(config.replace("/known_hosts\n", "/known_any\n"))

    def ssh(*words: str) -> Finished:
        return world.run("ssh", "-F", "ssh_config.any", *any_name, *words)

    assert ssh("web-1", "echo in").stdout == b"in\n"
    wrong = ssh("-o", f"HostKeyAlias={NAME}", "web-1", "true")
    assert (wrong.returncode, b"name is not a listed principal" in wrong.stderr) == (255, True)
    wrong = ssh("-o", "HostKeyAlias=web-1", "bastion", "sessions")
    assert (wrong.returncode, b"name is not a listed principal" in wrong.stderr) == (255, True)


def test_t50_without_the_authority_line_a_strict_client_stops(world: World, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("")
    config = (world.job / "ssh_config").read_text()
    (world.job / "ssh_config.strict").write_text(config.replace(f"{world.job}/known_hosts", str(empty)))
    done = world.run("ssh", "-F", "ssh_config.strict", "web-1", "true")
    assert (done.returncode, b"Host key verification failed" in done.stderr) == (255, True)
