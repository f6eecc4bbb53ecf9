"""Record one live session: append events, then close and seal.

In      events as they happen, from any number of channels
Out     futures that are done once the events are committed (law L1)
Errors  StoreError once, for the commit that failed; SessionBroken for every append after it (law L2)
Source  docs/recording-format.md
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from recorder.chunk import Chunk, ChunkWriter
from recorder.errors import SessionBroken
from recorder.events import Event, Kind, weight
from recorder.jobs import Landed
from recorder.recovery import close_interrupted
from recorder.rows import insert_chunk, is_sealed, seal_session, write_row
from recorder.store import Store, Transaction
from recorder.summary import State, Summary
from recorder.tail import Tail

NEVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Who is on what: the first event of every recording. `started_us` is microseconds since 1970."""

    id: str
    identity: str
    owner: str
    target: str
    login: str
    started_us: int
    claims: Mapping[str, str]
    certificate: Mapping[str, Any]
    peer: str
    owner_is_person: bool = False


class Recording:
    """One session on its way into the store. Appends are committed in the order in which they are called.

    `veil` may put other events in the place of those that are to be recorded; `ahead` may do before, off the loop, what
    takes it long. `tail` has the last lines of them.
    """

    def __init__(self, store: Store, header: Header) -> None:
        self.header = header
        self.id = header.id
        self.content_bytes = 0
        self.closed = False
        self.sealed = False
        self.tail = Tail()
        self._store = store
        self._writer = ChunkWriter(header.id, store.signer)
        self._summary = Summary(id=header.id)
        self._bytes_in = 0
        self._bytes_out = 0
        self._last_at_us = 0
        self._commits = 0
        self._undone = NEVER  # the first commit that was lost: none that follows it may be kept
        self._busy = False
        self.veil: Callable[[Sequence[Event]], Sequence[Event]] = lambda events: events
        self.ahead: Callable[[Sequence[Event]], Awaitable[None] | None] = lambda _events: None

    @property
    def passed_bytes(self) -> int:
        """How many bytes went through, both ways."""
        return self._bytes_in + self._bytes_out

    def at_us(self) -> int:
        """Return the time now, in microseconds since the session began."""
        return max(0, self._store.now_us() - self.header.started_us)

    def event(self, kind: Kind, channel: int = 0, data: bytes = b"", **detail: Any) -> Event:
        """Return an event that happens now."""
        return Event(self.at_us(), kind, channel, data, detail)

    async def open(self) -> None:
        """Commit the session's first event, its row and its entry on the audit chain."""
        first = self.event(Kind.OPEN, **msgspec.to_builtins(self.header))

        def work(transaction: Transaction, chunk: Chunk) -> None:
            transaction.audit(
                "session.opened",
                {
                    "session": self.id,
                    "identity": self.header.identity,
                    "owner": self.header.owner,
                    "target": self.header.target,
                    "login": self.header.login,
                    "first": chunk.hash.hex(),
                },
            )

        await self._commit([first], work)

    async def append(
        self,
        events: Sequence[Event],
        *,
        bytes_in: int = 0,
        bytes_out: int = 0,
        landed: Landed | None = None,
    ) -> None:
        """Commit events, and how many bytes they let pass each way; raise StoreError or SessionBroken.

        What goes on by `landed`, as of `begin`, does so in the order of the record; whoever awaits this comes later.
        """
        if not events:
            return
        if (done := self.ahead(events)) is not None:
            await done
        await self.begin(events, bytes_in=bytes_in, bytes_out=bytes_out, landed=landed)

    def rest(self) -> bool:
        """Let go of what only a busy session needs, if nothing was appended since the last call; say if it did."""
        quiet = not self._busy
        self._busy = False
        return quiet and self._writer.rest()

    def begin(
        self,
        events: Sequence[Event],
        *,
        bytes_in: int = 0,
        bytes_out: int = 0,
        landed: Landed | None = None,
    ) -> asyncio.Future[None]:
        """Let events (at least one) be committed; the future is done once they are.

        `landed` is called first, in the same step of the loop, as of Store.submit.
        Raise SessionBroken or StoreClosed; the future gets StoreError or SessionBroken.
        """
        self._busy = True
        events = self.veil(events)
        self.content_bytes += sum(weight(event) for event in events)
        self.tail.add(events)
        return self._commit(events, bytes_in=bytes_in, bytes_out=bytes_out, landed=landed)

    async def close(self, reason: str) -> None:
        """Append the last event and seal; after a failed commit, seal what was committed as interrupted.

        Raise StoreError or SessionBroken; may be called again until `sealed`.
        """

        def work(transaction: Transaction) -> None:
            if is_sealed(transaction, self.id):
                return
            if self._undone < NEVER:
                close_interrupted(transaction, self.id, reason)
                return
            last = Event(
                max(self._last_at_us, self.at_us()),
                Kind.CLOSE,
                detail={
                    "state": State.CLOSED.value,
                    "reason": reason,
                    "bytes_in": self._bytes_in,
                    "bytes_out": self._bytes_out,
                },
            )
            self._summary.apply(last)
            chunk = self._writer.pack([last], bytes_in=self._bytes_in, bytes_out=self._bytes_out)
            insert_chunk(transaction, chunk)
            seal_session(transaction, self._summary, chunk)

        self.closed = True
        await self._submit(work)
        self.sealed = True

    def _pack(self, events: Sequence[Event]) -> tuple[Chunk, bool]:
        """Return the next chunk, times made never decreasing, and whether the session's row changes with it."""
        ordered: list[Event] = []
        changed = False
        for event in events:
            if event.at_us < self._last_at_us:
                event = msgspec.structs.replace(event, at_us=self._last_at_us)
            self._last_at_us = event.at_us
            changed |= self._summary.apply(event)
            ordered.append(event)
        return self._writer.pack(ordered, bytes_in=self._bytes_in, bytes_out=self._bytes_out), changed

    def _mark_undone(self, number: int) -> None:
        """Remember, on the writer thread, from where on the chain in memory is ahead of the one on disk."""
        self._undone = min(self._undone, number)

    def _commit(
        self,
        events: Sequence[Event],
        beside: Callable[[Transaction, Chunk], None] = lambda _transaction, _chunk: None,
        *,
        bytes_in: int = 0,
        bytes_out: int = 0,
        landed: Landed | None = None,
    ) -> asyncio.Future[None]:
        """Commit the next chunk; it is packed before the transaction, where that keeps no other process waiting."""
        packed: list[tuple[Chunk, bool]] = []

        def prepare() -> None:
            self._check_whole(number)
            self._bytes_in += bytes_in
            self._bytes_out += bytes_out
            packed.append(self._pack(events))

        def work(transaction: Transaction) -> None:
            self._check_whole(number)
            ((chunk, changed),) = packed
            insert_chunk(transaction, chunk)
            if changed:
                write_row(transaction, self._summary, seal=None)
            beside(transaction, chunk)

        if self._undone < NEVER or self.closed:
            raise SessionBroken(f"session {self.id} takes no more events")
        number = self._commits + 1
        return self._submit(work, prepare, landed)

    def _check_whole(self, number: int) -> None:
        """Raise ValueError if a commit before this one was lost (on the writer thread)."""
        if self._undone < number:
            raise ValueError("an earlier commit of this session failed")

    def _submit(
        self,
        work: Callable[[Transaction], None],
        prepare: Callable[[], None] = lambda: None,
        landed: Landed | None = None,
    ) -> asyncio.Future[None]:
        self._commits += 1
        undone = partial(self._mark_undone, self._commits)
        return self._store.submit(work, undone=undone, fault=self._broken, prepare=prepare, landed=landed)

    def _broken(self, error: Exception) -> SessionBroken:
        return SessionBroken(f"session {self.id} cannot be recorded: {error}")
