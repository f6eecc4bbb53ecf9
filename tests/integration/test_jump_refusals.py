"""T22: whatever else SSH can forward is refused, on both connections, with a reason, and recorded."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from bastion.demo.host import free_port
from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.jump_client import at_the_bastion, at_the_target, options
from tests.integration.jump_evidence import Recorded, Since

NO_TARGET = "no target 'internal.example' that orders-deployer may open at this bastion"


@contextmanager
def forwarding(world: World, where: str, *words: str) -> Iterator[list[bytes]]:
    """Hold a connection that forwards something; what ssh says on stderr is in the list afterwards."""
    said: list[bytes] = []
    job = world.start("ssh", "-F", "ssh_config", "-N", *words, where)
    try:
        yield said
    finally:
        job.kill()
        said.append(job.communicate(timeout=10)[1])


def ask(port: int, first: bytes = b"hello\n", enough: bytes = b"\n") -> bytes:
    """Connect to a forwarded port, and return what comes back until it closes or has said enough."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(first)
        got = b""
        try:
            while enough not in got and (data := sock.recv(4096)):
                got += data
        except ConnectionResetError:
            pass
        return got


def listens(port: int) -> bool:
    """Say whether something listens, without connecting to it."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def refusals(recorded: Recorded) -> set[str]:
    return {detail["what"] for detail in recorded.details(Kind.REFUSED)}


# The outer connection: nothing but jumps to targets.


def test_t22_a_local_forward_to_anything_but_a_target_is_refused(world: World) -> None:
    since, port = Since(world), free_port()
    with forwarding(world, "bastion", "-L", f"{port}:internal.example:80") as said:
        world.until(lambda: listens(port))
        assert ask(port) == b""
    assert f"open failed: administratively prohibited: bastion: {NO_TARGET}".encode() in said[0]
    detail = since.refused("direct-tcpip internal.example:80")
    assert (detail["identity"], detail["peer"], detail["reason"]) == (
        "orders-deployer",
        "127.0.0.1",
        NO_TARGET,
    )
    assert detail["claims"]["run_id"] == "8412"
    since.none()


def test_t22_a_local_forward_cannot_reach_the_targets_address_itself(world: World) -> None:
    """Only names are targets: 127.0.0.1 and the target's own port are not."""
    since, port = Since(world), free_port()
    with forwarding(world, "bastion", "-L", f"{port}:127.0.0.1:{world.stage.host.port}"):
        world.until(lambda: listens(port))
        assert ask(port) == b""
    since.refused(f"direct-tcpip 127.0.0.1:{world.stage.host.port}")


def test_t22_a_local_forward_to_a_target_is_a_jump_and_nothing_else(world: World) -> None:
    """What answers is the bastion's own SSH, which wants the certificate, whatever the port."""
    since, port = Since(world), free_port()
    with forwarding(world, "bastion", "-L", f"{port}:web-1:5432"):
        world.until(lambda: listens(port))
        assert ask(port, b"SSH-2.0-probe\r\n").startswith(b"SSH-2.0-OpenSSH_compatible_Bastion\r\n")
    since.none()


def test_t22_a_dynamic_forward_is_refused_for_each_name(world: World) -> None:
    since, port = Since(world), free_port()
    with forwarding(world, "bastion", "-D", str(port)) as said:
        world.until(lambda: listens(port))
        ask(port, b"\x04\x01\x00\x50\x00\x00\x00\x01\x00internal.example\x00")
    assert b"administratively prohibited" in said[0]
    since.refused("direct-tcpip internal.example:80")


def test_t22_standard_streams_cannot_be_forwarded_to_an_unknown_name(world: World) -> None:
    since = Since(world)
    done = world.ssh("-W", "internal.example:22", "bastion")
    assert (done.returncode, done.stdout) == (255, b"")
    assert f"open failed: administratively prohibited: bastion: {NO_TARGET}".encode() in done.stderr
    since.refused("direct-tcpip internal.example:22")


def test_t22_a_jump_to_an_unknown_target_says_so(world: World) -> None:
    known = world.ssh("-J", "bastion", "-o", "StrictHostKeyChecking=yes", "root@web-9", "true")
    assert known.returncode == 255
    assert b"no target 'web-9' that orders-deployer may open at this bastion" in known.stderr


@pytest.mark.parametrize("where", ["bastion", "web-1"])
def test_t22_remote_forwards_are_refused_on_both_connections(world: World, where: str) -> None:
    since, port = Since(world), free_port()
    strict = ("-o", "ExitOnForwardFailure=yes", "-N")
    done = world.ssh(*strict, "-R", f"{port}:127.0.0.1:22", where)
    assert (done.returncode, b"remote port forwarding failed" in done.stderr) == (255, True)
    assert not listens(port)
    since.refused(f"-R localhost:{port}")

    path = Path(f"/tmp/bastion-{os.getpid()}-{where}.sock")
    done = world.ssh(*strict, "-R", f"{path}:127.0.0.1:22", where)
    assert (done.returncode, b"remote port forwarding failed" in done.stderr) == (255, True)
    assert not path.exists()
    since.refused(f"-R {path}")


@pytest.mark.parametrize("where", ["bastion", "web-1"])
def test_t22_unix_sockets_are_not_reached_on_either_connection(world: World, where: str) -> None:
    since, port = Since(world), free_port()
    with forwarding(world, where, "-L", f"{port}:/var/run/docker.sock") as said:
        world.until(lambda: listens(port))
        assert ask(port) == b""
    assert b"administratively prohibited: bastion: Unix sockets are not forwarded" in said[0]
    since.refused("streamlocal /var/run/docker.sock")


def test_t22_forwards_inside_a_jump_are_refused(world: World) -> None:
    """Not even to a target's name, nor to what the target itself could reach."""
    since, port, socks = Since(world), free_port(), free_port()
    words = ("-L", f"{port}:web-1:22", "-D", str(socks))
    with forwarding(world, "web-1", *words) as said:
        world.until(lambda: listens(port) and listens(socks))
        assert ask(port) == b""
        ask(socks, b"\x04\x01\x00\x50\x00\x00\x00\x01\x00internal.example\x00")
    assert said[0].count(b"prohibited: bastion: forwarding is not served at a target") == 2
    assert since.refused("direct-tcpip web-1:22")["identity"] == "orders-deployer"
    since.refused("direct-tcpip internal.example:80")


# On a session's channel: agents, X11.


@pytest.fixture
def agent(world: World, tmp_path: Path) -> Iterator[Path]:
    """A running agent."""
    path = tmp_path / "agent.sock"
    job = world.start("ssh-agent", "-D", "-a", str(path))
    world.until(path.exists)
    yield path
    job.terminate()
    job.communicate()


def test_t22_agent_forwarding_is_refused_and_the_command_has_no_agent(world: World, agent: Path) -> None:
    since = Since(world)
    done = world.ssh("-o", f"IdentityAgent={agent}", "-A", "web-1", "echo [$SSH_AUTH_SOCK]")
    assert (done.returncode, done.stdout) == (0, b"[]\n")
    recorded = since.ended()
    assert recorded.details(Kind.REFUSED) == [{"what": "agent", "reason": "agent forwarding is not served"}]


def test_t22_agent_forwarding_to_the_bastion_itself_is_refused(world: World, agent: Path) -> None:
    since = Since(world)
    world.ssh("-o", f"IdentityAgent={agent}", "-A", "bastion", "sessions")
    assert since.refused("agent")["reason"] == "agent forwarding is not served"


@pytest.mark.parametrize("option", ["-X", "-Y"])
def test_t22_x11_is_refused_and_the_command_has_no_display(world: World, option: str) -> None:
    since = Since(world)
    done = world.run("env", "DISPLAY=:99", "ssh", "-F", "ssh_config", option, "web-1", "echo [$DISPLAY]")
    assert (done.returncode, done.stdout) == (0, b"[]\n")
    assert b"X11 forwarding request failed" in done.stderr
    assert refusals(since.ended()) == {"x11"}


# What OpenSSH asks only where it may make a device, and what it never says.


@pytest.mark.parametrize("inside", [False, True], ids=["outer", "inner"])
async def test_t22_tunnel_devices_are_refused_on_both_connections(world: World, inside: bool) -> None:
    since = Since(world)
    reach = at_the_target if inside else at_the_bastion
    async with asyncio.timeout(30), reach(world) as connection:
        for make in (connection.create_tun, connection.create_tap):
            with pytest.raises(asyncssh.ChannelOpenError, match="tunnel devices are not served"):
                await make(asyncssh.SSHTunTapSession)
    since.refused("tun")
    since.refused("tap")


class Liar:
    """A tunnel whose originator fields say what they like."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self.connection = connection

    async def create_connection(self, factory: Any, host: str, port: int) -> Any:
        return await self.connection.create_connection(factory, host, port, "203.0.113.9", 7)


async def test_t22_the_originator_fields_are_not_believed(world: World) -> None:
    """They are the client's to fill in: the record has the address of the client's own socket."""
    since = Since(world)
    async with asyncio.timeout(30), at_the_bastion(world) as outer:
        with pytest.raises(asyncssh.ChannelOpenError, match=r"no target 'internal\.example'"):
            await outer.open_connection("internal.example", 80, orig_host="203.0.113.9", orig_port=7)
        where = options(world, "web-1", world.login)
        async with asyncssh.connect("web-1", tunnel=Liar(outer), **where) as inner:
            assert (await inner.run("echo here")).stdout == "here\n"
    assert since.refused("direct-tcpip internal.example:80")["peer"] == "127.0.0.1"
    assert since.ended().details(Kind.OPEN)[0]["peer"] == "127.0.0.1"


async def test_t20_a_connection_that_asks_for_too_much_is_dropped(world: World) -> None:
    """Each refusal is a row on the audit chain; there is an end to how many one connection may cause."""
    since = Since(world)
    refused = 0
    async with asyncio.timeout(30), at_the_bastion(world) as outer:
        try:
            for number in range(100):
                try:
                    await outer.open_connection(f"host-{number}.example", 80)
                except asyncssh.ChannelOpenError as error:
                    refused += error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
        except (asyncssh.Error, OSError):
            pass
        await outer.wait_closed()
    world.until(lambda: len(since.audit("request.refused")) == 32)
    assert 32 <= refused <= 33
