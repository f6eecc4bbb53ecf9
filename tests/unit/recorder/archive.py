"""Build small evidence databases for tests, and alter them as somebody with write access would."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.events import Event, Kind
from recorder.recording import Header, Recording
from recorder.recovery import checkpoint, recover
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store
from recorder.verify import Report, verify

CLOSED, INTERRUPTED, OPEN = (f"01JD{number:022d}" for number in (1, 2, 3))


class Ticking:
    """A clock that moves a millisecond each time it is read."""

    def __init__(self) -> None:
        self.us = 1_700_000_000_000_000

    def __call__(self) -> int:
        self.us += 1_000
        return self.us


def header(store: Store, session: str = CLOSED, **changes: Any) -> Header:
    """Return who is on what, for a session of a test."""
    fields: dict[str, Any] = {
        "id": session,
        "identity": "orders-deployer",
        "owner": "dana@acme.example",
        "target": "web-1",
        "login": "deploy",
        "started_us": store.now_us(),
        "claims": {"repository": "acme/orders", "run_id": "42"},
        "certificate": {"serial": 7},
        "peer": "127.0.0.1",
    }
    return Header(**{**fields, **changes})


async def begin(store: Store, session: str = CLOSED, *, outputs: int = 3, **changes: Any) -> Recording:
    """Open a session that asks for a command and gets some output."""
    recording = Recording(store, header(store, session, **changes))
    await recording.open()
    await recording.append([recording.event(Kind.REQUEST, 1, b"./deploy.sh", access="exec", pty=False)])
    for number in range(outputs):
        data = b"line %d of %s\n" % (number, session.encode())
        await recording.append([recording.event(Kind.OUTPUT, 1, data)], bytes_out=len(data))
    return recording


async def finish(recording: Recording) -> None:
    """End a session as one whose command ended and whose bot left."""
    await recording.append([recording.event(Kind.EXIT, 1, status=3)])
    await recording.close("the bot disconnected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A database with a closed, an interrupted and an open session, and the key that sealed it."""

    path: Path
    signer: Signer
    head: tuple[int, str]

    @property
    def keys(self) -> KeySet:
        return KeySet.of(self.signer)

    def copy(self, folder: Path) -> Path:
        """Return a copy that may be altered."""
        return Path(shutil.copy(self.path, folder / "copy.sqlite"))

    def altered(self, folder: Path, sql: str, *values: Any) -> Path:
        """Return a copy on which one statement was run that changed something."""
        path = self.copy(folder)
        alter(path, sql, *values)
        return path

    def verified(self, path: Path, **options: Any) -> Report:
        """Verify a copy with this archive's public key."""
        return verify(path, self.keys, **options)


def alter(path: Path, sql: str, *values: Any) -> None:
    """Run one statement on the file behind the recorder's back; it must change something."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        changed = connection.execute(sql, values).rowcount
    finally:
        connection.close()
    assert changed != 0, "the test altered nothing"


def run_on(path: Path, signer: Signer, work: Callable[[Store], Any]) -> None:
    """Open the store with a key, run a coroutine function on it, and close it."""
    store = Store(path, signer, now_us=Ticking())
    try:
        asyncio.run(work(store))
    finally:
        store.close()


def build(folder: Path) -> Archive:
    """Make an archive in a folder."""
    signer = Signer(generate_seal_key())
    path = folder / "recordings.sqlite"
    clock = Ticking()

    async def first(store: Store) -> None:
        await store.audit("service.started", {"listen": ["127.0.0.1:2222"]})
        cut = await begin(store, INTERRUPTED)
        whole = await begin(store, CLOSED)
        await store.commit(lambda transaction: checkpoint(transaction, [cut.id, whole.id], {}))
        await cut.append([Event(900_000, Kind.OUTPUT, 1, b"after the checkpoint\n")], bytes_out=21)
        await finish(whole)

    async def second(store: Store) -> tuple[int, str]:
        store.run_now(lambda transaction: recover(transaction, KeySet.of(signer), "the bastion stopped"))
        await begin(store, OPEN)
        await store.audit("evidence.read", {"by": "dana", "command": "sessions"})
        entry = await store.audit("evidence.read", {"by": "dana", "command": "show"})
        return entry.seq, entry.hash

    store = Store(path, signer, now_us=clock)
    asyncio.run(first(store))
    store.close()
    store = Store(path, signer, now_us=clock)
    head = asyncio.run(second(store))
    store.close()
    return Archive(path=path, signer=signer, head=head)


def where(report: Report) -> set[str]:
    """Return what a report finds fault with."""
    return {problem.where for problem in report.problems}


def said(report: Report) -> str:
    """Return a report's problems, one a line."""
    return "\n".join(f"{problem.where}: {problem.what}" for problem in report.problems)
