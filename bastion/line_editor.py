"""Edit lines for a terminal whose far side does not: keys in, what to draw and whole lines out.

In      bytes of a terminal: text in UTF-8, control keys, escape sequences, bracketed paste
Out     Drawn, Submitted and Key, in order; any split of the same bytes gives the same
Holds   a line (LINE_BYTES), HISTORY_LINES and HISTORY_CHARS of history, one escape sequence (SEQUENCE_CHARS)
Source  ECMA-48; XTerm control sequences; the keys of GNU readline's emacs mode, a small part of them

Nothing but Enter submits. A line with control bytes in it (out of a paste) or longer than LINE_BYTES is submitted with
the reason why it cannot go on, never cut.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass

from bastion.line_drawing import Drawing

LINE_BYTES = 4000  # the kernel drops what exceeds 4,095 bytes of a line
HISTORY_LINES = 500
HISTORY_CHARS = 64 * 1024
SEQUENCE_CHARS = 32
BELL = b"\a"

INTERRUPT, END, SUSPEND = b"\x03", b"\x04", b"\x1a"
_PASTE, _PASTED = "[200~", "[201~"
_BLANK = " \t"


@dataclass(frozen=True, slots=True)
class Drawn:
    """Bytes for the terminal."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Submitted:
    """A line without its newline; `why` says why it cannot go on, `hidden` that it was typed unseen."""

    line: bytes
    why: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """Ctrl-C, Ctrl-D on an empty line, or Ctrl-Z."""

    data: bytes


Effect = Drawn | Submitted | Key


class LineEditor:
    """One terminal's line; `hidden` text is not drawn."""

    def __init__(self, cols: int = 80) -> None:
        self.hidden = False
        self.drawing = Drawing(cols)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text: list[str] = []
        self._cursor = 0
        self._bytes = 0
        self._history: list[str] = []
        self._recalled = 0  # how far back in the history, 0 for the line itself
        self._draft = ""
        self._killed = ""
        self._sequence: str | None = None
        self._pasting = False
        self._after_cr = False
        self._sought: str | None = None  # what Ctrl-R looks for
        self._found = 0
        self._keys: dict[str, Callable[[], bytes]] = {
            "\x01": lambda: self._move(0),
            "\x02": lambda: self._move(self._cursor - 1),
            "\x05": lambda: self._move(len(self._text)),
            "\x06": lambda: self._move(self._cursor + 1),
            "\x08": self._backspace,
            "\x09": self._complete,
            "\x0b": lambda: self._kill(self._cursor, len(self._text)),
            "\x0c": lambda: self.drawing.clear(self._shown(), self._cursor),
            "\x0e": lambda: self._recall(-1),
            "\x10": lambda: self._recall(1),
            "\x12": self._search,
            "\x15": lambda: self._kill(0, self._cursor),
            "\x17": lambda: self._kill(self._word_before(), self._cursor),
            "\x19": lambda: self._insert(self._killed),
            "\x7f": self._backspace,
            "[A": lambda: self._recall(1),
            "[B": lambda: self._recall(-1),
            "[C": lambda: self._move(self._cursor + 1),
            "[D": lambda: self._move(self._cursor - 1),
            "[H": lambda: self._move(0),
            "[F": lambda: self._move(len(self._text)),
            "[1~": lambda: self._move(0),
            "[4~": lambda: self._move(len(self._text)),
            "[3~": self._delete,
            "b": lambda: self._move(self._word_before()),
            "f": lambda: self._move(self._word_after()),
            "d": lambda: self._kill(self._cursor, self._word_after()),
            "\x7f alt": lambda: self._kill(self._word_before(), self._cursor),
        }

    @property
    def empty(self) -> bool:
        """Say whether nothing has been typed on this line."""
        return not self._text

    def feed(self, data: bytes) -> list[Effect]:
        """Take what the terminal sent."""
        effects: list[Effect] = []
        drawn = bytearray()
        for char in self._decoder.decode(data):
            for effect in self._char(char):
                if isinstance(effect, Drawn):
                    drawn += effect.data
                    continue
                if drawn:
                    effects.append(Drawn(bytes(drawn)))
                    drawn.clear()
                effects.append(effect)
        if drawn:
            effects.append(Drawn(bytes(drawn)))
        return effects

    def _char(self, char: str) -> list[Effect]:
        after_cr, self._after_cr = self._after_cr, char == "\r"
        if self._sequence is not None:
            return [Drawn(self._escaped(char))]
        if char == "\x1b":
            self._sequence = ""
            return []
        if char == "\n" and after_cr:
            return []
        if char in "\r\n":
            return self._submit()
        if char == "\x03":
            self._pasting = False
            return [*self._abandon(), Key(INTERRUPT)]
        if self._pasting or (char >= " " and char != "\x7f"):
            return [Drawn(self._typed(char))]
        if char == "\x1a":
            return [Key(SUSPEND)]
        if char == "\x04":
            return [Drawn(self._delete())] if self._text else [Key(END)]
        if self._sought is not None and char not in "\x12\x08\x7f":
            ended = self._end_search()
            return [Drawn(ended if char == "\x07" else ended + self._pressed(char))]
        return [Drawn(self._pressed(char))]

    def _pressed(self, key: str) -> bytes:
        action = self._keys.get(key)
        return BELL if action is None else action()

    def _escaped(self, char: str) -> bytes:
        """Take a character of an escape sequence; act once it is whole."""
        sequence = (self._sequence or "") + char
        self._sequence = sequence
        if char == "\x1b":
            self._sequence = ""
            return b""
        if sequence in ("[", "O") or (sequence[0] == "[" and len(sequence) > 1 and not "@" <= char <= "~"):
            if len(sequence) > SEQUENCE_CHARS:
                self._sequence = None
            return b""
        self._sequence = None
        if sequence in (_PASTE, _PASTED):
            self._pasting = sequence == _PASTE
            return b""
        ended = self._end_search() if self._sought is not None else b""
        if sequence[0] == "O":
            sequence = "[" + sequence[1:]
        if sequence == "\x7f":
            sequence = "\x7f alt"
        return ended + (self._pressed(sequence) if sequence[0] in "[bfd\x7f" else BELL)

    # The line.

    def _submit(self) -> list[Effect]:
        ended = self._end_search() if self._sought is not None else b""
        text = "".join(self._text)
        why = ""
        if self._bytes > LINE_BYTES:
            why = f"a line is longer than {LINE_BYTES} bytes"
        elif any((char < " " and char != "\t") or char == "\x7f" for char in text):
            why = "a line has control bytes in it"
        line = text.encode("utf-8", "surrogateescape")
        if text.strip() and not self.hidden and not why and self._history[-1:] != [text]:
            self._remember(text)
        moved = b"" if self.hidden else self.drawing.leave(self._shown(), self._cursor)
        hidden = self.hidden
        self._forget()
        return [Drawn(ended + moved + b"\r\n"), Submitted(line, why, hidden)]

    def _remember(self, text: str) -> None:
        self._history.append(text)
        while len(self._history) > HISTORY_LINES or sum(map(len, self._history)) > HISTORY_CHARS:
            del self._history[0]

    def _abandon(self) -> list[Effect]:
        self._sought = None
        moved = b"" if self.hidden else self.drawing.leave(self._shown(), self._cursor)
        self._forget()
        return [Drawn(moved + b"^C")]

    def _forget(self) -> None:
        self._text, self._cursor, self._bytes = [], 0, 0
        self._recalled, self._draft = 0, ""

    def _shown(self) -> list[str]:
        return [] if self.hidden else self._text

    def _typed(self, char: str) -> bytes:
        if self._sought is not None:
            self._sought += char
            return self._seek(0)
        return self._insert(char)

    def _insert(self, text: str) -> bytes:
        if self._bytes > LINE_BYTES:
            return BELL  # what follows does not matter: the line cannot go on any more
        self._text[self._cursor : self._cursor] = text
        self._cursor += len(text)
        self._bytes += len(text.encode("utf-8", "surrogateescape"))
        if self.hidden:
            return b""
        if self._cursor == len(self._text) and len(text) == 1:
            return self.drawing.append(text)
        return self._redraw()

    def _kill(self, begin: int, end: int) -> bytes:
        if begin < end:
            self._killed = "".join(self._text[begin:end])
        return self._cut(begin, end)

    def _cut(self, begin: int, end: int) -> bytes:
        if begin >= end:
            return BELL
        gone = "".join(self._text[begin:end])
        del self._text[begin:end]
        self._cursor = begin
        self._bytes -= len(gone.encode("utf-8", "surrogateescape"))
        return self._redraw()

    def _backspace(self) -> bytes:
        if self._sought is not None:
            self._sought = self._sought[:-1]
            return self._seek(0)
        return self._cut(max(0, self._cursor - 1), self._cursor)

    def _delete(self) -> bytes:
        return self._cut(self._cursor, min(len(self._text), self._cursor + 1))

    def _move(self, to: int) -> bytes:
        self._cursor = max(0, min(len(self._text), to))
        return b"" if self.hidden else self.drawing.moved(self._text, self._cursor)

    def _word_before(self) -> int:
        at = self._cursor
        while at and self._text[at - 1] in _BLANK:
            at -= 1
        while at and self._text[at - 1] not in _BLANK:
            at -= 1
        return at

    def _word_after(self) -> int:
        at = self._cursor
        while at < len(self._text) and self._text[at] in _BLANK:
            at += 1
        while at < len(self._text) and self._text[at] not in _BLANK:
            at += 1
        return at

    def _complete(self) -> bytes:
        """Complete a word from the words of the history, if one alone begins so; at a blank insert the tab itself."""
        before = "".join(self._text[: self._cursor])
        begun = before[max(before.rfind(" "), before.rfind("\t")) + 1 :]
        if not begun:
            return self._insert("\t")
        words = {word for line in self._history for word in line.split() if word.startswith(begun)} - {begun}
        return self._insert(words.pop()[len(begun) :] + " ") if len(words) == 1 else BELL

    # The history.

    def _recall(self, older: int) -> bytes:
        to = self._recalled + older
        if not 0 <= to <= len(self._history):
            return BELL
        if not self._recalled:
            self._draft = "".join(self._text)
        self._recalled = to
        return self._replace(self._history[-to] if to else self._draft)

    def _replace(self, text: str) -> bytes:
        self._text, self._cursor = list(text), len(text)
        self._bytes = len(text.encode("utf-8", "surrogateescape"))
        return self._redraw()

    def _search(self) -> bytes:
        if self.hidden:
            return BELL
        if self._sought is None:
            self._sought, self._found = "", 0
            return self._seek(0)
        return self._seek(1)

    def _seek(self, more: int) -> bytes:
        """Find the newest line that has what is sought, from the one found so far."""
        sought = self._sought or ""
        for back in range(max(1, self._found + more), len(self._history) + 1):
            if sought and sought in self._history[-back]:
                self._found = back
                text = self._history[-back]
                self._text, self._cursor = list(text), len(text)
                self._bytes = len(text.encode("utf-8", "surrogateescape"))
                break
        label = f"(reverse-i-search)`{sought}': "
        return self.drawing.searched(label, self._shown(), self._cursor)

    def _end_search(self) -> bytes:
        self._sought, self._found = None, 0
        return self.drawing.searched("", self._shown(), self._cursor)

    def _redraw(self) -> bytes:
        return b"" if self.hidden else self.drawing.redraw(self._text, self._cursor)
