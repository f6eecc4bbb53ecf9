"""A connection that has ended is let go of in that moment, however it ended."""

from __future__ import annotations

import asyncio

from bastion.adapters.asyncssh_hooks import ServerConnection
from bastion.adapters.ssh_limits import OverLimit
from tests.unit.bastion.hooked_server import listening
from tests.unit.bastion.let_go import gone, watched


async def test_a_connection_that_has_ended_is_let_go_of() -> None:
    with watched(ServerConnection) as kept:
        async with listening() as server:
            async with asyncio.timeout(20), server.connect():
                assert len(kept) == 1
            server.judge.connection = None
            await gone(kept)


async def test_t20_a_connection_that_went_over_a_limit_is_let_go_of() -> None:
    with watched(ServerConnection) as kept:
        async with listening() as server:
            _reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"SSH-2.0-liar\r\n" + b"\x7f\xff\xff\xff" + bytes(64))
            async with asyncio.timeout(10):
                await server.judge.lost.wait()
            assert isinstance(server.judge.why, OverLimit)
            assert server.judge.why.__traceback__ is not None  # it was raised inside the connection
            server.judge.why = server.judge.connection = None
            writer.close()
            await gone(kept)


async def test_t20_what_comes_on_a_connection_that_has_ended_is_not_kept() -> None:
    async with listening() as server:
        async with asyncio.timeout(20), server.connect():
            connection = server.judge.connection
        async with asyncio.timeout(10):
            await server.judge.lost.wait()
        connection.data_received(bytes(100_000))
        assert connection._inpbuf == b""
