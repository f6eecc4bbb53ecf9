"""What a peer can make of us has bounds, on either side of a connection, and what is over one says which."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock

import asyncssh
import pytest
from asyncssh.constants import MSG_GLOBAL_REQUEST, MSG_IGNORE, MSG_KEXINIT, MSG_REQUEST_FAILURE
from asyncssh.packet import Boolean, SSHPacket, String, UInt32

from bastion.adapters.asyncssh_hooks import ServerConnection
from bastion.adapters.asyncssh_hooks.bounds import Bounds
from bastion.adapters.ssh_limits import OverLimit
from bastion.limits import (
    BANNERS,
    HELD_PIECES,
    JOINED_BYTES,
    PACKETS_AT_ONCE,
    REKEY_BYTES,
    REKEYS,
    UNREAD_REPLIES,
    Limits,
)
from tests.unit.bastion.hooked_server import OPTIONS, Running, asking, listening


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with listening() as running:
        yield running


async def lost(server: Running) -> Exception | None:
    """Wait until the connection is lost, and return why."""
    async with asyncio.timeout(10):
        await server.judge.lost.wait()
    return server.judge.why


def limit(why: Exception | None) -> str:
    assert isinstance(why, OverLimit), why
    return why.limit


async def test_t19_a_login_has_an_end(server: Running) -> None:
    async with listening(Limits(handshake_s=0)) as slow:
        _reader, writer = await asyncio.open_connection("127.0.0.1", slow.port)
        assert limit(await lost(slow)) == "handshake"
        writer.close()


async def test_t20_answers_that_are_not_read_end_the_connection(server: Running) -> None:
    async with asyncio.timeout(20), server.connect() as client:
        connection = server.judge.connection
        connection.pause_writing()
        for _ in range(UNREAD_REPLIES):
            connection.send_packet(MSG_REQUEST_FAILURE)
        assert not connection.is_closed()
        connection.resume_writing()
        connection.pause_writing()
        for _ in range(UNREAD_REPLIES + 1):
            connection.send_packet(MSG_REQUEST_FAILURE)
        assert limit(await lost(server)) == "replies"
        client.abort()


async def test_t20_answers_that_a_key_exchange_holds_back_end_the_connection(server: Running) -> None:
    async with asyncio.timeout(20), server.connect() as client:
        connection = server.judge.connection
        connection._send_kexinit()
        connection._kexinit_sent = True
        for _ in range(UNREAD_REPLIES + 2):
            connection.send_packet(MSG_REQUEST_FAILURE)
        assert limit(await lost(server)) == "replies"
        client.abort()


async def test_a_key_exchange_that_is_finished_takes_nothing_away(server: Running) -> None:
    async with listening(Limits(rekey_s=5)) as running, asyncio.timeout(20), running.connect() as client:
        connection = running.judge.connection
        for _ in range(5):
            connection._send_kexinit()
            connection._kexinit_sent = True
            await connection.room()
            while not connection._kex_complete or connection._rekey_timer is not None:
                await asyncio.sleep(0.002)
        assert connection._rekey_timer is None
        client.abort()


async def test_t20_a_key_exchange_that_stalls_ends_the_connection() -> None:
    async with listening(Limits(rekey_s=0)) as running, asyncio.timeout(20), running.connect() as client:
        client._transport.pause_reading()
        running.judge.connection._send_kexinit()
        assert limit(await lost(running)) == "rekey"
        client.abort()


async def test_a_connection_without_channels_ends_and_one_with_a_channel_does_not() -> None:
    async with listening(Limits(idle_connection_s=0)) as running, asking(running, b"x") as answer:
        session = await running.session
        session.verdict.set_result(True)
        process = await answer
        running.judge.connection.watch_idle()
        running.judge.connection._idle_timer.cancel()  # as if the channel had been opened after it
        await asyncio.sleep(0.05)
        assert not running.judge.connection.is_closed()
        process.close()
        session.channel.close()
        assert limit(await lost(running)) == "idle_connection"


async def test_a_keepalive_is_put_off_now_and_then_not_for_each_piece(server: Running) -> None:
    async with asyncio.timeout(20), server.connect() as client:
        connection = server.judge.connection
        now = connection._loop.time()
        connection._loop, loop = Mock(wraps=connection._loop), connection._loop
        connection._loop.time.side_effect = lambda: now
        timers = connection._loop.call_later

        def arrives(after_s: float) -> int:
            nonlocal now
            now += after_s
            timers.reset_mock()
            connection._reset_keepalive_timer()
            return int(timers.call_count)

        interval = connection._keepalive_interval
        assert [arrives(after_s) for after_s in (interval, 0.0, 0.01, interval / 2, 0.01)] == [1, 0, 0, 1, 0]
        connection._keepalive_count = 1  # one was sent: what comes now may be the answer
        assert arrives(0.0) == 1
        connection._loop = loop
        client.abort()


async def test_t20_l11_many_packets_in_one_piece_are_taken_in_steps(server: Running) -> None:
    async with asyncio.timeout(20), server.connect() as client:
        connection = server.judge.connection
        counted = 0

        def count(*_: Any) -> None:
            nonlocal counted
            counted += 1

        connection._packet_handlers = {**connection._packet_handlers, MSG_IGNORE: count}
        sent: list[bytes] = []
        client._transport.write, write = sent.append, client._transport.write
        for _ in range(5 * PACKETS_AT_ONCE):
            client.send_packet(MSG_IGNORE, String(b""))
        client._transport.write = write
        connection.data_received(b"".join(sent))
        assert counted <= PACKETS_AT_ONCE
        assert not connection._transport.is_reading()
        while counted < 5 * PACKETS_AT_ONCE:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert connection._transport.is_reading()
        client.abort()


@pytest.fixture
async def held(server: Running) -> AsyncIterator[Any]:
    """A channel that holds back what it receives."""
    async with asking(server, b"x") as answer:
        session = await server.session
        session.verdict.set_result(True)
        process = await answer
        session.channel.pause_reading()
        yield session
        process.close()


async def test_t18_small_pieces_that_are_held_back_are_joined(held: Any) -> None:
    channel = held.channel
    for at in range(20_000):
        channel._process_data(0, 0, SSHPacket(String(bytes([at % 251]))))
    assert len(channel._recv_buf) <= 20_000 // JOINED_BYTES + 1
    before = channel._recv_window
    channel.resume_reading()
    got = b"".join(note for note in held.notes if isinstance(note, bytes))
    assert got == bytes(at % 251 for at in range(20_000))
    assert channel._recv_window >= before


async def test_t18_pieces_that_cannot_be_joined_have_a_bound(held: Any) -> None:
    channel = held.channel
    for at in range(HELD_PIECES):
        channel._accept_data(b"x", 1 if at % 2 else None)
    with pytest.raises(OverLimit, match="small packets"):
        channel._accept_data(b"x", None)


async def test_t18_a_window_has_an_end(held: Any) -> None:
    held.channel._send_window = 2**32 - 1
    held.channel._process_window_adjust(0, 0, SSHPacket(UInt32(0)))
    with pytest.raises(OverLimit, match="may not grow past"):
        held.channel._process_window_adjust(0, 0, SSHPacket(UInt32(1)))


async def test_t20_requests_that_wait_have_a_bound(server: Running) -> None:
    async with asyncio.timeout(20), server.connect():
        connection = server.judge.connection
        connection._global_request_queue = [(None, None, False)] * Limits().requests
        with pytest.raises(OverLimit, match="Too many global requests"):
            connection._process_global_request(MSG_GLOBAL_REQUEST, 0, SSHPacket(String("x") + Boolean(False)))
        connection._global_request_queue = []


async def test_the_peer_is_told_which_limit_it_went_over(server: Running) -> None:
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    class Client(asyncssh.SSHClient):
        def connection_lost(self, exc: Exception | None) -> None:
            told.set_result(exc)

    async with asyncio.timeout(20), server.connect(client_factory=Client):
        server.judge.connection.drop(OverLimit("x", "that was too much"))
        assert "that was too much" in str(await told)


async def test_what_the_bounds_rest_on_is_where_it_was(server: Running) -> None:
    """The names that `Bounds` sets or reads, which an upgrade may move."""
    async with asyncio.timeout(20), server.connect():
        connection = server.judge.connection
        for name in (
            *("_max_recv_pktlen", "_pktlen", "_inpbuf", "_login_timer", "_rekey_bytes_sent", "_kexinit_sent"),
            *("_keepalive_timer", "_keepalive_count", "_keepalive_interval", "_reset_keepalive_timer"),
            *("_deferred_packets", "_global_request_queue", "_channels", "_transport", "_session_id"),
        ):
            assert hasattr(connection, name), name


async def test_t20_new_keys_without_reason_end_the_connection(server: Running) -> None:
    async with asyncio.timeout(20), server.connect() as client:
        connection = server.judge.connection
        packet = SSHPacket(b"")
        for _ in range(REKEYS):
            Bounds._process_kexinit(connection, MSG_KEXINIT, 0, packet).close()
        with pytest.raises(OverLimit, match="again and again"):
            Bounds._process_kexinit(connection, MSG_KEXINIT, 0, packet)
        connection._taken_bytes += REKEY_BYTES
        Bounds._process_kexinit(connection, MSG_KEXINIT, 0, packet).close()  # a transfer is reason enough
        client.abort()


async def test_t18_a_channel_that_takes_tiny_packets_is_not_used(server: Running) -> None:
    """A hostile target's; the same code serves both sides."""
    async with asyncio.timeout(20), server.connect():
        with pytest.raises(OverLimit, match="packets of 1 bytes are not sent"):
            server.judge.connection._process_channel_open_confirmation(
                0, 0, SSHPacket(UInt32(0) + UInt32(0) + UInt32(1 << 20) + UInt32(1))
            )


async def test_t20_banners_without_end_end_the_connection(server: Running) -> None:
    async with asyncio.timeout(20), server.connect():
        connection = server.judge.connection
        connection._banners = BANNERS
        with pytest.raises(OverLimit, match="banners"):
            connection._process_userauth_banner(0, 0, SSHPacket(String("x") + String("")))


async def test_t19_a_connection_can_be_dropped_before_it_has_begun(server: Running) -> None:
    connection = ServerConnection(asyncio.get_running_loop(), OPTIONS, lambda: server.judge, limits=Limits())
    connection.drop(OverLimit("handshakes", "too many"))
    ours, theirs = socket.socketpair()
    with theirs:
        await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, ours)
        assert limit(await lost(server)) == "handshakes"
        assert b"too many" in theirs.recv(4096)
