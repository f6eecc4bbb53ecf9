"""Replay a session at a reader's pace, without I/O: a state machine of events, keys and delays.

In      recorder.events.Event, in order; keys; how long the caller has waited
Out     bytes to draw, filtered to what draws; how long to wait before the next of them
Holds   one event ahead

The caller waits `due()` seconds, or for a key, then calls `step()` or `key()`, until `finished`; then it
draws `finish()`. A jump is many steps with no delay between them, never one step with much to draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recorder.events import Event, Kind
from recorder.output import SessionInput, SessionOutput, label, repeats_input

SPEED_MIN, SPEED_MAX = 1 / 16, 64.0

# No held display, soft reset (DECSTR), replace mode, normal video, wrap, cursor, tabs every 8, ASCII
_RESET = b"\x1b[?2026l\x1b[!p\x1b[0m\x1b[4l\x1b[20l\x1b[?5l\x1b[?45l\x1b[?7h\x1b[?25h\x1b[?5W\x1b(B\x1b)B\x0f"
_LEAVE_ALTERNATE = b"\x1b[?1049l"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    at_us: int
    drawn: bytes
    label: str | None


class Player:
    """One replay.

    `speed` 0 plays without delays. `idle_limit_s` bounds each pause of the session, before the speed applies.
    `start` skips without delay to the nth command or marker (from 1), or to the first whose label has the
    text. Where the reader is no terminal, `styled=False` leaves the commands' own lines plain.
    """

    def __init__(
        self,
        events: Iterable[Event],
        *,
        speed: float = 1.0,
        idle_limit_s: float | None = None,
        start: int | str | None = None,
        styled: bool = True,
    ) -> None:
        if not 0 <= speed <= SPEED_MAX:
            raise ValueError(f"speed must be from 0 (no delays) to {SPEED_MAX:g}, not {speed:g}")
        if idle_limit_s is not None and not idle_limit_s >= 0:
            raise ValueError(f"the idle limit must be 0 seconds or more, not {idle_limit_s:g}")
        self.speed = speed
        self.paused = False
        self._idle_limit_us = None if idle_limit_s is None else idle_limit_s * 1_000_000
        self._output = SessionOutput()
        self._dim, self._bright = ("\x1b[2m", "\x1b[22m") if styled else ("", "")
        self._frames = self._framed(events)
        self._commands = 0
        self._at_us = 0
        self._left_us = 0.0
        self._start = start
        self._jumping = False
        self._single = False
        self._next: _Frame | None = None
        self._advance()

    @property
    def finished(self) -> bool:
        """Whether all is drawn, or the reader has quit."""
        return self._next is None

    def due(self) -> float | None:
        """Return the seconds from now until `step` should be called; None while paused and once finished."""
        if self._next is None:
            return None
        if self._start is not None or self._jumping or self._single:
            return 0.0
        if self.paused:
            return None
        return self._left_us / 1_000_000 / self.speed if self.speed else 0.0

    def step(self) -> bytes:
        """Return the next event's drawing, due or not, which may be nothing; nothing once finished."""
        frame = self._next
        if frame is None:
            return b""
        if frame.drawn:
            self._single = False
            self._at_us = frame.at_us
        if frame.label is not None:
            self._commands += 1
            self._jumping = False
            if self._start == self._commands or (isinstance(self._start, str) and self._start in frame.label):
                self._start = None
        self._advance()
        return frame.drawn

    def key(self, key: str, waited_s: float = 0.0) -> None:
        """Obey a key, given how long has been waited since the last `due`; others are ignored.

        space pauses and resumes, `.` draws one piece and stays paused, `n` or `]` goes to the next command,
        `+` and `-` double and halve the speed, `q`, Ctrl-C and Ctrl-D quit.
        """
        if not self.paused:
            self._left_us = max(0.0, self._left_us - waited_s * 1_000_000 * self.speed)
        match key:
            case " ":
                self.paused = not self.paused
            case ".":
                self.paused = self._single = True
            case "n" | "]":
                self._jumping = True
            case "+" | "=" if self.speed:
                self.speed = min(self.speed * 2, SPEED_MAX)
            case "-" if self.speed:
                self.speed = max(self.speed / 2, SPEED_MIN)
            case "q" | "\x03" | "\x04":
                self._next = None
            case _:
                pass

    def finish(self) -> bytes:
        """Return what puts the reader's terminal back: soft reset, cursor shown, alternate screen left."""
        self._next = None
        return (_LEAVE_ALTERNATE if self._output.alternate_screen else b"") + _RESET

    def _advance(self) -> None:
        self._next = next(self._frames, None)
        if self._next is not None:
            gap_us = self._next.at_us - self._at_us if self._next.drawn else 0
            self._left_us = gap_us if self._idle_limit_us is None else min(gap_us, self._idle_limit_us)

    def _framed(self, events: Iterable[Event]) -> Iterator[_Frame]:
        """Yield a frame for each event; commands, and input that no terminal echoed, are dim lines of their own."""
        at_us = 0
        typed = SessionInput()
        for event in events:
            at_us = event.at_us
            drawn, text = self._output.feed(event), None if repeats_input(event) else label(event)
            if text is not None:
                number = f"#{event.channel} " if event.channel else ""
                mark = "" if event.kind in (Kind.FILE, Kind.DIGEST) else "$ "
                drawn += f"{self._dim}{number}{mark}{text}{self._bright}\r\n".encode()
            for line in typed.feed(event):
                drawn += f"{self._dim}#{event.channel} < {line}{self._bright}\r\n".encode()
            yield _Frame(at_us=at_us, drawn=drawn, label=text)
        if held := self._output.finish():
            yield _Frame(at_us=at_us, drawn=held, label=None)
