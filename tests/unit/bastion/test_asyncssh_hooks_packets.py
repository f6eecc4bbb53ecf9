"""The short way of channel data: the same bytes as the long way, and only for what nothing special holds for."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import MSG_CHANNEL_WINDOW_ADJUST, MSG_IGNORE
from asyncssh.crypto.cipher import GCMCipher
from asyncssh.encryption import GCMEncryption
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bastion.adapters.asyncssh_hooks import Command, ServerChannel, connect
from bastion.adapters.asyncssh_hooks.client import ClientChannel
from bastion.adapters.asyncssh_hooks.packets import DataChannel, DataPackets
from bastion.adapters.ssh_channels import TargetChannel
from bastion.inbox import Data
from bastion.limits import Limits
from bastion.requests import Pty
from tests.unit.bastion.hooked_server import CLIENT_KEY, Requested, Running, ask, asking, listening

GCM = {"encryption_algs": ["aes128-gcm@openssh.com"]}
KEY, IV = bytes(range(16)), bytes(range(12))


class Echo(Requested):
    """Gives back what it gets, in pieces of all sizes, and every third piece on stderr."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.dice = random.Random(seed)
        self.error = b""
        self.verdict.set_result(True)

    def data_received(self, data: bytes, datatype: Any) -> None:
        data = bytes(data)
        while data:
            size = self.dice.choice([1, 7, 100, 4096, 40_000, 200_000])
            piece, data = data[:size], data[size:]
            if self.dice.randrange(3) == 0:
                self.error += piece
                self.channel.write(piece, asyncssh.EXTENDED_DATA_STDERR)
            else:
                self.channel.write(piece)

    def eof_received(self) -> bool:
        self.channel.exit(0)
        return True


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with listening() as running:
        yield running


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count what goes the short way, each way."""
    counts = {"sent": 0, "got": 0}
    send, take = DataPackets.send_data, DataPackets._take_data

    def counting_send(self: DataPackets, *details: Any) -> int:
        sent = send(self, *details)
        counts["sent"] += sent
        return sent

    def counting_take(self: DataPackets) -> bool:
        took = take(self)
        counts["got"] += took
        return took

    monkeypatch.setattr(DataPackets, "send_data", counting_send)
    monkeypatch.setattr(DataPackets, "_take_data", counting_take)
    return counts


async def echoed(server: Running, data: bytes, seed: int, **options: Any) -> tuple[bytes, bytes, Echo]:
    session = Echo(seed)
    server.judge.session_requested = lambda: session  # type: ignore[method-assign]
    async with asyncio.timeout(60), server.connect(**options) as client:
        process = await client.create_process("x", encoding=None)

        async def feed() -> None:
            for at in range(0, len(data), 150_000):
                process.stdin.write(data[at : at + 150_000])
                await process.stdin.drain()
            process.stdin.write_eof()

        feeding = asyncio.get_running_loop().create_task(feed())
        out, error = await asyncio.gather(process.stdout.read(), process.stderr.read())
        await feeding
        return out, error, session


@pytest.mark.parametrize("seed", range(3))
async def test_what_goes_the_short_way_arrives_as_it_was(
    server: Running, taken: dict[str, int], seed: int
) -> None:
    data = random.Random(seed).randbytes(3_000_000)
    out, error, session = await echoed(server, data, seed, **GCM)
    assert error == session.error
    assert len(out) + len(error) == len(data) == taken["sent"]
    assert taken["got"] > 10


async def test_the_short_way_goes_on_with_new_keys(server: Running, taken: dict[str, int]) -> None:
    data = random.Random(9).randbytes(2_000_000)
    out, error, session = await echoed(server, data, 9, rekey_bytes=300_000, **GCM)
    assert error == session.error
    assert len(out) + len(error) == len(data)
    assert taken["sent"] > 0
    assert taken["got"] > 0


async def test_room_for_more_takes_the_short_way(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    short: list[int] = []
    long: list[int] = []
    process, log = ServerChannel.process_packet, ServerChannel.log_received_packet

    def processing(self: ServerChannel, kind: int, number: int, packet: Any) -> Any:
        short.append(kind)
        return process(self, kind, number, packet)

    def logging(self: ServerChannel, kind: int, *details: Any) -> None:
        long.append(kind)
        log(self, kind, *details)

    monkeypatch.setattr(ServerChannel, "process_packet", processing)
    monkeypatch.setattr(ServerChannel, "log_received_packet", logging)
    data = random.Random(4).randbytes(5_000_000)  # more than two windows
    out, error, _session = await echoed(server, data, 4, **GCM)
    assert len(out) + len(error) == len(data)
    assert short.count(MSG_CHANNEL_WINDOW_ADJUST) > 1
    assert MSG_CHANNEL_WINDOW_ADJUST not in long


async def test_a_packet_that_comes_in_parts_takes_the_short_way(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(20), server.connect(**GCM) as client:
        answer = asyncio.ensure_future(ask(client, Command(b"x"), encoding=None))
        session = await server.session
        session.verdict.set_result(True)
        process = await answer
        connection = session.channel._conn
        long: list[int] = []
        take = connection._recv_packet

        def taking() -> bool:
            long.append(connection._pktlen)
            return bool(take())

        monkeypatch.setattr(connection, "_recv_packet", taking)
        sent: list[bytes] = []
        client._transport.write, write = sent.append, client._transport.write
        data = random.Random(6).randbytes(100_000)
        process.stdin.write(data)
        client._transport.write = write
        stream = b"".join(sent)
        for at in range(0, len(stream), 999):
            connection.data_received(stream[at : at + 999])
        assert b"".join(bytes(note) for note in session.notes if isinstance(note, bytes | memoryview)) == data
        assert max(long, default=0) < 100  # this client puts an empty IGNORE before each packet
        client.abort()


class Holding:
    """A transport that keeps what it is given, and says that `waiting` bytes of it are not sent."""

    def __init__(self, transport: Any, waiting: int) -> None:
        self.kept: list[memoryview] = []
        self.write = self.kept.append
        self.get_write_buffer_size = lambda: waiting
        self.close, self.abort, self.is_closing = transport.close, transport.abort, transport.is_closing
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading


@pytest.mark.parametrize("waiting", [0, 1])
async def test_what_a_transport_still_holds_is_not_written_over(server: Running, waiting: int) -> None:
    async with asyncio.timeout(20), server.connect(**GCM) as client:
        answer = asyncio.ensure_future(ask(client, Command(b"x"), encoding=None))
        session = await server.session
        session.verdict.set_result(True)
        await answer
        connection = session.channel._conn
        connection._transport, transport = Holding(connection._transport, waiting), connection._transport
        session.channel.write(b"a" * 100_000)
        first = bytes(connection._transport.kept[0])
        session.channel.write(b"b" * 100_000)
        one, other = connection._transport.kept
        connection._transport = transport
        assert (bytes(one) == first) == bool(waiting)
        assert (one.obj is other.obj) != bool(waiting)


async def test_a_little_goes_as_far_as_the_window_and_stays_in_order(
    server: Running, taken: dict[str, int]
) -> None:
    async with asyncio.timeout(20), server.connect(**GCM) as client:
        answer = asyncio.ensure_future(ask(client, Command(b"x"), encoding=None))
        session = await server.session
        session.verdict.set_result(True)
        process = await answer
        session.channel._send_window = 3
        for piece in (b"1", b"2345", b"6"):
            session.channel.write(piece)
        assert taken["sent"] == 3
        session.channel._send_window = 100
        session.channel.write(b"7")
        assert await process.stdout.readexactly(7) == b"1234567"
        assert taken["sent"] == 7


async def test_another_cipher_takes_the_long_way(server: Running, taken: dict[str, int]) -> None:
    data = random.Random(5).randbytes(400_000)
    out, error, session = await echoed(server, data, 5, encryption_algs=["aes256-ctr"])
    assert error == session.error
    assert len(out) + len(error) == len(data)
    assert taken == {"sent": 0, "got": 0}


async def test_t18_a_packet_altered_on_its_way_ends_the_connection_and_delivers_nothing(
    server: Running,
) -> None:
    async with asking(server, b"x") as answer:
        session = await server.session
        session.verdict.set_result(True)
        process = await answer
        process.stdin.write(b"whole")
        await session.noted(b"whole")
        transport = process.channel._conn._transport
        write = transport.write

        def altering(data: bytes) -> None:
            write(data[:20] + bytes([data[20] ^ 1]) + data[21:])

        transport.write = altering
        process.stdin.write(b"altered" * 10)
        await session.noted("lost")
        assert session.notes[-1] == "lost"
        assert not [note for note in session.notes if isinstance(note, bytes) and b"ltered" in note]


async def test_a_peer_may_not_send_more_than_its_window(server: Running) -> None:
    async with asking(server, b"x") as answer:
        session = await server.session
        session.verdict.set_result(True)
        process = await answer
        session.channel._recv_window = 10
        process.stdin.write(b"eleven bytes")
        await session.noted("lost")
        assert b"eleven bytes" not in session.notes


async def test_no_ignore_packets_are_sent(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    async with asking(server, b"x") as answer:
        session = await server.session
        general = asyncssh.connection.SSHConnection.send_packet

        def noting(self: Any, pkttype: int, *args: bytes, handler: Any = None) -> None:
            if isinstance(self, DataPackets):
                sent.append(pkttype)
            general(self, pkttype, *args, handler=handler)

        monkeypatch.setattr(asyncssh.connection.SSHConnection, "send_packet", noting)
        session.verdict.set_result(True)
        await answer
    assert sent
    assert MSG_IGNORE not in sent


def test_asyncssh_still_keeps_key_and_counter_where_the_short_way_looks() -> None:
    """RFC 5647, section 7.1: the counter in the last eight bytes goes up by one for each packet."""
    ours, cipher = AESGCM(KEY), GCMCipher("aes128-gcm", KEY, IV)
    assert GCMEncryption(cipher)._cipher is cipher
    for _ in range(3):
        sealed = ours.encrypt(cipher._iv, b"\x04" + bytes(15), bytes(4))
        packet, tag = cipher.encrypt_and_sign(bytes(4), b"\x04" + bytes(15))
        assert packet + tag == bytes(4) + sealed
    counted = GCMCipher("aes128-gcm", KEY, IV)
    counted._update_iv()
    assert counted._iv == IV[:4] + (int.from_bytes(IV[4:], "big") + 1).to_bytes(8, "big")


def test_asyncssh_still_keeps_the_state_that_the_short_way_asks_for() -> None:
    names = {
        asyncssh.connection.SSHConnection: (
            "_send_encryption _recv_encryption _auth_complete _kex_complete _compressor _decompressor _send_seq"
            " _recv_seq _rekey_bytes _rekey_bytes_sent _rekey_seconds _rekey_time _inpbuf _max_recv_pktlen"
            " _auth_final _channels _transport"
        ),
        asyncssh.channel.SSHChannel: (
            "_send_chan _send_window _send_pktsize _send_buf _send_buf_len _send_state _recv_state _recv_window"
            " _send_high_water _send_low_water"
        ),
    }
    for of, wanted in names.items():
        written = {
            *of.__init__.__code__.co_names,  # type: ignore[misc]
            *getattr(of, "set_write_buffer_limits", of.__init__).__code__.co_names,  # type: ignore[misc]
        }
        assert set(wanted.split()) <= written | set(dir(of)), of
    for method in ("_recv_pkthdr", "_send", "send_packet", "log_received_packet"):
        assert callable(getattr(asyncssh.connection.SSHConnection, method))
    for method in ("_flush_send_buf", "_accept_data", "write", "process_packet", "get_write_buffer_size"):
        assert callable(getattr(asyncssh.channel.SSHChannel, method))
    assert DataChannel._flush_send_buf is not asyncssh.channel.SSHChannel._flush_send_buf


async def test_a_connection_of_ours_to_a_target_opens_channels_of_ours(server: Running) -> None:
    sock = socket.create_connection(("127.0.0.1", server.port))
    sock.setblocking(False)
    options = asyncssh.SSHClientConnectionOptions(
        config=None, known_hosts=None, agent_path=None, client_keys=[CLIENT_KEY], username="somebody", **GCM
    )
    connection = await connect(sock, options, Limits())
    made = TargetChannel()
    opening = asyncio.get_running_loop().create_task(
        connection.open_channel(
            lambda: made,
            command=Command(b"caf\xe9"),
            subsystem=None,
            environment={b"LC_NOTE": b"x"},
            pty=Pty(term="vt100", cols=80, rows=24, width_px=0, height_px=0, modes={}),
        )
    )
    session = await server.session
    await session.noted(("exec", b"caf\xe9"))
    assert isinstance(made._channel, ClientChannel)
    session.verdict.set_result(True)
    await opening
    made.send(b"in" * 100_000)
    session.channel.write(b"out" * 100_000)
    session.channel.exit(3)
    got = b""
    while not made.inbox.closed.is_set():
        await asyncio.sleep(0.002)
    for item in await made.inbox.take():
        got += bytes(item.data) if isinstance(item, Data) else b""
    assert got == b"out" * 100_000
    connection.abort()
