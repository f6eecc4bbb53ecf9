"""An inbox keeps what arrives in order, and makes its sender wait while it holds much."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.inbox import INBOX_BYTES, Closed, Data, Eof, Exited, Inbox, Item, OutputUnwanted, Resize, Signal

WINDOW = 2 * 1024 * 1024  # asyncssh's


async def test_what_has_arrived_is_taken_at_once_and_in_order() -> None:
    inbox = Inbox()
    items: list[Item] = [
        Data(b"a"),
        Resize(80, 24, 0, 0),
        Data(b"b", error=True),
        Signal("INT"),
        OutputUnwanted(),
        Eof(),
        Exited(status=0),
        Closed(),
    ]
    for item in items:
        inbox.put(item)
    assert await inbox.take() == items


async def test_a_reader_waits_until_something_arrives() -> None:
    inbox = Inbox()
    reader = asyncio.get_running_loop().create_task(inbox.take())
    await asyncio.sleep(0)
    assert not reader.done()
    inbox.put(Data(b"at last"))
    async with asyncio.timeout(5):
        assert await reader == [Data(b"at last")]


async def test_a_reader_that_was_cancelled_loses_nothing() -> None:
    inbox = Inbox()
    reader = asyncio.get_running_loop().create_task(inbox.take())
    await asyncio.sleep(0)
    inbox.put(Data(b"kept"))
    reader.cancel()
    await asyncio.sleep(0)
    assert await inbox.take() == [Data(b"kept")]


async def test_the_end_is_seen_before_it_is_taken() -> None:
    inbox = Inbox()
    inbox.put(Eof())
    assert not inbox.closed.is_set()
    inbox.put(Closed())
    assert inbox.closed.is_set()


class Sender:
    """A channel as asyncssh has it: paused, it buffers; each delivery opens the window anew for all it received."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.buffer: list[bytes] = []
        self.window = WINDOW
        self.paused = False
        self.pauses = 0
        inbox.pause, inbox.resume = self.pause, self.resume

    @property
    def buffered(self) -> int:
        return sum(map(len, self.buffer))

    def pause(self) -> None:
        self.paused = True
        self.pauses += 1

    def resume(self) -> None:
        self.paused = False
        while self.buffer and not self.paused:
            self.deliver(self.buffer.pop(0))

    def deliver(self, data: bytes) -> None:
        if self.window < WINDOW / 2:
            self.window = WINDOW
        self.inbox.put(Data(data))

    def send(self, size: int) -> int:
        """Send as much as the window allows, and return how much that was."""
        data = bytes(min(size, self.window))
        if not data:
            return 0
        self.window -= len(data)
        if self.paused:
            self.buffer.append(data)
        else:
            self.deliver(data)
        return len(data)


def held(inbox: Inbox) -> int:
    return sum(len(item.data) for item in inbox._items if isinstance(item, Data))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(9_000, 40_000), min_size=1, max_size=12), st.integers(1, 12))
def test_l11_a_sender_that_never_stops_makes_the_inbox_hold_no_more_than_its_bound(
    sizes: list[int], takes: int
) -> None:
    """However fast it is: one window in the paused channel, and here INBOX_BYTES and a window."""

    async def story() -> None:
        inbox = Inbox()
        sender = Sender(inbox)
        sent = taken = 0
        for _ in range(takes):
            turn = 0
            while size := sender.send(sizes[turn % len(sizes)]):
                sent += size
                turn += 1
            assert sender.buffered <= WINDOW
            taken += sum(len(item.data) for item in await inbox.take() if isinstance(item, Data))
            assert held(inbox) <= INBOX_BYTES + WINDOW
        while taken < sent:
            taken += sum(len(item.data) for item in await inbox.take() if isinstance(item, Data))
        assert taken == sent
        assert not sender.paused
        assert sender.buffered == 0

    asyncio.run(story())


async def test_a_slow_sender_is_never_paused() -> None:
    inbox = Inbox()
    sender = Sender(inbox)
    for _ in range(200):
        sender.send(INBOX_BYTES // 2)
        await inbox.take()
    assert sender.pauses == 0


async def test_data_goes_straight_only_to_a_taker_that_waits_and_past_nothing_that_came_before() -> None:
    inbox = Inbox()
    straight: list[bytes] = []

    def takes(item: Data) -> bool:
        if len(item.data) > 3:
            return False
        straight.append(item.data)
        return True

    inbox.put(Data(b"1"))
    assert await inbox.take(takes) == [Data(b"1")]
    inbox.put(Data(b"2"))
    waiting = asyncio.ensure_future(inbox.take(takes))
    assert await waiting == [Data(b"2")]
    waiting = asyncio.ensure_future(inbox.take(takes))
    await asyncio.sleep(0)
    inbox.put(Data(b"3"))
    inbox.put(Data(b"long"))
    inbox.put(Data(b"4"))
    inbox.put(Eof())
    assert await waiting == [Data(b"long"), Data(b"4"), Eof()]
    assert straight == [b"3"]
    waiting = asyncio.ensure_future(inbox.take(takes))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    inbox.put(Data(b"5"))
    assert await inbox.take() == [Data(b"5")]
    assert straight == [b"3"]
