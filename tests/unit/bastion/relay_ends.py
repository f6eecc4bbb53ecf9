"""Both ends of a relay in memory, on a real recording: what each was given, and what the store held by then.

Out     Near (the bot's channel), Far (the target's), each with `acts`: what was done to it, in order
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bastion.inbox import Exited, Inbox, Resize
from recorder.events import Event, Kind
from recorder.evidence import Evidence
from recorder.recording import Header, Recording
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store

SIGNER = Signer(generate_seal_key())


def open_store(folder: Path) -> Store:
    """Make an evidence database whose clock ticks a microsecond at a time."""
    tick = iter(range(1_700_000_000_000_000, 1_800_000_000_000_000))
    return Store(folder / "recordings.sqlite", SIGNER, now_us=lambda: next(tick))


async def open_recording(store: Store) -> Recording:
    """Begin a session's recording."""
    header = Header(
        id="01JD0000000000000000000001",
        identity="orders-deployer",
        owner="dana@acme.example",
        target="web-1",
        login="deploy",
        started_us=store.now_us(),
        claims={},
        certificate={},
        peer="192.0.2.1",
    )
    recording = Recording(store, header)
    await recording.open()
    return recording


class Committed:
    """What another process would find in the database at this moment."""

    def __init__(self, recording: Recording, store: Store) -> None:
        self._id = recording.id
        self._evidence = Evidence(store.path, KeySet.of(SIGNER))

    def events(self) -> list[Event]:
        return list(self._evidence.events(self._id))

    def data(self, kind: Kind) -> bytes:
        return b"".join(event.data for event in self.events() if event.kind is kind)

    def close(self) -> None:
        self._evidence.close()


class Near:
    """The bot's end. With `committed` it checks law L1 at each thing that reaches it."""

    def __init__(self, committed: Committed | None = None) -> None:
        self.inbox = Inbox()
        self.acts: list[Any] = []
        self.out = b""
        self.err = b""
        self.taking = asyncio.Event()
        self.taking.set()
        self._committed = committed

    async def write(self, data: bytes, *, error: bool = False) -> None:
        self.send(data, error=error)
        await self.room()

    def has_room(self) -> bool:
        return self.taking.is_set()

    async def room(self) -> None:
        await self.taking.wait()

    def send(self, data: bytes, *, error: bool = False) -> None:
        if error:
            self.err += data
        else:
            self.out += data
        if self._committed is not None:
            assert self._committed.data(Kind.ERROR if error else Kind.OUTPUT).startswith(
                self.err if error else self.out
            )

    def write_eof(self) -> None:
        self.acts.append("eof")

    def exit(self, exited: Exited) -> None:
        if self._committed is not None:
            assert self._committed.events()[-1].kind is Kind.EXIT
        self.acts.append(exited)

    def close(self) -> None:
        self.acts.append("close")


class Far:
    """The target's end. With `committed` it checks law L1 at each thing that reaches it."""

    def __init__(self, committed: Committed | None = None) -> None:
        self.inbox = Inbox()
        self.lost = ""
        self.acts: list[Any] = []
        self.got = b""
        self.taking = asyncio.Event()
        self.taking.set()
        self._committed = committed

    def has_room(self) -> bool:
        return self.taking.is_set()

    async def room(self) -> None:
        await self.taking.wait()

    def send(self, data: bytes) -> None:
        self.got += data
        if self._committed is not None:
            assert self._committed.data(Kind.INPUT).startswith(self.got)

    def write_eof(self) -> None:
        self._act("eof", Kind.EOF)

    def resize(self, size: Resize) -> None:
        self._act(size, Kind.RESIZE)

    def signal(self, name: str) -> None:
        self._act(name, Kind.SIGNAL)

    def stop_output(self) -> None:
        self._act("stop output", Kind.EOF)

    def close(self) -> None:
        self.acts.append("close")

    def abort(self) -> None:
        self.acts.append("abort")

    def _act(self, act: Any, recorded_as: Kind) -> None:
        self.acts.append(act)
        if self._committed is not None:
            assert self._committed.events()[-1].kind is recorded_as
