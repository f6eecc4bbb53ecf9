"""Follow a private key from its header to the first thing outside its grammar, in any chunks.

In      text after a header such as `-----BEGIN PRIVATE KEY-----`, real or escaped line ends and all
Out     the span of the key's words; where it must wait for more; whether it has ended
Holds   nothing of the text: the width of the key's lines, and how much it has followed
Source  RFC 7468; RFC 1421 headers; RFC 4880 armor; OpenSSH and PuTTY key files
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_KEY_BYTES = 32 * 1024
LEAST_WORD = 16  # characters of a key's first line
MAX_GAP = 512  # bytes of line ends, indents and fields between two words

HEADER = (
    r"(?:-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|---- BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY ----"
    r"|\bPrivate-Lines: [0-9]{1,4})"
)

_GAP = re.compile(
    rb"""(?x)(?: \s | \\{1,4}[nrt] | ["',+;>|\#*\\] | &\#1[03];
    | (?:Proc-Type|DEK-Info):[ ][^\s\\"']{0,200}
    | (?:Version|Comment|Hash|Charset|MessageID|Subject|X-[A-Za-z-]{1,30}):[ ][^\n\\"']{0,200}
    | (?<![A-Za-z0-9+/=])\d{1,6}[:\t)|] | (?m:^)[\w./-]{1,120}: )*"""
)
_WORD = re.compile(rb"[A-Za-z0-9+/=]*")


@dataclass(slots=True)
class KeyBlock:
    """One key, while its lines come by."""

    width: int = 0
    short: bool = False  # a line shorter than the first has come: it was the last
    followed: int = 0
    _word: int = 0  # characters of a word that is not at its end yet, and masked already

    def follow(self, text: bytes, at: int, *, final: bool) -> tuple[int, int, int, bool]:
        """Follow the text from `at`; return start and end of what is the key, from where to wait, and if it ended.

        Start and end are equal where nothing of the key was there. Waiting from the end of the text is for nothing.
        """
        start = end = at
        begun = self.width > 0  # then what parts the words is the key's as well
        while True:
            gap = _GAP.match(text, at)
            after = gap.end() if gap is not None and not self._word else at
            word = _WORD.match(text, after)
            stop = word.end() if word is not None else after
            if stop == len(text) and not final:
                if stop - after + self._word > max(MAX_KEY_BYTES // 4, self.width) and not self.short:
                    self._word += stop - after
                    self.followed += stop - after
                    return (start if begun else after), stop, stop, False
                if after - at <= MAX_GAP:
                    return start, end, at, False
            size = stop - after + self._word
            self._word = 0
            if after - at > MAX_GAP or not self._fits(text[after:stop], size):
                return start, end, at, True
            start, begun = (start if begun else after), True
            end = at = stop
            self.followed += stop - after
            if self.followed >= MAX_KEY_BYTES:
                return start, end, at, True

    def _fits(self, word: bytes, size: int) -> bool:
        if not self.width:
            self.width = size
            return size >= LEAST_WORD
        if word.startswith(b"=") and size == 5:
            return True
        if self.short or not size or size > self.width:
            return False
        self.short = size < self.width
        return True
