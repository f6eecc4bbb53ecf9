"""Draw a line that is being edited, behind a prompt that somebody else has drawn.

In      the prompt as it was printed, the characters of the line, where the cursor stands
Out     bytes for the terminal
Holds   PROMPT_BYTES of the prompt
Source  ECMA-48 (CUU, CUF, ED); Unicode Standard Annex 11
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

PROMPT_BYTES = 4096

_WRAP = b" \r"  # at the margin a terminal waits for the next character before it wraps
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|[\x00-\x1f\x7f]"
)


class Drawing:
    """What is on the terminal from the prompt on."""

    def __init__(self, cols: int) -> None:
        self.cols = max(cols, 2)
        self.prompt = b""
        self._label = ""  # in place of the prompt's end, while a search is on
        self._row = 0  # of the cursor, counted from the prompt's
        self._end = 0  # columns taken by prompt and line

    def printed(self, prompt: bytes) -> None:
        """Note the line on which the cursor stands, as far as the other side has printed it."""
        self.prompt = prompt[-PROMPT_BYTES:]
        self._end = self._start()
        self._row = self._end // self.cols

    def text(self) -> str:
        """Return the prompt as it can be read."""
        visible = self.prompt.rpartition(b"\r")[2] if not self.prompt.endswith(b"\r") else self.prompt
        return _ESCAPES.sub("", visible.decode("utf-8", "replace"))

    def append(self, char: str) -> bytes:
        """Draw one character more at the end of the line."""
        self._end += _width(char)
        if self._end % self.cols or not _width(char):
            self._row = self._end // self.cols
            return _shown(char).encode()
        self._row = self._end // self.cols
        return _shown(char).encode() + _WRAP

    def redraw(self, line: Sequence[str], cursor: int) -> bytes:
        """Draw the line anew."""
        start = self._start()
        out = bytearray(self._to(self._row, start // self.cols, start % self.cols))
        out += b"\x1b[J"
        text = "".join(line)
        out += _shown(text).encode()
        end = start + _width(text)
        at = start + _width(text[:cursor])
        if end % self.cols == 0 and end > start:
            out += _WRAP
        if at != end:
            out += self._to(end // self.cols, at // self.cols, at % self.cols)
        self._end, self._row = end, at // self.cols
        return bytes(out)

    def moved(self, line: Sequence[str], cursor: int) -> bytes:
        """Move the cursor within the line."""
        at = self._start() + _width("".join(line[:cursor]))
        moved = self._to(self._row, at // self.cols, at % self.cols)
        self._row = at // self.cols
        return moved

    def leave(self, line: Sequence[str], cursor: int) -> bytes:
        """Move behind the end of the line."""
        end = self._start() + _width("".join(line))
        moved = self._to(self._row, end // self.cols, end % self.cols) if cursor < len(line) else b""
        self._row = 0
        return moved

    def clear(self, line: Sequence[str], cursor: int) -> bytes:
        """Clear the screen, and draw prompt and line at its top."""
        self._row = self._start() // self.cols
        return b"\x1b[H\x1b[2J" + self.prompt + self.redraw(line, cursor)

    def searched(self, label: str, line: Sequence[str], cursor: int) -> bytes:
        """Draw the line behind a label in place of the prompt; behind the prompt again without a label."""
        out = self._to(self._row, 0, 0) + b"\x1b[J" + (label.encode("utf-8", "replace") or self.prompt)
        self._label = label
        self._row = self._start() // self.cols
        return out + self.redraw(line, cursor)

    def _start(self) -> int:
        return _width(self._label or self.text())

    def _to(self, row: int, to_row: int, col: int) -> bytes:
        rows = row - to_row
        up = b"\x1b[%dA" % rows if rows > 0 else b"\n" * -rows
        return up + b"\r" + (b"\x1b[%dC" % col if col else b"")


def _shown(text: str) -> str:
    """Return what stands for the text: each character itself if it shows as what it is."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char == "\t" else "?" for char in text)


def _width(text: str) -> int:
    """Return how many columns the text takes."""
    return len(text) if text.isascii() else sum(map(_columns, _shown(text)))


@lru_cache(maxsize=4096)
def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
