"""A link carries messages and open files in order, and what was sent before a death is heard before the death."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from bastion.workers.link import Link, Message, pair


class End:
    """One end, and what it hears."""

    def __init__(self, sock: socket.socket) -> None:
        self.heard: list[Message] = []
        self.files: list[int] = []
        self.lost = asyncio.Event()
        self.link = Link(sock, self._hear, self.lost.set)

    def _hear(self, message: Message, file: int | None) -> None:
        assert not self.lost.is_set()
        self.heard.append(message)
        if file is not None:
            self.files.append(file)

    async def until(self, amount: int) -> list[Message]:
        async with asyncio.timeout(20):
            while len(self.heard) < amount:
                await asyncio.sleep(0.01)
        return self.heard


@pytest.fixture
async def ends() -> Any:
    made = tuple(End(sock) for sock in pair())
    yield made
    for end in made:
        end.link.close()


async def test_messages_arrive_in_order_also_when_the_other_side_is_slow(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    asyncio.get_running_loop().remove_reader(theirs.link._sock)
    for number in range(5000):
        ours.link.send({"op": "opened", "number": number})
    assert ours.link.waiting > 0
    sent = asyncio.ensure_future(ours.link.sent())
    await asyncio.sleep(0.05)
    assert not sent.done()
    asyncio.get_running_loop().add_reader(theirs.link._sock, theirs.link._read)
    heard = await theirs.until(5000)
    await asyncio.wait_for(sent, 20)
    assert [message["number"] for message in heard] == list(range(5000))


async def test_an_open_file_comes_with_its_message_and_is_not_given_to_programs(
    ends: tuple[End, End],
) -> None:
    ours, theirs = ends
    reading, writing = os.pipe()
    ours.link.send({"op": "connection", "ticket": 1}, writing)
    ours.link.send({"op": "stop"})
    await theirs.until(2)
    (file,) = theirs.files
    assert not os.get_inheritable(file)
    os.write(file, b"it works")
    os.close(file)
    assert os.read(reading, 100) == b"it works"
    assert os.read(reading, 100) == b""  # the sender keeps none of its own
    os.close(reading)


SENDER = """\
import os, signal, socket, sys
sock = socket.socket(fileno=int(sys.argv[1]))
for number in range(100):
    sock.send(b'{"op":"opened","number":%d}' % number)
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_l2_what_a_process_said_before_it_was_killed_is_heard_and_then_its_end() -> None:
    ours, theirs = pair()
    end = End(ours)
    asyncio.get_running_loop().remove_reader(ours)  # nothing is heard until it is dead
    program = subprocess.Popen(
        [sys.executable, "-c", SENDER, str(theirs.fileno())], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    assert program.wait(timeout=20) == -9
    end.link.read_all()
    assert [message["number"] for message in end.heard] == list(range(100))
    assert end.lost.is_set()


async def test_a_link_that_is_lost_lets_nobody_wait_and_keeps_no_file_open(ends: tuple[End, End]) -> None:
    ours, theirs = ends
    asyncio.get_running_loop().remove_reader(theirs.link._sock)
    kept = [os.memfd_create("kept") for _ in range(3)]
    for _ in range(5000):
        ours.link.send({"op": "beat"})
    for file in kept:
        ours.link.send({"op": "connection"}, file)
    theirs.link.close()
    await asyncio.wait_for(ours.link.sent(), 20)
    await asyncio.wait_for(ours.lost.wait(), 20)
    late = os.memfd_create("late")
    ours.link.send({"op": "connection"}, late)
    for file in (*kept, late):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(file)
