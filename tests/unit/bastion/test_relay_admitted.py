"""What was judged goes on, and is told, in the order of the record."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from bastion.inbox import Closed, Data, Exited
from bastion.inlet import Admitted
from bastion.quota import Quota
from recorder.events import Event, Kind
from tests.unit.bastion.relay_ends import open_recording, open_store
from tests.unit.bastion.test_relay import PLENTY, Scene


class Denies:
    """An inlet that denies what it is given."""

    def __init__(self, notice: Event) -> None:
        self._notice = notice

    async def take(self, _data: bytes) -> AsyncIterator[Admitted]:
        yield Admitted(events=(self._notice,), told=self._notice.data, shown=b"$ ", shut=True)

    async def end(self) -> AsyncIterator[Admitted]:
        return
        yield

    def watch(self, data: bytes) -> None: ...
    def resize(self, cols: int) -> None: ...


async def test_l1_a_denial_is_told_before_what_is_on_record_behind_it(tmp_path: Path) -> None:
    store, disk = open_store(tmp_path), threading.Event()
    recording = await open_recording(store)
    scene = Scene(recording, store, quota=Quota(limit_bytes=PLENTY, digest_only=False))
    scene.relay.inlet = Denies(recording.event(Kind.NOTICE, 1, b"denied\r\n"))
    task = scene.start()
    await asyncio.sleep(0.01)
    busy = store.submit(lambda _transaction: disk.wait(20))  # so that what follows lands in one step
    before = recording.content_bytes
    scene.near.inbox.put(Data(b"rm x\n"))
    await scene.until(lambda: recording.content_bytes > before)
    judged = recording.content_bytes
    scene.far.inbox.put(Data(b"late\n", error=True))
    await scene.until(lambda: recording.content_bytes > judged)
    assert (scene.near.err, scene.near.out) == (b"", b"")
    disk.set()
    await busy
    await scene.until(lambda: scene.near.acts == [] and scene.far.acts == ["eof"])
    assert b"".join(one.data for one in scene.events(Kind.NOTICE, Kind.ERROR)) == b"denied\r\nlate\n"
    assert (scene.near.err, scene.near.out) == (b"denied\r\nlate\n", b"$ ")
    for item in (Exited(status=0), Closed()):
        scene.far.inbox.put(item)
    await task
    scene.committed.close()
    store.close()
