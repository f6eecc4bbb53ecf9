"""The relay passes bytes on unaltered, in order, and never before they are recorded."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.ends import Outcome
from bastion.inbox import Closed, Data, Eof, Exited, Item, OutputUnwanted, Resize, Signal
from bastion.quota import Quota, QuotaExceeded
from bastion.relay import BATCH_BYTES, Relay
from bastion.transfer import ScpTap, Tap, parse_scp_command
from recorder.errors import RecorderError
from recorder.events import Event, Kind
from recorder.recording import Recording
from recorder.store import Store
from tests.unit.bastion.relay_ends import Committed, Far, Near, open_recording, open_store

PLENTY = 1 << 30
DONE = (Exited(status=0), Closed())


class Scene:
    """A relay between two ends."""

    def __init__(
        self, recording: Recording, store: Store, *, quota: Quota | None = None, tap: Tap | None = None
    ) -> None:
        self.committed = Committed(recording, store)
        checked = (
            self.committed if tap is None and quota is None else None
        )  # they do not record bytes one to one
        self.near, self.far = Near(checked), Far(checked)
        self.recording = recording
        self.relay = Relay(
            bot=self.near,
            target=self.far,
            recording=recording,
            channel=1,
            quota=quota or Quota(limit_bytes=PLENTY, digest_only=False),
            tap=tap,
        )

    async def run(self, from_bot: Sequence[Item] = (), from_target: Sequence[Item] = ()) -> Outcome:
        """Relay what each end has to say, all of it there from the start."""
        for item in from_bot:
            self.near.inbox.put(item)
        for item in from_target:
            self.far.inbox.put(item)
        return await self.go_on()

    async def go_on(self) -> Outcome:
        async with asyncio.timeout(20):
            return await self.relay.run()

    def start(self) -> asyncio.Task[Outcome]:
        return asyncio.get_running_loop().create_task(self.go_on())

    async def until(self, look: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(20):
            while not look():
                await asyncio.sleep(0.002)

    def events(self, *kinds: Kind) -> list[Event]:
        return [event for event in self.committed.events() if not kinds or event.kind in kinds]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
async def scene(store: Store) -> Scene:
    return Scene(await open_recording(store), store)


# Bytes.


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """Cut bytes at these places."""
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[begin:end] for begin, end in pairwise(places)]


cuts = st.lists(st.integers(0, 1 << 16), max_size=8)
output = st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=60)), max_size=8)


@settings(max_examples=40, deadline=None)
@given(said=st.binary(max_size=200), said_at=cuts, answered=output, answered_at=cuts)
def test_l1_l3_any_split_gives_the_same_bytes_and_each_is_recorded_first(
    said: bytes, said_at: list[int], answered: list[tuple[bool, bytes]], answered_at: list[int]
) -> None:
    """Both ends look into the database each time something reaches them: it must be there."""

    async def story(folder: Path) -> None:
        store = open_store(folder)
        scene = Scene(await open_recording(store), store)
        from_bot = [*(Data(piece) for piece in cut(said, said_at)), Eof()]
        from_target = [Data(piece, error) for error, data in answered for piece in cut(data, answered_at)]
        task = scene.start()
        for item in from_bot:
            scene.near.inbox.put(item)
            await asyncio.sleep(0)
        await scene.until(lambda: scene.far.acts == ["eof"])
        outcome = await _answer(scene, task, [*from_target, Eof(), *DONE])
        out = b"".join(data for error, data in answered if not error)
        err = b"".join(data for error, data in answered if error)
        assert (scene.far.got, scene.near.out, scene.near.err) == (said, out, err)
        assert outcome == Outcome(exited=Exited(status=0))
        assert [scene.committed.data(kind) for kind in (Kind.INPUT, Kind.OUTPUT, Kind.ERROR)] == [
            said,
            out,
            err,
        ]
        assert scene.near.acts == ["eof", Exited(status=0)]
        scene.committed.close()
        store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))


async def _answer(scene: Scene, task: asyncio.Task[Outcome], items: list[Item]) -> Outcome:
    for item in items:
        scene.far.inbox.put(item)
        await asyncio.sleep(0)
    return await task


async def test_output_and_errors_keep_the_order_in_which_they_came(scene: Scene) -> None:
    pieces = [Data(b"1"), Data(b"2", error=True), Data(b"3", error=True), Data(b"4"), Data(b"5")]
    await scene.run([], [*pieces, *DONE])
    told = [(event.kind, event.data) for event in scene.events(Kind.OUTPUT, Kind.ERROR)]
    assert told == [(Kind.OUTPUT, b"1"), (Kind.ERROR, b"23"), (Kind.OUTPUT, b"45")]


async def test_what_lies_together_is_committed_together(scene: Scene) -> None:
    await scene.run([], [*(Data(b"x" * 100) for _ in range(500)), *DONE])
    assert [len(event.data) for event in scene.events(Kind.OUTPUT)] == [50_000]


async def test_what_lies_together_is_joined_as_far_as_one_batch_goes_and_a_long_piece_is_cut(
    scene: Scene,
) -> None:
    items = [Data(bytes([number]) * 200_000) for number in range(5)]
    long = Data(b"x" * (2 * BATCH_BYTES + 1))
    await scene.run([], [*items, long, *DONE])
    told = [event.data for event in scene.events(Kind.OUTPUT)]
    assert [len(data) for data in told] == [400_000, 400_000, 200_000, BATCH_BYTES, BATCH_BYTES, 1]
    assert b"".join(told) == b"".join(item.data for item in [*items, long])


async def test_t27_an_end_that_takes_no_more_does_not_hold_back_what_it_sends(scene: Scene) -> None:
    """`cat` with much to pass: it reads on once somebody has taken what it wrote."""
    scene.far.taking.clear()
    task = scene.start()
    scene.near.inbox.put(Data(b"more than it takes"))
    await scene.until(lambda: scene.far.got == b"more than it takes")
    for piece in (b"one", b"two"):
        scene.far.inbox.put(Data(piece))
        await scene.until(lambda so_far=piece: scene.near.out.endswith(so_far))
    scene.far.taking.set()
    scene.near.taking.clear()
    scene.far.inbox.put(Data(b"three"))
    await scene.until(lambda: scene.near.out == b"onetwothree")
    scene.near.inbox.put(Data(b", and more"))
    await scene.until(lambda: scene.far.got == b"more than it takes, and more")
    scene.near.taking.set()
    await _answer(scene, task, list(DONE))


# Everything else that crosses.


async def test_resizes_signals_and_the_end_of_input_are_recorded_and_cross_in_order(scene: Scene) -> None:
    size = Resize(120, 40, 960, 800)
    task = scene.start()
    for item in (Data(b"a"), size, Signal("TERM"), Data(b"b"), Eof(), Signal("KILL")):
        scene.near.inbox.put(item)
    await scene.until(lambda: scene.far.acts == [size, "TERM", "eof", "KILL"])
    assert scene.far.got == b"ab"
    await _answer(scene, task, list(DONE))
    kinds = [event.kind for event in scene.events()][1:-1]
    assert kinds == [Kind.INPUT, Kind.RESIZE, Kind.SIGNAL, Kind.INPUT, Kind.EOF, Kind.SIGNAL]
    assert scene.events(Kind.RESIZE)[0].detail.items() >= {"cols": 120, "rows": 40}.items()
    assert scene.events(Kind.SIGNAL)[0].detail == {"name": "TERM"}


async def test_t27_a_reader_that_has_gone_is_recorded_and_told_to_the_target(scene: Scene) -> None:
    task = scene.start()
    scene.near.inbox.put(OutputUnwanted())
    await scene.until(lambda: scene.far.acts == ["stop output"])
    outcome = await _answer(scene, task, [Exited(signal="PIPE"), Closed()])
    assert outcome.exited == Exited(signal="PIPE")
    assert scene.events(Kind.EOF)[0].detail == {"side": "client", "of": "output"}


@pytest.mark.parametrize(
    ("exited", "detail"),
    [
        (Exited(status=0), {"status": 0}),
        (Exited(status=255), {"status": 255}),
        (
            Exited(signal="SEGV", core=True, message="crashed"),
            {"signal": "SEGV", "core": True, "message": "crashed"},
        ),
    ],
)
async def test_how_the_command_ended_is_recorded_and_passed_on(
    scene: Scene, exited: Exited, detail: dict[str, object]
) -> None:
    assert await scene.run([], [exited, Closed()]) == Outcome(exited=exited)
    assert scene.near.acts == [exited]
    assert scene.events(Kind.EXIT)[0].detail == detail


async def test_a_status_waits_for_the_output_that_came_after_it(scene: Scene) -> None:
    """asyncssh tells the status before output that it still holds: the channel's end is what counts."""
    task = scene.start()
    scene.far.inbox.put(Exited(status=3))
    scene.far.inbox.put(Data(b"late"))
    await scene.until(lambda: scene.near.out == b"late")
    assert scene.near.acts == []
    assert (await _answer(scene, task, [Closed()])).exited == Exited(status=3)


async def test_a_target_that_closes_without_a_word_leaves_the_bot_to_be_told(scene: Scene) -> None:
    assert await scene.run([], [Data(b"half"), Closed()]) == Outcome(exited=None)
    assert (scene.near.out, scene.near.acts) == (b"half", [])
    assert scene.events(Kind.EXIT) == []


async def test_t27_a_bot_that_is_gone_ends_the_targets_channel_at_once(scene: Scene) -> None:
    outcome = await scene.run([Data(b"half"), Closed()])
    assert outcome == Outcome(exited=None, bot_gone=True)
    assert (scene.far.got, scene.far.acts) == (b"half", ["abort"])


async def test_t27_a_bot_that_has_closed_and_waits_hears_how_its_command_ended(scene: Scene) -> None:
    task = scene.start()
    for item in (Data(b"last"), Closed(waits=True)):
        scene.near.inbox.put(item)
    await scene.until(lambda: scene.far.acts == ["close"])
    assert scene.far.got == b"last"
    outcome = await _answer(scene, task, [Exited(status=9), Closed()])
    assert outcome == Outcome(exited=Exited(status=9))
    assert scene.near.acts == [Exited(status=9)]


async def test_t27_a_bot_that_waited_and_then_vanished_ends_it_all(scene: Scene) -> None:
    outcome = await scene.run([Closed(waits=True), Closed()])
    assert outcome.bot_gone
    assert scene.far.acts == ["close", "abort"]


# When recording fails or is full.


async def test_l2_what_cannot_be_recorded_reaches_nobody(scene: Scene, store: Store) -> None:
    task = scene.start()
    store._connection.execute("PRAGMA query_only = ON")
    scene.far.inbox.put(Data(b"unrecorded"))
    with pytest.raises(RecorderError):
        await task
    store._connection.execute("PRAGMA query_only = OFF")
    assert (scene.near.out, scene.near.acts) == (b"", [])


async def test_l2_input_that_cannot_be_recorded_does_not_reach_the_target(scene: Scene, store: Store) -> None:
    task = scene.start()
    store._connection.execute("PRAGMA query_only = ON")
    scene.near.inbox.put(Data(b"rm -rf /"))
    with pytest.raises(RecorderError):
        await task
    store._connection.execute("PRAGMA query_only = OFF")
    assert (scene.far.got, scene.far.acts) == (b"", [])


async def test_past_the_quota_nothing_more_passes(store: Store) -> None:
    recording = await open_recording(store)
    quota = Quota(limit_bytes=recording.content_bytes + 2000, digest_only=False)
    scene = Scene(recording, store, quota=quota)
    task = scene.start()
    scene.far.inbox.put(Data(b"a" * 100))
    await scene.until(lambda: scene.near.out == b"a" * 100)
    scene.far.inbox.put(Data(b"b" * 2000))
    with pytest.raises(QuotaExceeded, match="quota of"):
        await task
    assert scene.near.out == b"a" * 100
    assert scene.committed.data(Kind.OUTPUT) == b"a" * 100


async def test_past_the_quota_a_rule_may_let_bytes_pass_by_length_and_digest(store: Store) -> None:
    recording = await open_recording(store)
    quota = Quota(limit_bytes=recording.content_bytes, digest_only=True)
    scene = Scene(recording, store, quota=quota)
    task = scene.start()
    passed = b""
    for piece in (b"one", b"two", b"three"):
        scene.far.inbox.put(Data(piece))
        passed += piece
        await scene.until(lambda so_far=passed: scene.near.out == so_far)
        last = scene.events(Kind.DIGEST)[-1].detail
        assert last == {
            "stream": "output",
            "length": len(passed),
            "sha256": hashlib.sha256(passed).hexdigest(),
        }
    await _answer(scene, task, list(DONE))
    assert scene.committed.data(Kind.OUTPUT) == b""


# Files.


def scp(command: bytes) -> ScpTap:
    parsed = parse_scp_command(command)
    assert parsed
    return ScpTap(parsed)


async def test_a_file_is_recorded_by_its_digest_and_passes_whole(store: Store) -> None:
    scene = Scene(await open_recording(store), store, tap=scp(b"scp -t /srv"))
    task = scene.start()
    content = bytes(range(256)) * 40
    scene.far.inbox.put(Data(b"\0"))
    await scene.until(lambda: scene.near.out == b"\0")
    header = b"C0644 %d data\n" % len(content)
    scene.near.inbox.put(Data(header))
    await scene.until(lambda: scene.far.got == header)
    scene.far.inbox.put(Data(b"\0"))
    await scene.until(lambda: scene.near.out == b"\0\0")
    scene.near.inbox.put(Data(content + b"\0"))
    await scene.until(lambda: scene.far.got == header + content + b"\0")
    await _answer(scene, task, [Data(b"\0"), *DONE])
    assert scene.near.out == b"\0\0\0"
    closes = [event.detail for event in scene.events(Kind.FILE) if event.detail["op"] == "close"]
    assert [(it["path"], it["length"], it["sha256"], it["complete"]) for it in closes] == [
        ("/srv/data", len(content), hashlib.sha256(content).hexdigest(), True)
    ]
    assert all(content[:16] not in event.data for event in scene.events())


@pytest.mark.parametrize("way", ["gone", "cancelled"])
async def test_t27_a_file_that_was_cut_short_is_on_record_whatever_ended_it(store: Store, way: str) -> None:
    """The session cancels its relays when it ends: that must not lose what is known of a file."""
    scene = Scene(await open_recording(store), store, tap=scp(b"scp -t /srv"))
    task = scene.start()
    scene.far.inbox.put(Data(b"\0"))
    scene.near.inbox.put(Data(b"C0644 1000 data\n"))
    await scene.until(lambda: scene.far.got == b"C0644 1000 data\n")
    scene.far.inbox.put(Data(b"\0"))
    await scene.until(lambda: scene.near.out == b"\0\0")
    scene.near.inbox.put(Data(b"half"))
    await scene.until(lambda: scene.far.got == b"C0644 1000 data\nhalf")
    if way == "gone":
        scene.near.inbox.put(Closed())
        assert (await task).bot_gone
    else:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (close,) = [event.detail for event in scene.events(Kind.FILE) if event.detail["op"] == "close"]
    assert (close["length"], close["complete"]) == (4, False)
    assert close["sha256"] == hashlib.sha256(b"half").hexdigest()
