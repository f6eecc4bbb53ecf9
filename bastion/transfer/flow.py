"""Measure one file's bytes in one direction: how many, which digest, which parts of the file.

In      pieces of payload with their offset in the file
Out     the details of `progress` and `close` events
Holds   EXTENTS_MAX pairs of numbers
Source  FIPS 180-4 (SHA-256)
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

EXTENTS_MAX = 64

Direction = Literal["upload", "download"]


def path_text(path: bytes) -> str:
    """Return the path as text that is always valid UTF-8; other bytes show as `\\xNN`."""
    return path.decode("utf-8", "backslashreplace")


class Flow:
    """The running length and SHA-256 of what went one way, in the order it went."""

    __slots__ = ("_extents", "_names", "_sha256", "_truncated", "direction", "failed", "length")

    def __init__(self, direction: Direction, **names: str) -> None:
        self.direction: Direction = direction
        self.length = 0
        self.failed = 0
        self._names = names
        self._sha256 = hashlib.sha256()
        self._extents: list[list[int]] = []
        self._truncated = False

    def add(self, piece: bytes | memoryview, offset: int) -> dict[str, Any]:
        """Count a piece that belongs at this offset of the file; return the detail of its `progress`."""
        size = len(piece)
        self._sha256.update(piece)
        self.length += size
        self._extend(offset, size)
        return {
            "op": "progress",
            **self._names,
            "direction": self.direction,
            "offset": offset,
            "length": self.length,
            "sha256": self._sha256.copy().hexdigest(),
        }

    def closed(self, *, complete: bool, status: str, **more: Any) -> dict[str, Any]:
        """Return the detail of the `close` event."""
        sequential = len(self._extents) <= 1 and not self._truncated
        detail: dict[str, Any] = {
            "op": "close",
            **self._names,
            "direction": self.direction,
            "offset": self._extents[0][0] if self._extents else 0,
            "length": self.length,
            "sha256": self._sha256.hexdigest(),
            "sequential": sequential,
            "complete": complete and not self.failed,
            "status": status,
            **more,
        }
        if self.failed:
            detail["failed"] = self.failed
        if not sequential:
            detail["extents"] = self._extents
        if self._truncated:
            detail["extents_truncated"] = True
        return detail

    def _extend(self, offset: int, size: int) -> None:
        if self._truncated:
            return  # once an extent is left out, a later one must not look as if it followed the last kept
        if self._extents and sum(self._extents[-1]) == offset:
            self._extents[-1][1] += size
        elif len(self._extents) < EXTENTS_MAX:
            self._extents.append([offset, size])
        else:
            self._truncated = True
