"""Turn a session's events into asciicast lines, and asciicast text back into events, without I/O.

In      recorder.events.Event, at_us never decreasing
Out     bytes: one LF-ended JSON value in UTF-8 for the header and for each event
Holds   what recorder.output holds, and one undecoded UTF-8 sequence (3 bytes) for each channel's input
Errors  CastDecodeError, with the 1-based line number
Source  asciicast v2 and v3 (docs.asciinema.org/manual/asciicast); RFC 8259; RFC 3629 section 4

All output, notices and stderr included, is one "o" stream, filtered to what draws. Commands, markers and
files are "m". Times stay whole microseconds: version 2 writes them as they are, version 3 the difference to
the line before, so that no rounding adds up. A file may be read in a terminal with `cat`: C1 and bidi
controls are written as \\uXXXX.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, islice
from typing import Any, Literal, NoReturn

from recorder.errors import CastDecodeError
from recorder.events import Event, Kind
from recorder.output import SessionOutput, label
from recorder.terminal import plain

Version = Literal[2, 3]

HEADER_LOOKAHEAD = 64  # events in which the first terminal size is looked for
SECONDS_MAX = 10**9

_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def start(
    session: Mapping[str, Any], *, version: Version, cols: int = 80, rows: int = 24, term: str = ""
) -> tuple[bytes, CastWriter]:
    """Return the header line and the live writer; of the session: id, identity, target, login, started_us."""
    identity, login, target, name = (session.get(key, "") for key in ("identity", "login", "target", "id"))
    title = plain(f"{identity} {login}@{target} {name}")
    header: dict[str, Any] = {"version": version}
    if version == 2:
        header |= {"width": cols, "height": rows}
    else:
        header["term"] = {"cols": cols, "rows": rows} | ({"type": plain(term)} if term else {})
    header |= {"timestamp": int(session["started_us"]) // 1_000_000, "title": title}
    if version == 2 and term:
        header["env"] = {"TERM": plain(term)}
    return _line(json.dumps(header, ensure_ascii=False)), CastWriter(version=version, cols=cols, rows=rows)


class CastWriter:
    """Writes the lines after the header."""

    def __init__(self, *, version: Version, cols: int, rows: int) -> None:
        self._version = version
        self._size = (cols, rows)
        self._output = SessionOutput()
        self._input: dict[int, codecs.IncrementalDecoder] = {}
        self._written_us = 0
        self._seen_us = 0
        self._status: int | None = None

    def feed(self, event: Event) -> Iterator[bytes]:
        """Yield the lines that the event makes, often one, sometimes none."""
        self._seen_us = event.at_us
        if drawn := self._output.feed(event):
            yield self._event("o", drawn.decode())
        match event.kind:
            case Kind.INPUT:
                decoder = self._input.setdefault(
                    event.channel, codecs.getincrementaldecoder("utf-8")("replace")
                )
                if text := decoder.decode(event.data):
                    yield self._event("i", text)
            case Kind.REQUEST | Kind.RESIZE:
                yield from self._resize(event)
            case Kind.EXIT:
                self._status = _status(event.detail.get("status"), self._status)
            case Kind.CLOSE:
                self._status = _status(event.detail.get("exit_status"), self._status)
            case _:
                pass
        if (marked := label(event)) is not None:
            yield self._event("m", marked)

    def finish(self) -> Iterator[bytes]:
        """Yield what was held, and in version 3 the exit status, if one is known."""
        if held := self._output.finish():
            yield self._event("o", held.decode())
        for decoder in self._input.values():
            if text := decoder.decode(b"", final=True):
                yield self._event("i", text)
        self._input.clear()
        if self._version == 3 and self._status is not None:
            yield self._event("x", str(self._status))

    def _resize(self, event: Event) -> Iterator[bytes]:
        size = _size(event)
        if size is not None and size != self._size:
            self._size = size
            yield self._event("r", f"{size[0]}x{size[1]}")

    def _event(self, code: str, text: str) -> bytes:
        time_us = self._seen_us - (self._written_us if self._version == 3 else 0)
        self._written_us = self._seen_us
        time = f"{time_us // 1_000_000}.{time_us % 1_000_000:06d}"
        return _line(f'[{time}, "{code}", {json.dumps(text, ensure_ascii=False)}]')


def write_cast(session: Mapping[str, Any], events: Iterable[Event], *, version: Version) -> Iterator[bytes]:
    """Yield the lines of a whole session; size and TERM are those of its first PTY, else 80x24."""
    ahead = iter(events)
    first = list(islice(ahead, HEADER_LOOKAHEAD))
    sized = next((event for event in first if event.kind is Kind.REQUEST and _size(event)), None)
    cols, rows = (sized and _size(sized)) or (80, 24)
    term = str(sized.detail.get("term") or "") if sized else ""
    header, writer = start(session, version=version, cols=cols, rows=rows, term=term)
    yield header
    for event in chain(first, ahead):
        yield from writer.feed(event)
    yield from writer.finish()


def _size(event: Event) -> tuple[int, int] | None:
    cols, rows = event.detail.get("cols"), event.detail.get("rows")
    return (cols, rows) if isinstance(cols, int) and isinstance(rows, int) and cols > 0 and rows > 0 else None


def _status(value: object, otherwise: int | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _line(text: str) -> bytes:
    """Return a line; what `_UNSAFE` names stands only in strings, which may escape it (RFC 8259 sect. 7)."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode() + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class CastEvent:
    """One line: microseconds since the start (in both versions), its code and its text."""

    at_us: int
    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """A whole asciicast."""

    version: Version
    cols: int
    rows: int
    header: dict[str, Any]
    events: tuple[CastEvent, ...]


def read_cast(body: bytes) -> Cast:
    """Return the asciicast of version 2 or 3; raise CastDecodeError with the line at fault."""
    lines = body.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    header = _json(lines[0] if lines else b"", 1)
    if not isinstance(header, dict) or header.get("version") not in (2, 3):
        raise CastDecodeError('line 1: the header must be an object with "version" 2 or 3')
    version: Version = 2 if header["version"] == 2 else 3
    term = header if version == 2 else header.get("term")
    names = ("width", "height") if version == 2 else ("cols", "rows")
    size = [term.get(name) if isinstance(term, dict) else None for name in names]
    if not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in size):
        raise CastDecodeError(
            f"line 1: the header must have {names[0]} and {names[1]}, whole numbers above 0"
        )
    events: list[CastEvent] = []
    at_us = 0
    for number, line in enumerate(lines[1:], start=2):
        if version == 3 and line.startswith(b"#"):
            continue
        seconds, code, text = _cast_event(_json(line, number), number)
        time_us = int(seconds * 1_000_000)
        at_us = at_us + time_us if version == 3 else time_us
        events.append(CastEvent(at_us=at_us, code=code, text=text))
    return Cast(
        version=version, cols=int(size[0] or 0), rows=int(size[1] or 0), header=header, events=tuple(events)
    )


def _cast_event(value: object, number: int) -> tuple[Decimal, str, str]:
    match value:
        case [bool(), _, _]:
            pass
        case [int() | Decimal() as time, str(code), str(text)] if 0 <= time <= SECONDS_MAX:
            return Decimal(time), code, text
        case _:
            pass
    raise CastDecodeError(f"line {number}: expected [seconds, code, text], seconds from 0 to {SECONDS_MAX}")


def _json(line: bytes, number: int) -> object:
    try:
        return json.loads(line.decode(), parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise CastDecodeError(f"line {number}: not JSON in UTF-8: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
