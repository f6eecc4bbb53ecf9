"""Cut shell input into statements: what bash reads as one complete command, line by line, and then runs.

In      bytes as they come; any split of the same bytes gives the same pieces
Out     Piece, in order: over all pieces every byte comes out once, until one that is not whole
Holds   one statement, MAX_STATEMENT_BYTES
Source  docs/gate.md; bash 5.2, which runs the commands of a line once the line is read
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from policies.shell.analyse import MAX_STATEMENT_BYTES
from policies.shell.openings import Lost, Openings

_RESERVED = rb"if|for|while|until|case|select|function|time|coproc|!|then|else|elif|do|fi|done|esac"
_WORD = rb"[A-Za-z0-9_./:=,@%+*?~^\[\]!-]"
_QUOTED = rb"'[^'\\\n\0]*+'|\"[^\"\\$`\n\0]*+\"|\$[A-Za-z_][A-Za-z0-9_]*+"
_PLAIN = re.compile(
    rb"[ \t]*+(?!(?:" + _RESERVED + rb"|\[\[)(?![A-Za-z0-9_./:=-]))"
    rb"(?:" + _WORD + rb"++|" + _QUOTED + rb")+(?:[ \t]++(?:" + _WORD + rb"++|" + _QUOTED + rb")*)*\n"
)
_BLANK = re.compile(rb"[ \t]*+(?:#[^\n\0]*+)?\n")


@dataclass(frozen=True, slots=True)
class Piece:
    """A statement with its newline (bytes exactly as they came).

    `why` says what makes it one that cannot be understood. If it is not `whole`, `source` is only its beginning: it
    can never be passed on, and nothing follows it. A `blank` one has no command in it.
    """

    source: bytes
    why: str = ""
    whole: bool = True
    blank: bool = False

    @property
    def text(self) -> str:
        return self.source.decode("utf-8", "surrogateescape")


class ShellAssembler:
    """Bytes in, statements out."""

    def __init__(self) -> None:
        self._held = bytearray()  # the statement so far
        self._line = 0  # where in it the line begins that is not whole yet
        self._openings = Openings()
        self._why = ""
        self._over = False

    @property
    def pending(self) -> bool:
        """Say whether a statement has begun and waits for more lines."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[Piece]:
        """Take bytes; return the statements that they complete."""
        pieces: list[Piece] = []
        at = 0
        while at < len(data) and not self._over:
            ends = at + MAX_STATEMENT_BYTES
            found = None if self._held else _PLAIN.match(data, at, ends) or _BLANK.match(data, at, ends)
            if found is not None:
                pieces.append(Piece(found[0], blank=found.re is _BLANK))
                at = found.end()
                continue
            end = data.find(b"\n", at) + 1 or len(data)
            end = min(end, at + MAX_STATEMENT_BYTES + 1 - len(self._held))
            self._held += data[at:end]
            at = end
            pieces += self._look()
        return pieces

    def finish(self) -> list[Piece]:
        """End the input; return what was held: a statement whose newline is missing, or one that is not whole."""
        if self._over or not self._held:
            return []
        source = bytes(self._held)
        if len(source) == self._line or not self._ends(source[self._line :] + b"\n"):
            why = self._why or f"the input ends within {self._openings.what}"
            return [self._taken(Piece(source, why))]
        return [self._taken(Piece(source, self._why, blank=_BLANK.fullmatch(source + b"\n") is not None))]

    def reset(self) -> None:
        """Forget a statement that has begun."""
        self._taken(Piece(b""))

    def _look(self) -> list[Piece]:
        """Look at what was added to the statement: at most one line, which is then whole or not."""
        nul = self._held.find(0, self._line)
        if nul >= 0:
            self._over = True
            return [self._taken(Piece(bytes(self._held[: nul + 1]), "it has a NUL byte in it", whole=False))]
        if len(self._held) > MAX_STATEMENT_BYTES:
            self._over = True
            why = f"it is longer than {MAX_STATEMENT_BYTES} bytes"
            return [self._taken(Piece(bytes(self._held[:MAX_STATEMENT_BYTES]), why, whole=False))]
        if self._held[-1:] != b"\n":
            return []
        line = bytes(self._held[self._line :])
        self._line = len(self._held)
        if not self._ends(line):
            return []
        source = bytes(self._held)
        return [self._taken(Piece(source, self._why, blank=_BLANK.fullmatch(source) is not None))]

    def _ends(self, line: bytes) -> bool:
        """Say whether the statement ends with this line."""
        self._why = ""
        try:
            return self._openings.line(line.decode("latin-1"))
        except Lost as lost:
            self._why = str(lost)
            return True

    def _taken(self, piece: Piece) -> Piece:
        self._held.clear()
        self._line = 0
        self._openings = Openings()
        return piece
