"""Keep the screen that a terminal would show, and hand over each line that leaves it.

In      terminal bytes in any pieces (they pass a TerminalFilter here), resizes
Out     lists of lines that left the screen, in order; the visible lines
Holds   two grids of at most COLS_MAX by ROWS_MAX cells of CELL_BOUND characters, one saved cursor each
Source  ECMA-48 section 8.3; XTerm Control Sequences

A line leaves by scrolling, deletion or erasure as a whole, when a resize cuts it, or when the alternate
screen is left. pyte 0.8.2 keeps the grid and nothing else: its parser is not used, since it raises on odd CSI
shapes, prints colon-SGR and DCS as text and loses what follows an unterminated OSC; its `draw` forgets the
rest of a run after a zero-width character, so those are drawn one by one. Should it raise nevertheless, that
one step is lost and counted in `faults`.

Known limits: text that is overwritten in place, or erased within its line, is not handed over; attributes and
line drawing sets are not kept (letters stay letters, to be found); the alternate screen is blank each time it
is entered.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import pyte

from recorder.terminal import Sequence, TerminalFilter

COLS_MIN, COLS_MAX = 2, 1000
ROWS_MAX = 500
CELL_BOUND = 8

_RUNS = re.compile(r"[ -~]+|.", re.DOTALL)
_PYTE_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
)
_CONTROLS = {
    "\x08": "backspace",
    "\t": "tab",
    "\n": "linefeed",
    "\x0b": "linefeed",
    "\x0c": "linefeed",
    "\r": "carriage_return",
}
_COUNTED = {
    "@": "insert_characters",
    "A": "cursor_up",
    "B": "cursor_down",
    "C": "cursor_forward",
    "D": "cursor_back",
    "E": "cursor_down1",
    "F": "cursor_up1",
    "G": "cursor_to_column",
    "P": "delete_characters",
    "X": "erase_characters",
    "`": "cursor_to_column",
    "a": "cursor_forward",
    "e": "cursor_down",
}


class _Grid(pyte.Screen):
    """pyte's screen, which tells what scrolls away."""

    def __init__(self, cols: int, rows: int, left: list[str]) -> None:
        self.left = left
        super().__init__(cols, rows)

    def row(self, y: int) -> str:
        line = self.buffer.get(y)
        return "".join(line[x].data for x in range(self.columns)).rstrip() if line else ""

    def region(self) -> tuple[int, int]:
        return self.margins or (0, self.lines - 1)

    def leave(self, first: int, last: int) -> None:
        """Hand over rows that are about to vanish, without blank ones at either end."""
        rows = "\n".join(self.row(y) for y in range(first, last + 1)).strip("\n")
        self.left.extend(rows.split("\n") if rows else ())

    def index(self) -> None:
        top, bottom = self.region()
        if self.cursor.y == bottom:
            self.left.append(self.row(top))
        super().index()

    def reverse_index(self) -> None:
        top, bottom = self.region()
        if self.cursor.y == top:
            self.leave(bottom, bottom)
        super().reverse_index()

    def scroll(self, at: int, count: int, *, up: bool) -> None:
        """Delete (up) or insert `count` lines at a row, which pushes lines out of the region."""
        top, bottom = self.region()
        if not top <= at <= bottom:
            return
        count = min(count, bottom - at + 1)
        self.leave(*((at, at + count - 1) if up else (bottom - count + 1, bottom)))
        x, y, self.cursor.y = self.cursor.x, self.cursor.y, at
        (self.delete_lines if up else self.insert_lines)(count)
        self.cursor.x, self.cursor.y = x, y

    def erase(self, how: int) -> None:
        x, y = self.cursor.x, self.cursor.y
        match how:
            case 0:
                self.leave(y if x == 0 else y + 1, self.lines - 1)
            case 1:
                self.leave(0, y - 1)
            case _:
                self.leave(0, self.lines - 1)
        self.erase_in_display(how)

    def reshape(self, cols: int, rows: int) -> None:
        """Resize from the bottom while that is blank, then from the top (pyte always cuts the top)."""
        for y, line in sorted(self.buffer.items()):
            if any(x >= cols and cell.data.strip() for x, cell in line.items()):
                self.leave(y, y)
        used = max([self.cursor.y, *(y for y in range(self.lines) if self.row(y))])
        drop = max(0, used - (rows - 1))
        self.leave(0, drop - 1)
        kept = {y - drop: line for y, line in self.buffer.items() if drop <= y < drop + rows}
        for line in kept.values():
            for x in [x for x in line if x >= cols]:
                del line[x]
        self.buffer.clear()
        self.buffer.update(kept)
        self.lines, self.columns, self.margins = rows, cols, None
        self.tabstops = set(range(8, cols, 8))
        self.cursor.x, self.cursor.y = min(self.cursor.x, cols - 1), max(0, self.cursor.y - drop)

    def full_cell(self) -> bool:
        """Whether the cell that a combining character would join has enough: each costs its length."""
        x, y = self.cursor.x, self.cursor.y
        y, x = (y, x - 1) if x else (y - 1, self.columns - 1)
        return len(self.buffer[y][x].data) >= CELL_BOUND if y >= 0 else True


class Screen:
    """A terminal's screen of `cols` by `rows`, out of range values bounded."""

    def __init__(self, cols: int = 80, rows: int = 24) -> None:
        self._left: list[str] = []
        self._filter = TerminalFilter()
        self._main = self._grid = _Grid(*_bounded(cols, rows), self._left)
        self._last = " "
        self.faults = 0

    def feed(self, data: bytes) -> list[str]:
        """Draw the data; return the lines that left the screen meanwhile."""
        for piece in self._filter.pieces(data):
            if isinstance(piece, str):
                for run in _RUNS.findall(piece):
                    self._draw(run)
            else:
                self._safely(self._sequence, piece)
        return self._take()

    def resize(self, cols: int, rows: int) -> list[str]:
        """Change the size; return the lines that did not fit."""
        for grid in {id(grid): grid for grid in (self._main, self._grid)}.values():
            self._safely(grid.reshape, *_bounded(cols, rows))
        return self._take()

    def text(self) -> list[str]:
        """Return the visible lines, one for each row, without trailing blanks."""
        return [self._grid.row(y) for y in range(self._grid.lines)]

    def finish(self) -> list[str]:
        """Return what is on the main screen and, if it is open, on the alternate one; then both are blank."""
        for grid in {id(grid): grid for grid in (self._main, self._grid)}.values():
            grid.leave(0, grid.lines - 1)
            grid.reset()
        self._grid = self._main
        self._filter.finish()
        return self._take()

    def _take(self) -> list[str]:
        lines = self._left[:]
        self._left.clear()
        return lines

    def _safely(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except _PYTE_FAULTS:
            self.faults += 1

    def _draw(self, run: str) -> None:
        if run in _CONTROLS:
            self._safely(getattr(self._grid, _CONTROLS[run]))
        elif run > "\x1f" and not (unicodedata.combining(run[-1]) and self._grid.full_cell()):
            self._last = run[-1]
            self._safely(self._grid.draw, run)

    def _sequence(self, sequence: Sequence) -> None:
        grid, count = self._grid, sequence.parameter(0, 1)
        match sequence.final:
            case final if sequence.csi and final in _COUNTED:
                getattr(grid, _COUNTED[final])(count)
            case "H" | "f" if sequence.csi:
                grid.cursor_position(count, sequence.parameter(1, 1))
            case "d":
                grid.cursor_position(count, grid.cursor.x + 1)
            case "J":
                grid.erase(sequence.parameter(0, 0))
            case "K" if sequence.parameter(0, 0) <= 2:
                grid.erase_in_line(sequence.parameter(0, 0))
            case "L" | "M" if sequence.csi:
                grid.scroll(grid.cursor.y, count, up=sequence.final == "M")
                if grid.region()[0] <= grid.cursor.y <= grid.region()[1]:
                    grid.carriage_return()
            case "S" | "T":
                grid.scroll(grid.region()[0], count, up=sequence.final == "S")
            case "I":
                for _ in range(min(count, grid.columns)):
                    grid.tab()
            case "Z":
                stops = sorted(stop for stop in grid.tabstops if stop < grid.cursor.x)
                grid.cursor.x = stops[-count] if count <= len(stops) else 0
            case "b":
                if not unicodedata.combining(self._last):
                    grid.draw(self._last * min(count, grid.columns))
            case "g":
                grid.clear_tab_stop(sequence.parameter(0, 0))
            case "h" | "l":
                for mode in sequence.parameters:
                    self._mode(mode, private=sequence.private, on=sequence.final == "h")
            case "r":
                grid.set_margins(count, sequence.parameter(1, grid.lines))
                grid.cursor_position()
            case _:
                self._cursor_or_reset(sequence.final)

    def _cursor_or_reset(self, final: str) -> None:
        grid = self._grid
        match final:
            case "7" | "s":
                grid.savepoints.clear()  # a terminal has one, pyte a stack without end
                grid.save_cursor()
            case "8" | "u":
                saved = bool(grid.savepoints)
                grid.restore_cursor()
                if saved:
                    grid.save_cursor()
            case "D":
                grid.index()
            case "E":
                grid.carriage_return()
                grid.index()
            case "M":
                grid.reverse_index()
            case "H":
                grid.set_tab_stop()
            case "!p":
                grid.set_margins()
                grid.reset_mode(4)
                grid.reset_mode(6, private=True)
                grid.set_mode(7, private=True)
            case "c":
                self._alternate(on=False)
                self._grid.leave(0, self._grid.lines - 1)
                self._grid.reset()
            case _:  # SGR, character sets, line sizes: nothing that is text
                pass

    def _mode(self, mode: int, *, private: bool, on: bool) -> None:
        if private and mode in (1048, 1049) and on:
            self._cursor_or_reset("7")
        if private and mode in (47, 1047, 1049):
            self._alternate(on=on)
        elif (private and mode in (6, 7)) or (not private and mode in (4, 20)):
            (self._grid.set_mode if on else self._grid.reset_mode)(mode, private=private)
        if private and mode in (1048, 1049) and not on:
            self._cursor_or_reset("8")

    def _alternate(self, *, on: bool) -> None:
        if on and self._grid is self._main:
            main = self._main
            self._grid = _Grid(main.columns, main.lines, self._left)
            self._grid.cursor.x, self._grid.cursor.y = main.cursor.x, main.cursor.y
        elif not on and self._grid is not self._main:
            self._grid.leave(0, self._grid.lines - 1)
            self._grid = self._main


def _bounded(cols: int, rows: int) -> tuple[int, int]:
    return min(max(cols, COLS_MIN), COLS_MAX), min(max(rows, 1), ROWS_MAX)
