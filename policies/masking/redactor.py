"""Mask a stream: bytes in, bytes out, hits beside them; however the bytes are split, the same comes out.

In      bytes in any pieces; flush_idle when nothing more came for a while; finish at the end
Out     Masked: bytes that may be released, and the hits that ended in them; a hit never has the value
Holds   at most HOLD_BACK bytes that are not out yet, and CONTEXT bytes that are
Errors  DetectorFault, which names the detector that threw: the stream cannot go on (law L2)
Source  docs/masking.md; laws L10 and L11
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

from policies.masking.action import PASSES, REDACT, Action, ActionKind
from policies.masking.compiled import MAX_MATCH
from policies.masking.detector import Detector
from policies.masking.finder import Finder, Span
from policies.masking.hashed import hash_value
from policies.masking.key_block import KeyBlock
from policies.masking.table import Table

CONTEXT = 1024  # bytes of its line that may tell what a value is
HOLD_BACK = 32 * 1024  # bytes of a line without an end that are held
IDLE_CHARACTERS = 4  # of what may still become a match, let out when nothing more comes


@dataclass(frozen=True, slots=True)
class Hit:
    """Something was found: where (line and column from 1, the column in bytes), how long, and what became of it.

    `offset` is where in the stream it begins.
    """

    detector: str
    kind: str
    action: str
    line: int
    column: int
    length: int
    offset: int


@dataclass(frozen=True, slots=True)
class Masked:
    """What may be released, and what was found in it."""

    out: bytearray
    hits: list[Hit]


@dataclass(slots=True)
class _Region:
    """Spans that overlap or follow on each other: one mask stands for them, and has the first one's name."""

    start: int  # in the stream
    end: int
    detector: Detector
    action: Action
    value: bytes = b""  # so far, where what stands for it depends on it
    line: int = 0
    column: int = 0
    marked: bool = False  # its mask is out


class Redactor:
    """One stream. `actions` are by detector's name; what is not named is redacted.

    `passes` has, by detector, the hashes of values that pass, made with `value_key`.
    """

    def __init__(
        self,
        finder: Finder,
        *,
        key: bytes,
        actions: Mapping[str, Action] | None = None,
        passes: Mapping[str, frozenset[str]] | None = None,
        value_key: bytes = b"",
    ) -> None:
        self._finder, self._key, self._actions = finder, key, dict(actions or {})
        self._passes, self._value_key = passes or {}, value_key
        self._held = b""
        self._at = 0  # where in the stream `_held` begins
        self._out = 0  # how much of `_held` is out already
        self._line, self._column = 1, 1  # of the first byte of `_held`
        self._table: Table | None = None
        self._block: KeyBlock | None = None
        self._open: _Region | None = None

    @property
    def held_bytes(self) -> int:
        """How much is held back."""
        return len(self._held) - self._out

    @property
    def kept_bytes(self) -> int:
        """How much is looked through again with what comes: what is held back, and what is there for context."""
        return len(self._held)

    @property
    def under_way(self) -> Hit | None:
        """Return what has begun and not ended, as far as it has come."""
        return None if self._open is None else _hit(self._open)

    def copy(self) -> Redactor:
        """Return another that goes on from here."""
        other = copy.copy(self)
        other._open = None if self._open is None else replace(self._open)
        return other

    def feed(self, data: bytes) -> Masked:
        """Take more of the stream; return what may be released."""
        self._held = self._held + data if self._held else data
        masked = Masked(bytearray(), [])
        limit = self._held.rfind(b"\n") + 1
        if limit > self._out:
            self._settle(limit, masked, whole_lines=True)
        while self.held_bytes > HOLD_BACK:
            self._settle(self._out + HOLD_BACK, masked, whole_lines=False)
        return masked

    def flush_idle(self) -> Masked:
        """Let out what can no longer become a match, and at most IDLE_CHARACTERS of what still can.

        A match that could end here is let out as its mask, or who waits for the rest of an answer would wait for ever;
        should it go on all the same, so does the mask.
        """
        masked = Masked(bytearray(), [])
        held = self._held
        if self._block is not None or len(held) == self._out:
            return masked
        safe, is_value = self._finder.undecided(held)
        if self._table is not None:
            line = held.rfind(b"\n") + 1
            cell = self._table.reached(held[line:])
            if cell is not None and line + cell < safe:
                safe, is_value = line + cell, True
        found = self._finder.find(held, table=self._table)
        regions = self._regions(found.spans)
        if found.key is None:
            safe, is_value = self._past_ended(held, found.spans, safe, is_value)
        if len(held.rstrip(b"\r\n")) - safe <= IDLE_CHARACTERS and not is_value:
            safe = len(held)
        if found.key is not None:
            safe = min(safe, found.key_begin)
        safe = max(self._out, self._before_region(regions, safe))
        self._emit(held, safe, regions, masked)
        self._out = safe
        return masked

    def _past_ended(self, held: bytes, spans: list[Span], safe: int, is_value: bool) -> tuple[int, bool]:
        """Return from where the bytes are undecided, leaving out what could end, or has ended, as a match."""
        said = len(held.rstrip(b" \r\n"))
        for start, end in sorted((span.start, span.end) for span in spans):
            if start <= safe < end and (end >= said or held.endswith(b"\n")):
                after, is_value = self._finder.undecided(held[end:])
                safe = end + after
        return safe, is_value

    def finish(self) -> Masked:
        """Let out what is left: nothing more comes."""
        masked = Masked(bytearray(), [])
        found = self._finder.find(self._held, key=self._block, table=self._table, final=True)
        self._block = None
        self._emit(self._held, len(self._held), self._regions(found.spans), masked)
        self._advance(self._held, len(self._held))
        self._out, self._table = 0, None
        return masked

    def _settle(self, limit: int, masked: Masked, *, whole_lines: bool) -> None:
        """Decide what can be decided of the first `limit` bytes that are held, and let that out."""
        text = self._held[:limit]
        found = self._finder.find(text, key=self._block, table=self._table)
        # A match that begins before this place is whole within the text, and so is all that tells what it is.
        safe = limit if whole_lines else limit - MAX_MATCH - CONTEXT
        block, wrap = None, limit
        if found.key is not None and (whole_lines or self._block is not None or found.key_begin < safe):
            block, safe = found.key, limit if found.key_wait < 0 else found.key_wait
        elif whole_lines:
            wrap = self._finder.undecided_wrap(text)
            safe = max(self._out, min(safe, wrap))
        regions = self._regions(
            [span for span in found.spans if whole_lines or block is not None or span.start < safe]
        )
        if block is None and (before := self._before_region(regions, safe)) > self._out - whole_lines:
            safe = before  # else one mask goes on and on: what it hides need not be held
        self._block = block
        self._emit(text, safe, regions, masked)
        line = text.rfind(b"\n", 0, safe) + 1
        table = found.table_at(line)
        begin = safe
        if block is None:
            begin = line if table is not None and limit - line < HOLD_BACK else max(line, safe - CONTEXT)
            begin = min(begin, wrap)  # what an idle flush has let out of a match that may go on
        self._table = table if block is None else None
        self._advance(text, begin)
        self._out = safe - begin

    def _before_region(self, regions: list[_Region], safe: int) -> int:
        """Return the place itself, or the start of the region that lies across it, if that is not out yet."""
        for region in regions:
            start, end = region.start - self._at, region.end - self._at
            if start < safe < end and start >= self._out:
                return start
        return safe

    def _advance(self, text: bytes, begin: int) -> None:
        lines = text.count(b"\n", 0, begin)
        if lines:
            self._line += lines
            self._column = begin - text.rfind(b"\n", 0, begin)
        else:
            self._column += begin
        self._held = self._held[begin:]
        self._at += begin

    def _regions(self, spans: list[Span]) -> list[_Region]:
        """Return the regions that the spans make, in order, the one that is open already first."""
        regions = [] if self._open is None else [self._open]
        for span in sorted(spans, key=lambda it: (it.start, it.detector.rank, -it.end)):
            action = self._action(span)
            start, end = span.start + self._at, span.end + self._at
            if end <= self._at + self._out:
                continue
            last = regions[-1] if regions else None
            if last is not None and (start < last.end or (start == last.end and last is self._open)):
                last.end = max(last.end, end)
                if last.action.kind is ActionKind.DETECT and action.kind is not ActionKind.DETECT:
                    last.detector, last.action = (
                        span.detector,
                        action,
                    )  # what passes never shields what must not
            else:
                regions.append(_Region(start, end, span.detector, action))
        return regions

    def _action(self, span: Span) -> Action:
        """Return what becomes of what was found: of a value that an exception names, that it passes."""
        name = span.detector.name
        hashes = self._passes.get(name)
        if hashes and hash_value(self._value_key, self._held[span.start : span.end]) in hashes:
            return PASSES
        return self._actions.get(name, REDACT)

    def _emit(self, text: bytes, safe: int, regions: list[_Region], masked: Masked) -> None:
        """Let out the bytes from `_out` to `safe`, masks in the place of regions."""
        at = self._out
        self._open = None
        seen, line, column = 0, self._line, self._column
        for region in regions:
            start, end = max(region.start - self._at, at), region.end - self._at
            if start >= safe and not (region.line and end <= safe):
                break
            masked.out.extend(text[at:start])
            if not region.line:
                if lines := text.count(
                    b"\n", seen, start
                ):  # from the last hit on: many do not take longer each
                    line, column = line + lines, start - text.rfind(b"\n", seen, start)
                else:
                    column += start - seen
                seen = start
                region.line, region.column = line, column
            at = min(end, safe)
            self._mask(region, text[start:at], masked.out)
            if end < safe or (end == safe and self._block is None):
                self._close(region, masked)
            else:
                self._open = region
        masked.out.extend(text[at:safe])

    def _mask(self, region: _Region, value: bytes, out: bytearray) -> None:
        """Take the bytes of a region; what stands for them goes out at once where it does not depend on them."""
        if region.action.kind is ActionKind.DETECT:
            out += value
        elif region.action.kind is not ActionKind.REDACT:
            region.value = (region.value + value)[:HOLD_BACK]
        elif not region.marked and value:
            out += region.action.replacement(region.detector, value, self._key)
            region.marked = True

    def _close(self, region: _Region, masked: Masked) -> None:
        if region.value:
            masked.out.extend(region.action.replacement(region.detector, region.value, self._key))
        masked.hits.append(_hit(region))


def _hit(region: _Region) -> Hit:
    return Hit(
        region.detector.name,
        region.detector.kind.value,
        region.action.kind.value,
        region.line,
        region.column,
        region.end - region.start,
        region.start,
    )
