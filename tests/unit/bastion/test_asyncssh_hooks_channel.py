"""Channels of ours over a real socket: requests wait for a verdict, closes for how the command ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncssh
import pytest
from asyncssh.channel import SSHClientChannel
from asyncssh.packet import SSHPacket, String, UInt32

from bastion.adapters.asyncssh_hooks import Command, is_open, takes_requests, tell_output_unwanted
from tests.unit.bastion.hooked_server import Running, ask, asking, listening


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with listening() as running:
        yield running


async def test_a_request_waits_for_its_verdict_and_later_ones_wait_with_it(server: Running) -> None:
    async with asking(server, b"printf \xff\xfe", env={b"LC_NOTE": b"caf\xe9"}) as answer:
        session = await server.session
        await session.noted(("exec", b"printf \xff\xfe"))
        assert session.notes == [(b"LC_NOTE", b"caf\xe9"), ("exec", b"printf \xff\xfe")]
        await asyncio.sleep(0.05)
        assert not answer.done()
        session.verdict.set_result(True)
        process = await answer
        process.send_signal("TERM")
        await session.noted("TERM")
        process.stdin.write(b"in")
        await session.noted(b"in")
        session.channel.exit(4)
        assert (await process.wait()).exit_status == 4


async def test_what_comes_before_the_verdict_is_delivered_after_it(server: Running) -> None:
    async with asking(server, b"x") as answer:
        session = await server.session
        await session.noted(("exec", b"x"))
        session.channel._process_request(0, 0, SSHPacket(String(b"signal") + b"\0" + String(b"INT")))
        session.channel._process_data(0, 0, SSHPacket(String(b"early")))
        await asyncio.sleep(0.02)
        assert session.notes == [("exec", b"x")]
        session.verdict.set_result(True)
        await session.noted(b"early")
        assert "INT" in session.notes
        (await answer).close()


async def test_a_request_that_is_refused_is_answered_so(server: Running) -> None:
    async with asking(server, b"x") as answer:
        (await server.session).verdict.set_result(False)
        with pytest.raises(asyncssh.ChannelOpenError):
            await answer


async def test_a_second_request_on_a_channel_is_refused(server: Running) -> None:
    async with asking(server, b"x") as answer:
        session = await server.session
        session.verdict.set_result(True)
        process = await answer
        assert await process.channel._make_request(b"exec", String(b"again")) is False
        assert [note for note in session.notes if note[0] == "exec"] == [("exec", b"x")]


async def test_l3_an_empty_command_is_asked_for_as_a_command(server: Running) -> None:
    async with asking(server, b"") as answer:
        session = await server.session
        await session.noted(("exec", b""))
        session.verdict.set_result(True)
        (await answer).close()
    assert Command(b"")
    assert bytes(Command(b"x")) == b"x"


async def test_a_shell_and_a_subsystem_are_told_apart(server: Running) -> None:
    async with asyncio.timeout(20), server.connect() as client:
        for words, note in (({}, ("shell", b"")), ({"subsystem": "sftp"}, ("subsystem", b"sftp"))):
            before = len(server.judge.sessions)
            answer = asyncio.ensure_future(ask(client, **words))
            while len(server.judge.sessions) == before:
                await asyncio.sleep(0.002)
            session = await server.session
            await session.noted(note)
            session.verdict.set_result(True)
            (await answer).close()


async def test_t22_agent_and_x11_are_refused_and_noted(server: Running) -> None:
    async with asking(server, b"x") as answer:
        session = await server.session
        session.verdict.set_result(True)
        channel = (await answer).channel
        assert await channel._make_request(b"auth-agent-req@openssh.com") is False
        x11 = b"\0" + String(b"MIT-MAGIC-COOKIE-1") + String(b"00") + UInt32(0)
        assert await channel._make_request(b"x11-req", x11) is False
        assert {"agent", "x11"} <= set(map(str, session.notes))


async def test_t27_eow_is_heard_and_can_be_said(server: Running) -> None:
    async with asking(server, b"x") as answer:
        session = await server.session
        session.verdict.set_result(True)
        process = await answer
        assert isinstance(process.channel, SSHClientChannel)
        tell_output_unwanted(process.channel)
        await session.noted("output unwanted")


async def test_t27_a_close_is_answered_when_the_session_says_how_it_ended(server: Running) -> None:
    async with asking(server, b"x") as answer:
        session = await server.session
        session.verdict.set_result(True)
        process = await answer
        process.stdin.write(b"last words")
        process.channel.close()
        await session.noted("closed")
        assert session.notes.index(b"last words") < session.notes.index("closed")
        assert not is_open(session.channel)
        assert takes_requests(session.channel)
        await asyncio.sleep(0.05)
        assert "lost" not in session.notes
        assert process.channel._conn is not None
        session.channel.exit(9)
        await session.noted("lost")
        await process.channel.wait_closed()
        assert process.exit_status == 9


async def test_t27_a_close_waits_for_input_that_is_held_back(server: Running) -> None:
    async with asking(server, b"x") as answer:
        session = await server.session
        session.verdict.set_result(True)
        process = await answer
        session.channel.pause_reading()
        process.stdin.write(b"held")
        process.channel.close()
        while session.channel._recv_state == "open":
            await asyncio.sleep(0.002)
        assert "closed" not in session.notes
        session.channel.resume_reading()
        assert session.notes[-2:] == [b"held", "closed"]
        session.channel.abort()
        await session.noted("lost")


async def test_a_channel_that_is_closed_takes_nothing_more(server: Running) -> None:
    assert not is_open(None)
    assert not takes_requests(None)
    async with asking(server, b"x") as answer:
        session = await server.session
        session.verdict.set_result(True)
        channel = (await answer).channel
        assert is_open(channel)
        channel.write_eof()
        assert not is_open(channel)
        assert takes_requests(channel)
        channel.close()
        assert not takes_requests(channel)


async def test_a_signal_that_is_none_is_refused(server: Running) -> None:
    async with asking(server, b"x") as answer:
        session = await server.session
        session.verdict.set_result(True)
        process = await answer
        for name, known in ((b"TERM", True), (b"EXPLODE", False), (b"SIGTERM", False)):
            assert session.channel._process_signal_request(SSHPacket(String(name))) is known
        assert session.notes.count("TERM") == 1
        process.close()
