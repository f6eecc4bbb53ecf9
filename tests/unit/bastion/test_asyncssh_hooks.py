"""What asyncssh_hooks rests on inside asyncssh still is what it was, and each hook still does what it is there for.

The first part looks at names and signatures, so that an upgrade that moves one fails here and says which. The second
runs a server of ours against a client over a real socket; test_asyncssh_hooks_channel.py does so for channels.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest
from asyncssh.channel import SSHChannel, SSHServerChannel
from asyncssh.connection import SSHConnection, SSHServerConnection
from asyncssh.constants import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
    MSG_GLOBAL_REQUEST,
    MSG_IGNORE,
)
from asyncssh.packet import Byte, SSHPacket, String, UInt32

from bastion.adapters.asyncssh_hooks import ServerChannel, ServerConnection
from bastion.adapters.asyncssh_hooks.bounds import Bounds
from bastion.adapters.ssh_limits import OverLimit
from bastion.limits import MINIMUM_PACKET_BYTES, Limits
from tests.unit.bastion.hooked_server import CLIENT_KEY, OPTIONS, Judge, Running, ask, listening

# Names and signatures.


def test_asyncssh_is_the_minor_version_that_the_hooks_were_made_for() -> None:
    assert asyncssh.__version__.split(".")[:2] == ["2", "24"]


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (SSHServerConnection.validate_public_key, ["self", "username", "key_data", "msg", "signature"]),
        (SSHServerConnection.send_userauth_failure, ["self", "partial_success"]),
        (SSHServerConnection.reload_config, ["self"]),
        (SSHServerConnection.create_server_channel, ["self", "encoding", "errors", "window", "max_pktsize"]),
        (SSHConnection._process_channel_open, ["self", "_pkttype", "_pktid", "packet"]),
        (SSHConnection._process_global_request, ["self", "_pkttype", "_pktid", "packet"]),
        (SSHConnection._send_deferred_packets, ["self"]),
        (SSHConnection._send_kexinit, ["self"]),
        (SSHConnection._process_kexinit, ["self", "_pkttype", "_pktid", "packet"]),
        (SSHConnection.send_packet, ["self", "pkttype", "args", "handler"]),
        (SSHConnection.send_channel_open_failure, ["self", "send_chan", "code", "reason", "lang"]),
        (SSHConnection._cleanup, ["self", "exc"]),
        (SSHConnection.create_task, ["self", "coro", "task_logger"]),
        (SSHChannel._process_close, ["self", "_pkttype", "_pktid", "packet"]),
        (SSHChannel._process_request, ["self", "_pkttype", "_pktid", "packet"]),
        (SSHChannel._flush_recv_buf, ["self", "exc"]),
        (SSHChannel._pause_resume_writing, ["self"]),
        (SSHChannel._report_response, ["self", "result"]),
        (SSHChannel._send_request, ["self", "request", "args", "want_reply"]),
        (SSHServerChannel._process_exec_request, ["self", "packet"]),
        (SSHServerChannel._process_shell_request, ["self", "packet"]),
        (SSHServerChannel._process_subsystem_request, ["self", "packet"]),
        (SSHServerChannel._process_env_request, ["self", "packet"]),
        (SSHServerChannel._process_signal_request, ["self", "packet"]),
        (SSHServerChannel._process_x11_req_request, ["self", "packet"]),
        (SSHServerChannel._process_auth_agent_req_at_openssh_dot_com_request, ["self", "packet"]),
        (
            SSHServerChannel.__init__,
            [
                *("self", "conn", "loop", "allow_pty", "line_editor", "line_echo", "line_history"),
                *("max_line_length", "encoding", "errors", "window", "max_pktsize"),
            ],
        ),
    ],
    ids=lambda it: it.__qualname__ if callable(it) else "",
)
def test_a_method_that_a_hook_overrides_or_calls_has_the_same_parameters(
    function: Callable[..., Any], parameters: list[str]
) -> None:
    assert list(inspect.signature(function).parameters) == parameters


@pytest.mark.parametrize(
    ("ours", "theirs", "numbers"),
    [
        (
            ServerChannel,
            SSHServerChannel,
            {MSG_CHANNEL_WINDOW_ADJUST, MSG_CHANNEL_CLOSE, MSG_CHANNEL_REQUEST},
        ),
        (ServerConnection, SSHServerConnection, set(Bounds.BOUNDED_HANDLERS)),
    ],
)
def test_packet_handlers_are_looked_up_in_a_table_of_the_class(
    ours: Any, theirs: Any, numbers: set[int]
) -> None:
    changed = {
        it for it in ours._packet_handlers if ours._packet_handlers[it] is not theirs._packet_handlers.get(it)
    }
    assert changed == numbers
    assert numbers <= theirs._packet_handlers.keys()
    assert ours._packet_handlers.keys() == theirs._packet_handlers.keys()


def test_asyncssh_has_no_callback_of_its_own_for_what_the_hooks_add() -> None:
    """If it learns eow@openssh.com, or heeds its transport, the hook is to go."""
    assert not hasattr(SSHChannel, "_process_eow_at_openssh_dot_com_request")
    for ignored in (SSHConnection.pause_writing, SSHConnection.resume_writing):
        ignored(None)  # type: ignore[arg-type]  # it would fail if it looked at the connection


def test_a_packets_place_can_be_kept_and_put_back() -> None:
    packet = SSHPacket(Byte(7) + String(b"session") + UInt32(3))
    assert packet.get_byte() == 7
    place = packet._idx
    assert (packet.get_string(), packet.get_uint32()) == (b"session", 3)
    packet._idx = place
    assert packet.get_string() == b"session"


# Connections, over a socket.


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with listening() as running:
        yield running


async def test_t4_a_key_is_judged_as_it_came_and_proven_only_by_a_signature(server: Running) -> None:
    async with asyncio.timeout(20), server.connect():
        judge = server.judge
        known = ("somebody", CLIENT_KEY.public_data)
        assert set(judge.asked) == {known}
        assert judge.proven == [known]
        connection = judge.connection
        assert await connection.validate_public_key(*known, b"", b"")
        assert judge.proven == [known]


async def test_t5_a_signature_over_anything_else_proves_nothing(server: Running) -> None:
    async with asyncio.timeout(20), server.connect():
        judge, connection = server.judge, server.judge.connection
        judge.proven.clear()
        known = ("somebody", CLIENT_KEY.public_data)
        right = String(connection._session_id) + b"message"
        for signed, signature in (
            (b"another message", CLIENT_KEY.sign(right, b"ssh-ed25519")),
            (b"message", CLIENT_KEY.sign(b"message", b"ssh-ed25519")),
            (b"message", String(b"ssh-rsa") + String(b"")),
            (b"message", b"\xff\xff\xff\xff"),
        ):
            assert not await connection.validate_public_key(*known, signed, signature)
        assert judge.proven == []
        assert await connection.validate_public_key(
            *known, b"message", CLIENT_KEY.sign(right, b"ssh-ed25519")
        )
        assert judge.proven == [known]


async def test_a_key_that_is_refused_opens_nothing_and_there_is_an_end_to_trying(server: Running) -> None:
    server.judge.accepts = False
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(Limits().auth_tries + 8)]
    with pytest.raises(asyncssh.Error, match="Too many authentication failures"):
        async with asyncio.timeout(20):
            await server.connect(client_keys=keys)
    assert len(server.judge.asked) <= Limits().auth_tries + 1
    assert server.judge.proven == []


async def test_a_writer_waits_while_the_transport_is_full(server: Running) -> None:
    async with asyncio.timeout(20), server.connect():
        connection = server.judge.connection
        await connection.room()
        connection.pause_writing()
        waiting = asyncio.get_running_loop().create_task(connection.room())
        await asyncio.sleep(0.02)
        assert not waiting.done()
        connection.resume_writing()
        await waiting
        connection.pause_writing()
        waiting = asyncio.get_running_loop().create_task(connection.room())
        connection.abort()
        await waiting  # nobody waits for a connection that is gone


async def test_the_transport_pauses_a_connection_whose_client_does_not_read(server: Running) -> None:
    """asyncio calls pause_writing on the protocol, which is the connection itself."""
    async with asyncio.timeout(20), server.connect() as client:
        connection = server.judge.connection
        client._transport.pause_reading()
        while connection._room.is_set():
            connection.send_packet(MSG_GLOBAL_REQUEST, String(b"x" * 30_000), b"\0")
        client.abort()
        await server.judge.lost.wait()


async def test_the_peer_is_the_clients_socket_and_inside_a_jump_the_outer_ones(server: Running) -> None:
    async with asyncio.timeout(20), server.connect():
        outer = server.judge.connection
        assert outer.peer == "127.0.0.1"
        inner = ServerConnection(asyncio.get_running_loop(), OPTIONS, Judge, limits=Limits(), outer=outer)
        assert inner.peer == "127.0.0.1"


async def test_each_connection_has_the_server_object_of_its_own_factory(server: Running) -> None:
    async with asyncio.timeout(20), server.connect():
        assert server.judge.connection._owner is server.judge


async def test_no_ignore_packet_goes_before_each_packet(server: Running) -> None:
    async with asyncio.timeout(20), server.connect() as client:
        seen: list[int] = []
        client._packet_handlers = {**client._packet_handlers, MSG_IGNORE: lambda *_: seen.append(MSG_IGNORE)}
        server.judge.connection.send_packet(MSG_IGNORE, String(b"x"))
        answer = asyncio.ensure_future(ask(client, "x"))
        (await server.session).verdict.set_result(True)
        (await answer).close()
        assert seen == []


async def test_t18_channels_of_tiny_packets_and_channels_too_many_are_refused(server: Running) -> None:
    async with asyncio.timeout(20), server.connect() as client:
        with pytest.raises(asyncssh.ChannelOpenError, match="packets of fewer than"):
            await client.create_process("x", max_pktsize=MINIMUM_PACKET_BYTES - 1)
        server.judge.connection.maximum_channels = 0
        with pytest.raises(asyncssh.ChannelOpenError, match="no more than 0 channels"):
            await client.create_process("x")


async def test_nothing_but_public_keys_is_offered(server: Running) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        async with asyncio.timeout(20):
            await server.connect(client_keys=None, password="anything", preferred_auth="password")
    assert server.judge.asked == []


async def test_no_configuration_is_matched_for_a_user(server: Running) -> None:
    async with asyncio.timeout(20), server.connect():
        connection = server.judge.connection
        options = dict(vars(connection._options))
        await connection.reload_config()
        assert vars(connection._options) == options
    assert inspect.iscoroutinefunction(SSHServerConnection.reload_config)


async def test_whoever_let_a_connection_in_is_told_what_becomes_of_it(server: Running) -> None:
    told: list[str] = []
    guest = SimpleNamespace(tried=lambda: told.append("tried"), closed=lambda: told.append("closed"))
    connected = server.connect(client_keys=[asyncssh.generate_private_key("ssh-ed25519"), CLIENT_KEY])
    async with asyncio.timeout(20), connected as client:
        connection = server.judge.connection
        connection.guest = guest
        connection._auth_tries = Limits().auth_tries - 1
        connection._count_try()
        with pytest.raises(OverLimit, match="Too many authentication failures"):
            connection._count_try()
        client.abort()
        await server.judge.lost.wait()
        await asyncio.sleep(0)
    assert told == ["tried", "tried", "closed"]


async def test_a_packet_cut_short_is_the_peers_fault(server: Running) -> None:
    async with asyncio.timeout(20), server.connect() as client:
        client.send_packet(MSG_GLOBAL_REQUEST, String(b"\xff") + b"\1")
        await server.judge.lost.wait()
        assert isinstance(server.judge.why, asyncssh.ProtocolError)


@pytest.mark.parametrize(
    ("version", "wanted", "chosen"),
    [
        ("OpenSSH_9.2p1", ["aes128-ctr", "aes128-gcm@openssh.com"], "aes128-gcm@openssh.com"),
        ("paramiko_2.12.0", ["aes128-ctr", "aes128-cbc"], "aes128-ctr"),
        ("libssh_0.10", ["aes256-gcm@openssh.com", "aes128-ctr"], "aes256-gcm@openssh.com"),
    ],
)
async def test_t17_only_clients_other_than_openssh_are_offered_ctr(
    server: Running, version: str, wanted: list[str], chosen: str
) -> None:
    async with asyncio.timeout(20), server.connect(client_version=version, encryption_algs=wanted) as client:
        assert client.get_extra_info("send_cipher") == chosen
    with pytest.raises(asyncssh.KeyExchangeFailed):
        async with server.connect(client_version=version, encryption_algs=["aes128-cbc"]):
            pass


async def test_a_wrong_guess_at_the_key_exchange_is_passed_over(server: Running, tmp_path: Path) -> None:
    """Dropbear's client guesses its own first choice, which is not ours, and sends the right packet after it."""
    server.judge.accepts = False
    CLIENT_KEY.write_private_key(str(tmp_path / "openssh"))
    convert = ("dropbearconvert", "openssh", "dropbear", str(tmp_path / "openssh"), str(tmp_path / "key"))
    login = (
        "dbclient",
        "-y",
        "-y",
        "-i",
        str(tmp_path / "key"),
        "-p",
        str(server.port),
        "bot@127.0.0.1",
        "true",
    )
    for words in (convert, login):
        run = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
        _, said = await asyncio.wait_for(run.communicate(), 20)
    assert b"No auth methods could be used" in said
    assert server.judge.asked[0][0] == "bot"
