"""Let through of terminal output only what draws, so that a recording cannot act on its reader's terminal.

In      bytes that a program wrote for a terminal, in any pieces
Out     the same text and its drawing controls, as UTF-8; all else is dropped
Holds   an undecoded UTF-8 sequence (3 bytes) and an unfinished control sequence (SEQUENCE_BOUND characters)
Source  ECMA-48 sections 5.4 (CSI), 5.6 (control strings) and 8.3; DEC STD 070; XTerm Control Sequences

What is dropped: titles, clipboard and hyperlinks (OSC), DCS, APC, PM, SOS, queries (the terminal would type
an answer), window operations, mouse, paste, focus and keyboard modes, media copy, the erasing of scrollback,
NUL, BEL and ENQ. ESC c would clear the reader's scrollback too, and becomes a soft reset and an erased
screen.

A control string hides what stands in it, as it does on a terminal, but never much: it ends at ST, BEL (OSC
only), ESC, CAN, SUB, CR, LF or after STRING_BOUND characters, and what follows is text. An 8-bit C1 control
is dropped by itself when it comes as UTF-8 and is U+FFFD when it comes as a bare byte; either way what
follows it is text.

Known limit: the rectangle operations of the VT420 and the character sets of other nations are dropped.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

SEQUENCE_BOUND = 256
STRING_BOUND = 4096
PARAMETER_MAX = 9999

_PLAIN_RUN = re.compile("[^\x00-\x07\x10-\x1f\x7f-\x9f]+")  # printable text, BS HT LF VT FF CR SO SI
_COLOUR = re.compile("\x1b\\[[0-9]{0,4}(?:[;:][0-9]{0,4}){0,16}m")  # the commonest sequence, taken whole
_DRAWING_C0 = frozenset("\x08\t\n\x0b\x0c\r\x0e\x0f")
_STRING_OPENERS = frozenset("]PX^_")
_STRING_PLAIN = re.compile("[^\x07\n\r\x18\x1a\x1b\x9c]+")
_ESCAPES = frozenset("78DEHM")
_CHARSETS = frozenset("0AB")
_MODES = frozenset({4, 20})
_PRIVATE_MODES = frozenset({5, 6, 7, 12, 25, 45, 47, 1047, 1048, 1049, 2026})
_ALTERNATE = frozenset({47, 1047, 1049})
# final byte -> how many parameters it may have; with more, some mean something else (CSI T: mouse tracking)
_CSI_PARAMETERS = dict.fromkeys("@ABCDEFGIJKLMPSTXZ`abdeg", 1) | {
    "H": 2,
    "f": 2,
    "r": 2,
    "s": 0,
    "u": 0,
}


class _State(Enum):
    GROUND = auto()
    ESCAPE = auto()
    CSI = auto()
    STRING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """One escape or control sequence that draws: `written` is all of it, `private` says that `?` led it."""

    written: str
    final: str
    csi: bool = False
    private: bool = False
    parameters: tuple[int, ...] = ()

    def parameter(self, index: int, default: int) -> int:
        """Return a parameter, or the default where it is absent or 0."""
        return (self.parameters[index] if index < len(self.parameters) else 0) or default


class TerminalFilter:
    """A parser for one stream of terminal output; `crlf` adds a CR to a lone LF, where no PTY has done so."""

    def __init__(self, *, crlf: bool = False) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._crlf = crlf
        self._after_cr = False
        self._restart()
        self.alternate_screen = False

    @property
    def held(self) -> int:
        """How many bytes of input wait for more: at most 3 undecoded and SEQUENCE_BOUND of a sequence."""
        return len(self._decoder.getstate()[0]) + len(self._pending)

    def feed(self, data: bytes) -> bytes:
        """Return what of the data draws, as whole UTF-8 characters and whole sequences."""
        return self._joined(self.pieces(data)).encode()

    def finish(self) -> bytes:
        """Return what was held, U+FFFD for a torn character, and drop an unfinished sequence."""
        pieces = list(self._pieces(self._decoder.decode(b"", final=True)))
        self._decoder.reset()
        self._restart()
        return self._joined(iter(pieces)).encode()

    def pieces(self, data: bytes) -> Iterator[str | Sequence]:
        """Yield what draws piece by piece: runs of text with C0 controls, and parsed sequences."""
        return self._pieces(self._decoder.decode(data))

    def _joined(self, pieces: Iterator[str | Sequence]) -> str:
        text = "".join(piece if isinstance(piece, str) else piece.written for piece in pieces)
        if self._crlf and text:
            lead, self._after_cr = self._after_cr, text.endswith("\r")
            text = re.sub("(?<!\r)\n", "\r\n", "\r" + text if lead else text)
            return text[1:] if lead else text
        return text

    def _restart(self) -> None:
        self._state = _State.GROUND
        self._pending = ""
        self._string_length = 0
        self._in_osc = False

    def _pieces(self, text: str) -> Iterator[str | Sequence]:
        at = 0
        while at < len(text):
            if self._state is _State.GROUND and (run := _PLAIN_RUN.match(text, at)):
                yield run.group()
                at = run.end()
            elif self._state is _State.GROUND and (run := _COLOUR.match(text, at)):
                yield Sequence(written=run.group(), final="m", csi=True)
                at = run.end()
            elif self._state is _State.STRING and (
                run := _STRING_PLAIN.match(text, at, at + self._string_left())
            ):
                self._string_length += run.end() - at
                at = run.end()
            elif self._state is _State.STRING and not self._string_left():
                self._restart()
            else:
                piece = self._step(text[at])
                at += 1
                if piece:
                    yield piece

    def _string_left(self) -> int:
        return STRING_BOUND - self._string_length

    def _step(self, char: str) -> str | Sequence | None:
        """Take one character that is not part of a plain run."""
        if char in "\x1b\x18\x1a":  # ESC, CAN and SUB end whatever is going on
            self._restart()
            self._state = _State.ESCAPE if char == "\x1b" else _State.GROUND
            return None
        if self._state is _State.STRING:
            return self._end_of_string(char)
        if char < " " or "\x7f" <= char <= "\x9f":
            # A C0 control inside a sequence acts at once and does not end it (DEC STD 070); a C1 ends it.
            if char >= "\x80":
                self._restart()
            return char if char in _DRAWING_C0 else None
        if self._state is _State.GROUND or char > "~":
            self._restart()
            return char
        if self._state is _State.ESCAPE and not self._pending and (char == "[" or char in _STRING_OPENERS):
            self._state = _State.CSI if char == "[" else _State.STRING
            self._in_osc = char == "]"
            return None
        return self._collect(char)

    def _end_of_string(self, char: str) -> str | None:
        if char == "\x07" and not self._in_osc:
            self._string_length += 1
            return None
        self._restart()
        return char if char in "\r\n" else None

    def _collect(self, char: str) -> str | Sequence | None:
        self._pending += char
        final = "@" <= char <= "~" if self._state is _State.CSI else "0" <= char <= "~"
        if not final:
            if len(self._pending) >= SEQUENCE_BOUND:
                self._restart()
            return None
        body, state = self._pending, self._state
        self._restart()
        return self._csi(body) if state is _State.CSI else self._escape(body)

    def _escape(self, body: str) -> Sequence | None:
        if body == "c":
            leave = "\x1b[?1049l" if self.alternate_screen else ""
            self.alternate_screen = False
            return Sequence(written=f"{leave}\x1b[!p\x1b[?5l\x1b(B\x0f\x1b[0m\x1b[H\x1b[2J", final="c")
        charset = len(body) == 2 and body[0] in "()*+" and body[1] in _CHARSETS
        line_size = len(body) == 2 and body[0] == "#" and body[1] in "34568"
        if body in _ESCAPES or charset or line_size:
            return Sequence(written=f"\x1b{body}", final=body)
        return None

    def _csi(self, body: str) -> Sequence | None:
        """Return the sequence if it draws, written anew with its parameters bounded."""
        final = body[-1]
        if body == "!p":
            return Sequence(written="\x1b[!p", final="!p", csi=True)
        if final == "m" and re.fullmatch("[0-9;:]*m", body):
            bounded = re.sub("[0-9]{5,}", str(PARAMETER_MAX), body)
            return Sequence(written=f"\x1b[{bounded}", final="m", csi=True)
        shape = re.fullmatch(r"(\??)([0-9;]*)[@-~]", body)
        if shape is None:
            return None
        private = shape[1] == "?"
        numbers = [min(int(number or 0), PARAMETER_MAX) for number in shape[2].split(";")] if shape[2] else []
        if final in "hl":
            numbers = [number for number in numbers if number in (_PRIVATE_MODES if private else _MODES)]
            if not numbers:
                return None
            if private and not _ALTERNATE.isdisjoint(numbers):
                self.alternate_screen = final == "h"
        elif (private and final not in "JK") or (final == "J" and max(numbers, default=0) > 2):
            return None  # CSI 3 J erases the reader's scrollback
        elif len(numbers) > _CSI_PARAMETERS.get(final, -1):
            if final not in "JK" or len(numbers) > 2:  # some `clear` write an empty second parameter
                return None
            numbers = numbers[:1]
        listed = ";".join(str(number) if number else "" for number in numbers)
        if len(numbers) == 1 and not listed:
            listed = "0"
        return Sequence(
            written=f"\x1b[{shape[1]}{listed}{final}",
            final=final,
            csi=True,
            private=private,
            parameters=tuple(numbers),
        )


_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Blank or invisible although Unicode counts them as letters, marks or symbols.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def plain(text: str) -> str:
    r"""Return untrusted text for one line of a display: what is not visible is written as `\xNN` or `\uNNNN`.

    That is: control, format (bidi, zero-width), unassigned and private characters, and all spaces but the
    ASCII one. A byte kept by surrogateescape (PEP 383) is written as that byte. A backslash stays as it is,
    so the result says what to look at and is not meant to be parsed back.
    """
    return "".join(map(_shown, text))


def _shown(char: str) -> str:
    if char == " " or (char.isprintable() and not _INVISIBLE.match(char)):
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code < 0x100:
        return _SHORT.get(char) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
