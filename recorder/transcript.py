"""Tell a session as readable lines of text: what was asked, what came back, what was moved, how it ended.

In      recorder.events.Event, in order; the session's header
Out     lines without their LF: events begin with `[+time]`, text of the session with one of the MARGINS
Holds   a screen for each live PTY channel; an unfinished line (LINE_BOUND characters) or the latest digest for each
        other stream

No text of a session can pass for an event: each of its lines has a margin, and what would reorder or split a
line (bidi controls, line separators) is written as \\uXXXX. Input is told only where there is no PTY, since a
PTY echoes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from recorder.events import Event, Kind
from recorder.output import command, held, streamed, transferred
from recorder.screen import Screen
from recorder.terminal import TerminalFilter, plain

LINE_BOUND = 4096
SLICE_BYTES = 4096  # of a PTY's output drawn at once, so that what leaves the screen is handed on soon

MARGINS = {Kind.OUTPUT: "  | ", Kind.ERROR: " 2| ", Kind.NOTICE: " b| ", Kind.INPUT: "  < "}

_REORDERS = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile("[\x08\x0e\x0f]")


class _Stream:
    """Lines of one stream without a terminal; CR ends a line too, so that nothing is overwritten."""

    def __init__(self) -> None:
        self._filter = TerminalFilter()
        self._line = ""
        self._after_cr = False

    def feed(self, data: bytes) -> Iterator[str]:
        for piece in self._filter.pieces(data):
            if isinstance(piece, str):
                yield from self._split(piece)

    def finish(self) -> Iterator[str]:
        yield from self._split(self._filter.finish().decode())
        if self._line:
            yield self._line
        self._line = ""

    def _split(self, text: str) -> Iterator[str]:
        for part in re.findall("[\n\r\x0b\x0c]|[^\n\r\x0b\x0c]+", _INVISIBLE.sub("", text)):
            if part in "\n\r\x0b\x0c":
                if not (part == "\n" and self._after_cr):
                    yield self._line
                    self._line = ""
            else:
                self._line += part
                while len(self._line) > LINE_BOUND:
                    yield self._line[:LINE_BOUND]
                    self._line = self._line[LINE_BOUND:]
            self._after_cr = part == "\r"


class Transcript:
    """The teller of one session: events in, lines out."""

    def __init__(self) -> None:
        self._pty: dict[int, tuple[int, int]] = {}
        self._screens: dict[int, Screen] = {}
        self._streams: dict[tuple[int, Kind], _Stream] = {}
        self._digests: dict[tuple[int, str], Event] = {}
        self._at_us = 0

    def feed(self, event: Event) -> Iterator[str]:
        """Yield the lines that the event completes."""
        self._at_us = event.at_us
        match event.kind:
            case Kind.REQUEST:
                if event.detail.get("pty"):
                    self._pty[event.channel] = (_whole(event, "cols", 80), _whole(event, "rows", 24))
            case Kind.RESIZE if event.channel in self._pty:
                self._pty[event.channel] = size = (_whole(event, "cols", 80), _whole(event, "rows", 24))
                if event.channel in self._screens:
                    yield from _margin(Kind.OUTPUT, self._screens[event.channel].resize(*size))
            case Kind.OUTPUT if event.channel in self._pty:
                if event.channel not in self._screens:
                    self._screens[event.channel] = Screen(*self._pty[event.channel])
                screen = self._screens[event.channel]
                for at in range(0, len(event.data), SLICE_BYTES):
                    yield from _margin(event.kind, screen.feed(event.data[at : at + SLICE_BYTES]))
            case Kind.INPUT if event.channel in self._pty:
                pass
            case Kind.OUTPUT | Kind.ERROR | Kind.NOTICE | Kind.INPUT:
                stream = self._streams.setdefault((event.channel, event.kind), _Stream())
                yield from _margin(event.kind, stream.feed(event.data))
            case Kind.DIGEST:  # of the running ones only the last counts
                key = (event.channel, str(event.detail.get("stream")))
                self._digests[key] = event
                if event.detail.get("ended"):
                    yield self._digest(key)
            case Kind.EXIT:
                yield from self._end(event.channel)
            case Kind.CLOSE:
                yield from self.finish()
            case _:
                pass
        if (told := _told(event)) is not None:
            yield _stamped(event.at_us, event.channel, told)

    def finish(self) -> Iterator[str]:
        """Yield what was held: unfinished lines and the screens as they stand."""
        for channel in sorted(
            {*self._screens, *(channel for channel, _ in [*self._streams, *self._digests])}
        ):
            yield from self._end(channel)

    def _end(self, channel: int) -> Iterator[str]:
        if screen := self._screens.pop(channel, None):
            yield from _margin(Kind.OUTPUT, screen.finish())
        for kind in MARGINS:
            if stream := self._streams.pop((channel, kind), None):
                yield from _margin(kind, stream.finish())
        for key in [key for key in self._digests if key[0] == channel]:
            yield self._digest(key)

    def _digest(self, key: tuple[int, str]) -> str:
        """Tell what of a stream is not kept, and forget it."""
        digest = self._digests.pop(key)
        sha256 = plain(str(digest.detail.get("sha256")))
        return _stamped(self._at_us, digest.channel, f"{streamed(digest)} sha256 {sha256}")


def transcript(session: Mapping[str, Any], events: Iterable[Event]) -> Iterator[str]:
    """Yield a whole session's lines; the header has id, identity, owner, target, login and started_us."""
    told = {key: plain(str(session.get(key, ""))) for key in ("id", "identity", "owner", "target", "login")}
    began = datetime.fromtimestamp(int(session["started_us"]) // 1_000_000, UTC)
    yield f"session {told['id']}"
    yield f"{told['identity']} (owner {told['owner']}) on {told['login']}@{told['target']}"
    yield f"began {began:%Y-%m-%d %H:%M:%S} UTC"
    yield ""
    teller = Transcript()
    for event in events:
        yield from teller.feed(event)
    yield from teller.finish()


def _told(event: Event) -> str | None:
    """Return the event in words, None for those that say nothing by themselves."""
    detail = {key: plain(str(value)) for key, value in event.detail.items() if value not in (None, "", [])}
    why = f": {detail['reason']}" if "reason" in detail else ""
    match event.kind:
        case Kind.REQUEST:
            kind = detail.get("type") or detail.get("access") or "request"
            asked = command(event)
            return kind if kind == asked else f"{kind} {asked}"
        case Kind.STATEMENT:
            return _judged(event, why)
        case Kind.HOLD:
            return held(event)
        case Kind.VERDICT:
            return f"{detail.get('verdict', '?')} by {_rules(event)}{why}"
        case Kind.FILE:
            return _file(event, detail)
        case Kind.SIGNAL:
            return f"signal {detail.get('name', '?')}"
        case Kind.REFUSED:
            return f"refused {detail.get('what', '?')}{why}"
        case Kind.LIMIT if "limit" in detail:
            exceeded = f"{detail.get('figure', '?')} {detail.get('measure', '')} per {detail.get('per', '?')}"
            return f"{detail.get('verdict', '?')} by limit {detail['limit']}: {exceeded}"
        case Kind.MARKER:
            return f"marker {detail.get('label', '')}"
        case Kind.EXIT:
            if "signal" in detail:
                return f"killed by {detail['signal']}"
            return f"exit {detail['status']}" if "status" in detail else "ended without a status"
        case Kind.CLOSE:
            return f"{detail.get('state', 'closed')}{why}"
        case _:
            return None


def _rules(event: Event) -> str:
    rules = event.detail.get("rules") or []
    named = (
        ", ".join(plain(str(rule)) for rule in rules)
        if isinstance(rules, (list, tuple))
        else plain(str(rules))
    )
    return named or "no rule"


def _judged(event: Event, why: str) -> str | None:
    """Return a statement with its verdict, unless it was allowed without a word: its input and output are told."""
    verdict = plain(str(event.detail.get("verdict", "?")))
    if verdict == "allow" and not event.detail.get("warn"):
        return None
    text = plain(event.data.decode("utf-8", "surrogateescape").strip("\r\n"))
    return f"{verdict} by {_rules(event)}{why}: {text}"


def _file(event: Event, detail: Mapping[str, str]) -> str | None:
    """Return one act on a file; of its pieces in between only the last counts."""
    if moved := transferred(event):
        return f"{moved} sha256 {detail.get('sha256')}"
    if detail.get("op") == "progress":
        return None
    onto = f" to {detail['to']}" if "to" in detail else ""
    failed = f": {detail['status']}" if detail.get("status", "ok") != "ok" else ""
    return f"{detail.get('op', 'file')} {detail.get('path') or detail.get('name', '')}{onto}{failed}"


def _stamped(at_us: int, channel: int, told: str) -> str:
    return f"[+{_clock(at_us)}] {f'#{channel} ' if channel else ''}{told}"


def _margin(kind: Kind, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        shown = _REORDERS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
        yield f"{MARGINS[kind]}{shown}"


def _clock(at_us: int) -> str:
    seconds, millis = at_us // 1_000_000, at_us // 1000 % 1000
    hours = f"{seconds // 3600:02d}:" if seconds >= 3600 else ""
    return f"{hours}{seconds // 60 % 60:02d}:{seconds % 60:02d}.{millis:03d}"


def _whole(event: Event, key: str, otherwise: int) -> int:
    value = event.detail.get(key)
    return value if isinstance(value, int) else otherwise
