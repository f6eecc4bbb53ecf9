"""A little that comes while nothing is under way goes to the recorder at once, and by the same laws."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.ends import Outcome
from bastion.inbox import Data
from bastion.quota import QuotaExceeded
from bastion.relay import STRAIGHT_BYTES
from recorder.events import Kind
from tests.unit.bastion.relay_ends import open_recording, open_store
from tests.unit.bastion.test_relay import DONE, PLENTY, Scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    store = open_store(tmp_path)
    yield Scene(await open_recording(store), store)
    store.close()


async def end(scene: Scene, task: asyncio.Task[Outcome]) -> None:
    for item in DONE:
        scene.far.inbox.put(item)
    await task


async def test_l1_a_little_is_with_the_recorder_in_the_step_in_which_it_came(scene: Scene) -> None:
    task = scene.start()
    await asyncio.sleep(0.01)
    before = scene.recording.content_bytes
    scene.near.inbox.put(Data(b"ls\n"))
    scene.far.inbox.put(Data(b"$ "))
    assert scene.recording.content_bytes >= before + len(b"ls\n$ ")
    assert (scene.far.got, scene.near.out) == (b"", b"")
    before = scene.recording.content_bytes
    for piece in (b"one", b"two"):  # while the first is under way: they go together, after it
        scene.near.inbox.put(Data(piece))
    scene.far.inbox.put(Data(b"x" * (STRAIGHT_BYTES + 1)))
    assert scene.recording.content_bytes == before
    await scene.until(lambda: scene.far.got == b"ls\nonetwo" and len(scene.near.out) == STRAIGHT_BYTES + 3)
    assert [event.data for event in scene.events(Kind.INPUT)] == [b"ls\n", b"onetwo"]
    await end(scene, task)


async def test_a_little_waits_too_where_there_is_no_room(scene: Scene) -> None:
    task = scene.start()
    await asyncio.sleep(0.01)
    scene.far.taking.clear()
    for piece in (b"a", b"b", b"c"):
        scene.near.inbox.put(Data(piece))
        await asyncio.sleep(0.02)
    assert scene.far.got == b"a"  # that it takes no more was not known before
    scene.far.taking.set()
    await scene.until(lambda: scene.far.got == b"abc")
    await end(scene, task)


async def test_l2_after_a_failure_nothing_more_goes_to_the_recorder(scene: Scene) -> None:
    task = scene.start()
    await asyncio.sleep(0.01)
    scene.relay.quota.limit_bytes = scene.recording.content_bytes
    scene.near.inbox.put(Data(b"too much"))
    before = scene.recording.content_bytes
    scene.relay.quota.limit_bytes = PLENTY
    for end in (scene.near, scene.far):
        end.inbox.put(Data(b"later"))
    assert scene.recording.content_bytes == before
    with pytest.raises(QuotaExceeded):
        await task
    assert (scene.far.got, scene.near.out) == (b"", b"")
