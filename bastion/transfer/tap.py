"""Give every tap one shape: bytes in, bytes to pass on and events to record first.

In      bytes of either side
Out     Tapped, TapEvent
Holds   nothing between calls; see each tap for what it holds back
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from policies.facts import Facts
from recorder.events import Kind

Side = Literal["client", "target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TapEvent:
    """One thing to record: protocol bytes without file payload, or what happened to a file.

    A protocol event whose detail says `released: False` holds bytes that were never passed on.
    """

    kind: Kind
    data: bytes = b""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tapped:
    """What one call found: record `events`, and only then let `forward` and `release` go.

    `forward` goes on in the direction of the call, `release` the other way: bytes of the other side that were held
    until this answer (scp), or what we ask ourselves (sftp). Over all calls, each side's bytes come out exactly as they
    went in, but for requests that were denied, what is asked ourselves, and the answers to both;
    `owes` says that such an answer waits for a call of `target`.

    The bot is `told` this on stderr. With a `wait` an operation waits for people: take no more of this side, and hand
    what comes of it to `answered`. With `more` some of this side was not dealt with: call again, with nothing, once it
    is not stalled any more.
    """

    forward: bytes = b""
    events: tuple[TapEvent, ...] = ()
    release: bytes = b""
    owes: bool = False
    told: bytes = b""
    wait: Wait | None = None
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came of an operation: the event to record, if it is not on record, and why it is denied, if it is.

    Where people are to be asked, `wait` asks them. The bot is `told` this on stderr; `status` is that of a command
    which the denial ends.
    """

    event: TapEvent | None
    denied: str = ""
    told: bytes = b""
    status: int = 126
    wait: Wait | None = None


class OperationHeld(Exception):
    """An operation waits for people: nothing of it, nor behind it, may go on before."""

    def __init__(self, wait: Wait) -> None:
        super().__init__("held")
        self.wait = wait


Wait = Callable[[], Awaitable[Judged]]
Judge = Callable[[Facts], Judged | None]  # None: nobody judges these


class Tap(Protocol):
    """Watch one channel; any split of the same bytes gives the same bytes and the same meaning."""

    looks: bool  # into files: a call may take long, and is not for the loop
    crosses: (
        bool  # what one side says may let go of something to either: calls take effect one after the other
    )

    @property
    def stalled(self) -> Side | None:
        """Name the side whose bytes are held for an answer: read no more of it until the other side spoke."""

    def client(self, data: bytes) -> Tapped:
        """Take bytes from the bot to the target; raise TransferError."""

    def target(self, data: bytes) -> Tapped:
        """Take bytes from the target to the bot; raise TransferError."""

    def answered(self, side: Side, judged: Judged) -> Tapped:
        """Go on with an operation that has waited, and with what this side sent behind it; raise TransferError."""

    def finish(self) -> Tapped:
        """End the channel, also after an error: files still open are reported as not complete."""


class Journal:
    """Collect the events of one call in order, protocol bytes that adjoin as one event."""

    def __init__(self) -> None:
        self._events: list[TapEvent] = []
        self._kind = Kind.CLIENT_PROTOCOL
        self._protocol = bytearray()
        self._told = b""

    def protocol(self, kind: Kind, data: bytes) -> None:
        """Add protocol bytes of one side."""
        if kind is not self._kind:
            self._flush()
            self._kind = kind
        self._protocol += data

    def file(self, detail: dict[str, Any]) -> None:
        """Add what happened to a file."""
        self._flush()
        self._events.append(TapEvent(kind=Kind.FILE, detail=detail))

    def happened(self, event: TapEvent) -> None:
        """Add another event."""
        self._flush()
        self._events.append(event)

    def judged(self, judged: Judged) -> None:
        """Add what came of an operation, and what the bot is told of it."""
        if judged.event is not None:
            self.happened(judged.event)
        if judged.told:
            self.happened(TapEvent(kind=Kind.NOTICE, data=judged.told))
            self._told += judged.told

    def told(self) -> bytes:
        """Return what the bot is told since the last time."""
        told, self._told = self._told, b""
        return told

    def unreleased(self, kind: Kind, data: bytes) -> None:
        """Add bytes that came in and will never be passed on; nothing if there are none."""
        if data:
            self._flush()
            self._events.append(TapEvent(kind=kind, data=data, detail={"released": False}))

    def take(self) -> tuple[TapEvent, ...]:
        """Return all events since the last time."""
        self._flush()
        events, self._events = tuple(self._events), []
        return events

    def _flush(self) -> None:
        if self._protocol:
            self._events.append(TapEvent(kind=self._kind, data=bytes(self._protocol)))
            self._protocol.clear()
