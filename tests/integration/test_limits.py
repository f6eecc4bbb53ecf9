"""A peer that asks for too much loses its own channel or connection, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh
import pytest
from asyncssh.channel import SSHClientChannel
from asyncssh.packet import String

from bastion.limits import MINIMUM_PACKET_BYTES, Limits
from tests.integration.conftest import World
from tests.integration.jump_client import at_the_target, options


@asynccontextmanager
async def at_login(world: World) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """Log in as login@ with a key of no one's."""
    where = {**options(world, "bastion.example.com", "login")}
    where["client_keys"] = [asyncssh.generate_private_key("ssh-ed25519")]
    async with asyncssh.connect("127.0.0.1", world.stage.port, **where) as connection:
        yield connection


async def test_t18_packets_so_small_that_each_byte_costs_one_are_not_served(world: World) -> None:
    async with at_the_target(world) as connection:
        with pytest.raises(asyncssh.ChannelOpenError, match="packets of fewer than"):
            await connection.run("true", max_pktsize=MINIMUM_PACKET_BYTES - 1, encoding=None)
        done = await connection.run(
            "head -c 200000 /dev/zero", max_pktsize=MINIMUM_PACKET_BYTES, encoding=None
        )
        assert len(done.stdout or b"") == 200_000


async def test_t20_a_login_connection_has_one_channel(world: World) -> None:
    async with at_login(world) as connection:
        first = await connection.create_process("certificate", encoding=None)
        with pytest.raises(asyncssh.ChannelOpenError, match="no more than 1 channels"):
            await connection.run("certificate")
        first.close()


async def test_t20_channels_have_a_bound_and_other_connections_their_own(world: World) -> None:
    async with at_the_target(world) as connection:
        held = [await connection.create_process("cat") for _ in range(Limits().channels)]
        with pytest.raises(asyncssh.ChannelOpenError, match="channels are open at once"):
            await connection.run("true")
        async with at_the_target(world) as other:
            assert (await other.run("echo still served")).stdout == "still served\n"
        for process in held:
            process.close()


async def test_t20_requests_that_pile_up_behind_one_close_their_connection(world: World) -> None:
    async with at_the_target(world) as connection, at_the_target(world) as other:
        channel = SSHClientChannel(
            connection, asyncio.get_running_loop(), "strict", None, "strict", 1 << 20, 1 << 15
        )
        await channel._open(b"session")
        for _request in range(
            Limits().requests * 2
        ):  # all in one piece: they wait for the first to be decided
            channel._send_request(b"exec", String(b"true"), want_reply=True)
        async with asyncio.timeout(20):
            await connection.wait_closed()
        assert (await other.run("echo still served")).stdout == "still served\n"


async def test_t20_compression_is_not_offered(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.stage.port)
    try:
        await reader.readuntil(b"\n")
        writer.write(b"SSH-2.0-client\r\n")
        packet = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
    finally:
        writer.close()
    lists = asyncssh.packet.SSHPacket(
        packet[1 + 1 + 16 :]
    )  # RFC 4253 section 7.1: behind padding, type and cookie
    names = [lists.get_namelist() for _ in range(10)]
    assert packet[1] == 20
    assert names[6:8] == [[b"none"], [b"none"]]
