"""Know where a here-document ends.

In      the word behind `<<`, then the lines of the body
Out     HereDocument; for each line, whether it is the last
Errors  ValueError: the delimiter is not a plain word
Source  POSIX.1-2017 XCU section 2.7.4; bash 5.2 make_cmd.c, make_here_document()
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DELIMITER = re.compile(
    r"(?:[^ \t\n;&|<>()'\"\\$`]|\\[^\n]|'[^'\n]*'|\"(?:[^\"\\\n$`]|\\[^\n])*\"|\$(?=[A-Za-z0-9_]))+"
)
_DELIMITER_PIECE = re.compile(r"\\(.)|'([^']*)'|\"((?:[^\"\\]|\\.)*)\"|([^'\"\\]+)")


@dataclass(frozen=True, slots=True)
class HereDocument:
    """A here-document: `quoted` says that its body is taken as it stands."""

    delimiter: str
    strips_tabs: bool
    quoted: bool

    def goes_on(self, line: str) -> bool:
        """Say whether the next line belongs to this one: it ends with a backslash that counts."""
        slashes = len(line) - len(line.rstrip("\\"))
        return not self.quoted and slashes % 2 == 1

    def ends(self, line: str) -> bool:
        """Say whether this line, joined with those that go on into it, ends the body."""
        return (line.lstrip("\t") if self.strips_tabs else line) == self.delimiter


def read_delimiter(text: str, at: int, *, strips_tabs: bool) -> tuple[HereDocument, int]:
    """Return the here-document whose delimiter begins here, and where that ends; raise ValueError."""
    found = _DELIMITER.match(text, at)
    if found is None or text.startswith(("$", "`", "\\"), found.end()):
        raise ValueError("the delimiter of a here-document is not a plain word")
    pieces = [piece.groups() for piece in _DELIMITER_PIECE.finditer(found[0])]
    word = "".join(
        escaped or single or re.sub(r'\\([\\"$`])', r"\1", double or "") or plain or ""
        for escaped, single, double, plain in pieces
    )
    quoted = any(plain is None for *_, plain in pieces)
    return HereDocument(word, strips_tabs, quoted), found.end()
