"""Keep the last lines of a session that goes on, for people who are asked about it while it does.

In      events as they are recorded, so masked already
Out     lines of text, escaped; each begins with a mark that says what it is of
Holds   TAIL_BYTES of a session's data, in at most TAIL_PIECES pieces
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recorder.events import Event, Kind
from recorder.terminal import plain

TAIL_BYTES = 4096
TAIL_PIECES = 32
TAIL_LINES = 12
LINE_CHARS = 160

MARKS: Mapping[Kind, str] = {
    Kind.STATEMENT: "$ ",
    Kind.OUTPUT: "| ",
    Kind.ERROR: "! ",
    Kind.NOTICE: "# ",
}
STREAMS = frozenset({Kind.OUTPUT, Kind.ERROR})  # that come in pieces of any size


@dataclass(slots=True)
class _Piece:
    kind: Kind
    channel: int
    data: bytearray
    cut: bool = False  # its beginning was let go of


class Tail:
    """The last of what was run and printed."""

    __slots__ = ("_bytes", "_pieces")

    def __init__(self) -> None:
        self._pieces: deque[_Piece] = deque()
        self._bytes = 0

    def add(self, events: Iterable[Event]) -> None:
        """Take in what is recorded; what does not show is let go of."""
        for event in events:
            if event.data and event.kind in MARKS:
                self._add(event)

    def lines(self) -> tuple[str, ...]:
        """Return the last lines, the newest last; lines that are cut are marked."""
        lines: list[str] = []
        for piece in reversed(self._pieces):
            lines = _lines(piece) + lines
            if len(lines) >= TAIL_LINES:
                break
        return tuple(lines[-TAIL_LINES:])

    def _add(self, event: Event) -> None:
        data = event.data[-TAIL_BYTES:]
        last = self._pieces[-1] if self._pieces else None
        same = last is not None and (last.kind, last.channel) == (event.kind, event.channel)
        if last is not None and same and event.kind in STREAMS:
            last.data += data
            last.cut |= len(data) < len(event.data)
        else:
            cut = len(data) < len(event.data)
            self._pieces.append(_Piece(event.kind, event.channel, bytearray(data), cut))
        self._bytes += len(data)
        while self._bytes > TAIL_BYTES or len(self._pieces) > TAIL_PIECES:
            oldest = self._pieces[0]
            over = self._bytes - TAIL_BYTES
            if len(self._pieces) > TAIL_PIECES or len(oldest.data) <= over:
                self._pieces.popleft()
                self._bytes -= len(oldest.data)
            else:
                del oldest.data[:over]
                oldest.cut = True
                self._bytes -= over


def _lines(piece: _Piece) -> list[str]:
    text = piece.data.decode("utf-8", "surrogateescape").removesuffix("\n")
    lines = [_shown(line.removesuffix("\r")) for line in text.split("\n")]
    if piece.cut:
        lines[0] = f"… {lines[0]}"
    return [f"{MARKS[piece.kind]}{line}" for line in lines]


def _shown(line: str) -> str:
    shown = plain(line[: LINE_CHARS + 1])
    return f"{shown[:LINE_CHARS]}… (cut)" if len(shown) > LINE_CHARS else shown
