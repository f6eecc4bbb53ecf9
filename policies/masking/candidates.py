"""Look for all gates in a text at once: each place where a match may begin.

In      gates: a number and a bounded expression each
Out     Scan: (number, where it begins) for each candidate
Holds   databases of Hyperscan, and for each as many scratches as threads have used it at once
Errors  DetectorInvalid
Source  Hyperscan: linear time; a scratch serves one scan at a time
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import hyperscan

from policies.masking.errors import DetectorInvalid

Scan = Callable[[bytes], list[tuple[int, int]]]
_Found = Callable[[int, int, int, int, object], None]


class _Database:
    """A database that any number of threads may use at once."""

    def __init__(self, gates: Sequence[tuple[int, str]]) -> None:
        flags = hyperscan.HS_FLAG_SOM_LEFTMOST | hyperscan.HS_FLAG_MULTILINE
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=[gate.encode() for _, gate in gates],
            ids=[number for number, _ in gates],
            elements=len(gates),
            flags=[flags] * len(gates),
        )
        self._free: list[hyperscan.Scratch] = []

    def scan(self, text: bytes, found: _Found) -> None:
        """Call back for each match."""
        try:
            scratch = self._free.pop()
        except IndexError:
            scratch = hyperscan.Scratch(self._database)
        try:
            self._database.scan(text, match_event_handler=found, scratch=scratch)
        finally:
            self._free.append(scratch)


def scanner(gates: Sequence[tuple[int, str]]) -> Scan:
    """Return what finds all candidates in a text, as (number, where they begin)."""
    if not gates:
        return lambda _text: []
    offset = -min(0, *(number for number, _ in gates))  # Hyperscan takes no negative numbers
    databases = _databases([(number + offset, gate) for number, gate in gates])

    def scan(text: bytes) -> list[tuple[int, int]]:
        hits: list[tuple[int, int]] = []

        def found(number: int, start: int, _end: int, _flags: int, _context: object) -> None:
            hits.append((number - offset, start))

        if text:
            for database in databases:
                database.scan(text, found)
        return hits

    return scan


def _databases(gates: Sequence[tuple[int, str]]) -> list[_Database]:
    """Return what finds all gates: one database, or halves of it while it is too large for the engine."""
    try:
        return [_Database(gates)]
    except hyperscan.error as error:
        if len(gates) == 1:
            raise DetectorInvalid("of this gate", gates[0][1], str(error)) from error
        half = len(gates) // 2
        return _databases(gates[:half]) + _databases(gates[half:])
