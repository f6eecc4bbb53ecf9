"""Look into the content of files that pass: what was found, what could not be read, what stops a file.

In      pieces of one file, in the order in which they pass
Out     Seen: one word for what became of the content, for the `close` event; MASK events for what was found
Holds   what a Scanner does
Source  docs/masking.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bastion.transfer.flow import Direction
from bastion.transfer.tap import TapEvent
from policies.masking.redactor import Hit
from policies.masking.scanner import Scanner
from recorder.events import Kind

Content = Literal["clean", "hit", "unread", "stopped"]
NOT_LOOKED_INTO: dict[str, Any] = {}  # no mask rule was in force: what a `close` event says of content
STOP = "stop"  # the action of a hit that did not pass
PASSES = "detect"


class Plan(Protocol):
    """What the mask rules in force say of files."""

    @property
    def spool(self) -> bool:
        """Say whether all of a file is looked through before any of it passes."""

    @property
    def refuses_unread(self) -> bool:
        """Say whether what cannot be read must not pass."""

    def scanner(self, *, lead_bytes: int = 0, whole: bool = True, stops: bool = True) -> Scanner:
        """Return what looks through one stretch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """How the files of one channel are looked into; `session` is told to a bot whose file is stopped."""

    plan: Plan
    session: str


class Seen:
    """What is known of one file's content in one direction; `note` takes events."""

    def __init__(self, direction: Direction, path: str, note: Callable[[TapEvent], None]) -> None:
        self.unread = ""
        self.stopped = ""  # why, in words
        self._direction = direction
        self._path = path
        self._note = note
        self._hits = 0
        self._stop: dict[str, Any] = {}

    @property
    def content(self) -> Content:
        if self.stopped:
            return "stopped"
        if self.unread:
            return "unread"
        return "hit" if self._hits else "clean"

    def found(self, hits: Iterable[Hit], action: str = PASSES) -> None:
        """Take what was found in what passes, or in what is stopped."""
        told = [[hit.detector, hit.kind, action, hit.line, hit.column, hit.length] for hit in hits]
        if told:
            self._hits += len(told)
            detail = {"stream": self._direction, "path": self._path, "hits": told}
            self._note(TapEvent(kind=Kind.MASK, detail=detail))

    def stop(self, hit: Hit, offset: int) -> None:
        """Stop the file at this offset, for what begins there."""
        self.found([hit], STOP)
        self._stop = {"detector": hit.detector, "offset": offset}
        self._stopped(f"it holds what may not pass ({hit.detector} at byte {offset})")

    def refuse(self, why: str) -> None:
        """Stop the file for another reason."""
        self._stopped(why)

    def detail(self) -> dict[str, Any]:
        """Return what the `close` event says of it."""
        return {
            "content": self.content,
            **({"unread": self.unread} if self.unread else {}),
            **({"stopped": self._stop} if self._stop else {}),
        }

    def _stopped(self, why: str) -> None:
        self.stopped = f"stopped {self._path}: {why}"
        event = {"op": "stop", "path": self._path, "direction": self._direction, "reason": why, **self._stop}
        self._note(TapEvent(kind=Kind.FILE, detail={**event, "status": "denied"}))


def fetched(events: Iterable[TapEvent]) -> Iterator[str]:
    """Yield the detector of each hit in what goes out to the bot."""
    for event in events:
        if event.kind is Kind.MASK and event.detail["stream"] == "download":
            yield from (
                detector for detector, _kind, action, *_place in event.detail["hits"] if action != STOP
            )


class Watched:
    """A file that is looked into and not stopped: what goes up."""

    def __init__(self, inspection: Inspection, seen: Seen) -> None:
        self._plan = inspection.plan
        self._seen = seen
        self._scanner: Scanner | None = None
        self._next = 0

    def pass_on(self, piece: bytes, offset: int) -> None:
        """Take a piece that belongs at this offset of the file; one that does not join the last begins anew."""
        if self._scanner is not None and offset != self._next:
            self.end()
        if self._scanner is None:
            self._scanner = self._plan.scanner(whole=offset == 0, stops=False)
        self._next = offset + len(piece)
        self._take(self._scanner.feed(piece).hits)

    def end(self) -> None:
        """Nothing joins what came last."""
        if self._scanner is not None:
            self._take(self._scanner.finish().hits)
            self._scanner = None

    def _take(self, hits: Iterable[Hit]) -> None:
        self._seen.found(hits)
        if self._scanner is not None:
            self._seen.unread = self._seen.unread or self._scanner.unread
