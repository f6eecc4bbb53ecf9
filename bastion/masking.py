"""Mask what one channel lets pass and what is recorded of it.

Output and stderr are masked before they are recorded and released, so that both have the same bytes (law L10). Input
goes to the target as it came (law L3), but not before what is recorded of it has been masked; a statement or a command
is masked in the record by itself, literal values only, so that no mask can hide what ran.

In      bytes of each stream; events before they are recorded
Out     Passed: bytes to record and to release, and the hits
Holds   what a Redactor holds back, for each stream
Errors  DetectorFault: the session cannot go on (law L2)
Source  docs/masking.md
"""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bastion.settings import Config
from bastion.transfer import Inspection
from policies.engine import Policy
from policies.masking.action import ActionKind
from policies.masking.plan import Plan
from policies.masking.redactor import Hit, Redactor
from policies.model import Access, Request
from recorder.events import Event, Kind

Stream = Literal["input", "output", "error"]
Span = tuple[int, int]  # from here on, and up to but not here
STREAMS: tuple[Stream, ...] = ("input", "output", "error")

_WHOLE = frozenset({Kind.REQUEST, Kind.STATEMENT})  # that are recorded as whole texts
# Details that hold what somebody has written: a statement and what repeats it, names of files, words of people.
_TEXTS = frozenset(
    {"facts", "env", "reason", "path", "or_path", "to", "name", "label", "what", "message", "stated"}
)
_TOLD = frozenset(
    {Kind.VERDICT, Kind.HOLD, Kind.FILE, Kind.NOTICE, Kind.REFUSED, Kind.MARKER, Kind.EXIT}
)  # that repeat them
_FRAMED = frozenset({Kind.CLIENT_PROTOCOL, Kind.TARGET_PROTOCOL})

IDLE_S = 0.03  # after which what cannot become a match any more is let out, at a prompt without a newline
PIECE_BYTES = 64 * 1024  # are looked through at once, which is how the detectors are fastest
TURN_S = 0.02  # of one flow off the loop, or a piece that takes longer: then what is masked by then goes on
MAX_LABELS = 64  # whose places are told
SHORT_BYTES = 1024  # are masked on the loop: more could take long, if somebody makes it so (law L11)
ON_LOOP_BYTES = 2 * SHORT_BYTES  # the same of a stream, with what is held back of it and looked through again

# What a value may not have in it, or a mask could hide a command: operators, substitutions, ends of lines.
_ACTIVE = re.compile(rb"[$`;&|<>(){}\n]")


@dataclass(frozen=True, slots=True)
class Passed:
    """`recorded` goes into the recording; `released` to the other side."""

    recorded: bytes
    released: bytes
    hits: tuple[Hit, ...] = ()


def prepare(config: Config) -> None:
    """Compile what the policy masks anywhere, so that no session has to wait for it."""
    policy = config.policy
    if not policy.masks and not policy.named and not policy.limits:
        return
    for identity, target in itertools.product(config.identities, config.targets):
        for login, access in itertools.product(target.logins, Access):
            policy.masking(
                Request(
                    identity=identity.name,
                    groups=frozenset(identity.groups),
                    target=target.name,
                    labels=target.labels,
                    login=login,
                    access=access,
                )
            )


def masked_words(policy: Policy, text: str) -> str:
    """Return what a person has written as others may read it: without what any mask of the policy masks."""
    plan = policy.masking_of_all()
    return text if plan is None else ChannelMask(plan, b"").text(text)


class Masking:
    """What is masked in one session, under a key of its own: its digests of values mean nothing outside of it."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._channels: dict[int, ChannelMask] = {}
        self._done: dict[int, tuple[Event, Sequence[Event]]] = {}  # masked ahead, by the event's identity

    def begin(self, channel: int, plan: Plan | None, answers: Plan | None = None) -> None:
        """Take what is masked on a channel, from now on; of its `answers`, where that is something else."""
        if plan is not None:
            self._channels[channel] = ChannelMask(plan, self._key, answers)

    def of(self, channel: int) -> ChannelMask | None:
        """Return the mask of a channel."""
        return self._channels.get(channel)

    def end(self, channel: int) -> None:
        """Forget a channel."""
        self._channels.pop(channel, None)

    def inspection(self, channel: int, session: str) -> Inspection | None:
        """Return how the files of a channel are looked into."""
        mask = self.of(channel)
        return None if mask is None else Inspection(plan=mask.plan, session=session)

    def events(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return events as they may be recorded: commands and statements masked; streams are, where they pass."""
        if not self._channels:
            return events
        return [masked for event in events for masked in self._event(event)]

    def ahead(self, events: Sequence[Event]) -> Awaitable[None] | None:
        """Return what masks off the loop what would take `events` long; None if nothing does."""
        long = [event for event in events if _text_bytes(event) > SHORT_BYTES]
        return self._mask_ahead(long) if long and self._channels else None

    async def _mask_ahead(self, events: Sequence[Event]) -> None:
        for event in events:
            self._done[id(event)] = event, await asyncio.to_thread(self._masked, event)

    def text(self, channel: int, text: str) -> str:
        """Return a statement as people may see it."""
        return self.labelled(channel, text)[0]

    def labelled(self, channel: int, text: str) -> tuple[str, tuple[Span, ...]]:
        """Return a statement as people may see it, and where in it the labels are that stand for something."""
        mask = self.of(channel)
        return (text, ()) if mask is None else mask.labelled(text)

    def _event(self, event: Event) -> Sequence[Event]:
        if event.kind not in _WHOLE | _TOLD:
            return [event]
        done = self._done.pop(id(event), None)
        return self._masked(event) if done is None else done[1]

    def _masked(self, event: Event) -> Sequence[Event]:
        # What is said of the session itself is said of one of its channels.
        mask = self.of(event.channel) if event.channel else next(reversed(self._channels.values()), None)
        if mask is None:
            return [event]
        return mask.whole(event) if event.kind in _WHOLE else [mask.told(event)]


class ChannelMask:
    """The mask of one channel, under the key of its session."""

    def __init__(self, plan: Plan, key: bytes, answers: Plan | None = None) -> None:
        self.plan = plan
        self._key = key
        self._redactors: dict[Stream, Redactor] = {
            stream: (plan if stream == "input" else answers or plan).redactor(key) for stream in STREAMS
        }
        self._input = bytearray()  # what came, and is not let out yet
        self._timers: dict[Stream, asyncio.TimerHandle] = {}

    # Statements and commands: whole texts.

    def text(self, text: str) -> str:
        """Return a text with its literal values masked."""
        return self.labelled(text)[0]

    def labelled(self, text: str) -> tuple[str, tuple[Span, ...]]:
        """Return a text with its literal values masked, and where in it their labels are, in characters."""
        spans: list[Span] = []
        masked = self._literal(text.encode("utf-8", "surrogateescape"), [], spans)
        places = tuple(
            (len(_text(masked[:start])), len(_text(masked[:end]))) for start, end in spans[:MAX_LABELS]
        )
        return _text(masked), places

    def whole(self, event: Event) -> list[Event]:
        """Return an event as it may be recorded, literal values masked, and what was found in it."""
        found: list[Hit] = []
        data = self._literal(event.data, found)
        detail = {
            key: self._inside(value, found) if key in _TEXTS else value for key, value in event.detail.items()
        }
        masked = Event(event.at_us, event.kind, event.channel, data, detail)
        return [masked, *hits_event(event, event.kind.value, found)]

    def told(self, event: Event) -> Event:
        """Return an event that tells of something, values masked: they were counted where they came."""
        data = self._literal(event.data, []) if event.kind is Kind.NOTICE else event.data
        detail = {
            key: self._inside(value, []) if key in _TEXTS else value for key, value in event.detail.items()
        }
        return Event(event.at_us, event.kind, event.channel, data, detail)

    async def input(self, event: Event) -> list[Event]:
        """Return what `whole` does of an event of what was judged, off the loop where that may take long."""
        if len(event.data) <= SHORT_BYTES:
            return self.whole(event)
        return await asyncio.to_thread(self.whole, event)

    async def framed(self, events: Sequence[Event]) -> list[Event]:
        """Return events of protocols as they may be recorded: values masked in place, so that lengths stay true."""
        size = sum(len(event.data) for event in events if event.kind in _FRAMED)
        if size <= SHORT_BYTES:
            return [self._in_place(event) for event in events]
        return await asyncio.to_thread(lambda: [self._in_place(event) for event in events])

    def _in_place(self, event: Event) -> Event:
        if event.kind not in _FRAMED or not event.data:
            return event
        text = bytearray(event.data)
        starts = _line_starts(event.data)
        for hit in self._hits(event.data):
            if hit.action != ActionKind.DETECT:
                start = starts[hit.line - 1] + hit.column - 1
                text[start : start + hit.length] = f"[{hit.detector}]".encode().ljust(hit.length, b"*")[
                    : hit.length
                ]
        return Event(event.at_us, event.kind, event.channel, bytes(text), event.detail)

    def _hits(self, text: bytes) -> list[Hit]:
        redactor = self.plan.redactor(self._key)
        begin, end = redactor.feed(text), redactor.finish()
        return begin.hits + end.hits

    def _literal(self, text: bytes, found: list[Hit], spans: list[Span] | None = None) -> bytes:
        """Mask the values of one whole text, but for those that could be more than a value.

        `spans` gets the places of the labels, in bytes of what is returned.
        """
        hits = self._hits(text) if text else []
        if not hits:
            return text
        out = bytearray()
        at = 0
        starts = _line_starts(text)
        for hit in hits:
            start = starts[hit.line - 1] + hit.column - 1
            value = text[start : start + hit.length]
            if start < at or _ACTIVE.search(value):
                continue
            if hit.action == ActionKind.DETECT:  # it passes, and counts
                found.append(hit)
                continue
            out += text[at:start]
            label = f"[{hit.detector}]".encode()
            if spans is not None:
                spans.append((len(out), len(out) + len(label)))
            out += label
            at = start + hit.length
            found.append(hit)
        return bytes(out + text[at:])

    def _inside(self, value: Any, found: list[Hit]) -> Any:
        match value:
            case str():
                return _text(self._literal(value.encode("utf-8", "surrogateescape"), found))
            case dict():
                return {key: self._inside(one, found) for key, one in value.items()}
            case list():
                return [self._inside(one, found) for one in value]
            case _:
                return value

    # Streams.

    def take(self, stream: Stream, data: bytes) -> Passed:
        """Take more of a stream; return what may go on."""
        self._keep(stream, data)
        masked = self._redactors[stream].feed(data)
        return self._passed(stream, bytes(masked.out), masked.hits)

    async def taken(self, stream: Stream, data: bytes) -> tuple[Passed, bytes]:
        """Return what may go on of more of a stream, and what of the data is left to be taken the next time.

        It works off the loop where that may take long: through all of it, but no longer than a turn.
        """
        if self._is_short(stream, data):
            return self.take(stream, data), b""
        return await asyncio.to_thread(self._turn, stream, data)

    async def idle(self, stream: Stream) -> Passed:
        """Return what may go on although nothing follows for a while, off the loop."""
        redactor = self._redactors[stream]
        if not redactor.held_bytes:
            return Passed(b"", b"")
        masked = await asyncio.to_thread(
            redactor.flush_idle
        )  # what may go on takes long to tell of a new text
        return self._passed(stream, bytes(masked.out), masked.hits)

    async def end(self, stream: Stream) -> Passed:
        """Return what is left: nothing follows."""
        finish = self._redactors[stream].finish
        masked = finish() if self._is_short(stream) else await asyncio.to_thread(finish)
        return self._passed(stream, bytes(masked.out), masked.hits)

    def when_quiet(self, stream: Stream, tell: Callable[[], None]) -> None:
        """Call back once nothing more came of a stream for a while, if something of it is held back."""
        timer = self._timers.pop(stream, None)
        if timer is not None:
            timer.cancel()
        if self._redactors[stream].held_bytes:
            self._timers[stream] = asyncio.get_running_loop().call_later(IDLE_S, tell)

    def _is_short(self, stream: Stream, data: bytes = b"") -> bool:
        return self._redactors[stream].kept_bytes + len(data) <= ON_LOOP_BYTES

    def _turn(self, stream: Stream, data: bytes) -> tuple[Passed, bytes]:
        """Take pieces until the turn is over; return what may go on, and what is left (in a thread)."""
        until = time.monotonic() + TURN_S
        parts: list[Passed] = []
        at = 0
        while at < len(data) and (not parts or time.monotonic() < until):
            parts.append(self.take(stream, data[at : at + PIECE_BYTES]))
            at += PIECE_BYTES
        return _together(parts), data[at:]

    def _keep(self, stream: Stream, data: bytes) -> None:
        if stream == "input":
            self._input += data

    def _passed(self, stream: Stream, out: bytes, hits: Sequence[Hit]) -> Passed:
        if stream != "input":
            return Passed(out, out, tuple(hits))
        size = len(self._input) - self._redactors[stream].held_bytes
        released = bytes(self._input[:size])
        del self._input[:size]
        return Passed(out, released, tuple(hits))


def hits_event(beside: Event, stream: str, hits: Sequence[Hit]) -> Iterator[Event]:
    """Yield the event that says what was found, if anything was."""
    if hits:
        told = [[hit.detector, hit.kind, hit.action, hit.line, hit.column, hit.length] for hit in hits]
        yield Event(beside.at_us, Kind.MASK, beside.channel, b"", {"stream": stream, "hits": told})


def _text_bytes(event: Event) -> int:
    """Return how long the text is in which an event is looked through."""
    if event.kind not in _WHOLE | _TOLD:
        return 0
    return len(event.data) + sum(map(_length, (event.detail.get(key) for key in _TEXTS)))


def _length(value: Any) -> int:
    match value:
        case str():
            return len(value)
        case dict():
            return sum(map(_length, value.values()))
        case list():
            return sum(map(_length, value))
        case _:
            return 0


def _together(parts: Sequence[Passed]) -> Passed:
    if len(parts) == 1:
        return parts[0]
    recorded = b"".join(part.recorded for part in parts)
    # Of output the one is the other: it is not held twice.
    same = all(part.released is part.recorded for part in parts)
    released = recorded if same else b"".join(part.released for part in parts)
    return Passed(recorded, released, tuple(hit for part in parts for hit in part.hits))


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Yield the bytes, at most `size` of them at a time."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _line_starts(text: bytes) -> list[int]:
    return [0, *(found.end() for found in re.finditer(rb"\n", text))]
