"""Fold a session's events into the one row that lists show.

The row is a cache of the events: verify folds them again and compares, so nothing here may be known only here.

In      the events of one session, in order
Out     Summary, whose `row()` is the row of table `sessions`
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from recorder.events import Event, Kind


class State(StrEnum):
    """Where a session stands."""

    ACTIVE = "active"
    CLOSED = "closed"
    INTERRUPTED = "interrupted"


ROW_KINDS = frozenset(
    {Kind.OPEN, Kind.REQUEST, Kind.MASK, Kind.LIMIT, Kind.FILE, Kind.DIGEST, Kind.EXIT, Kind.CLOSE}
)  # events that change the row
LIMIT_PREFIX = "limit "  # in an exposure, before a limit's id: no detector is called so


FILES = {"download": "files out", "upload": "files in"}  # in an exposure: no detector is called so
_STREAMS = {"output": FILES["download"], "input": FILES["upload"]}


def split_exposure(exposure: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return what a row's exposure says of detectors, of limits by their ids, and of files (by FILES)."""
    files = {way: exposure[way] for way in FILES.values() if way in exposure}
    limits = {name: counts for name, counts in exposure.items() if name.startswith(LIMIT_PREFIX)}
    detectors = {
        name: counts for name, counts in exposure.items() if name not in files and name not in limits
    }
    return detectors, {name.removeprefix(LIMIT_PREFIX): counts for name, counts in limits.items()}, files


@dataclass(slots=True, kw_only=True)
class Summary:
    """What is known of a session so far; times are microseconds since 1970."""

    id: str
    state: State = State.ACTIVE
    identity: str = ""
    owner: str = ""
    target: str = ""
    login: str = ""
    access: list[str] = field(default_factory=list)
    started_us: int = 0
    ended_us: int | None = None
    exit_status: int | None = None
    exit_signal: str | None = None
    end_reason: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    claims: dict[str, str] = field(default_factory=dict)
    # Of a detector its hits by what became of them; of a limit (LIMIT_PREFIX) what was counted by measure; of FILES how
    # many by what their content was, and their bytes.
    exposure: dict[str, dict[str, int]] = field(default_factory=dict)

    def apply(self, event: Event) -> bool:
        """Take one event in; say whether the row has changed."""
        if event.kind not in ROW_KINDS:
            return False
        detail = event.detail
        match event.kind:
            case Kind.OPEN:
                self.identity, self.owner = detail["identity"], detail["owner"]
                self.target, self.login = detail["target"], detail["login"]
                self.started_us, self.claims = detail["started_us"], dict(detail["claims"])
            case Kind.REQUEST:
                if detail.get("access") and detail["access"] not in self.access:
                    self.access.append(detail["access"])
            case Kind.MASK:
                for detector, _kind, action, *_place in detail["hits"]:
                    counts = self.exposure.setdefault(detector, {})
                    counts[action] = counts.get(action, 0) + 1
            case Kind.LIMIT:
                for limit, counts in detail["counted"].items():
                    self.exposure[LIMIT_PREFIX + limit] = dict(counts)
            case Kind.FILE:
                return self._file(detail)
            case Kind.DIGEST:
                if not detail.get("ended"):
                    return False
                self._count(_STREAMS[detail["stream"]], "unread", detail["length"])
            case Kind.EXIT:
                self.exit_status, self.exit_signal = detail.get("status"), detail.get("signal")
            case Kind.CLOSE:
                self.state = State(detail["state"])
                self.ended_us = self.started_us + event.at_us
                self.end_reason = detail["reason"]
                self.bytes_in, self.bytes_out = detail["bytes_in"], detail["bytes_out"]
        return True

    def _file(self, detail: dict[str, Any]) -> bool:
        """Count a file of which something has passed, or would have; say whether it is one."""
        content = detail.get("content", "unread")
        moved = detail["op"] == "close" and (detail["length"] or detail.get("eof") or content == "stopped")
        if moved:
            self._count(FILES[detail["direction"]], content, detail["length"])
        return bool(moved)

    def _count(self, way: str, content: str, length: int) -> None:
        counts = self.exposure.setdefault(way, {"bytes": 0})
        counts[content] = counts.get(content, 0) + 1
        counts["bytes"] += length

    def row(self) -> dict[str, Any]:
        """Return the row, by column, without `seal` (which the audit chain gives)."""
        return {
            "id": self.id,
            "state": self.state.value,
            "identity": self.identity,
            "owner": self.owner,
            "target": self.target,
            "login": self.login,
            "access": ",".join(self.access),
            "started_us": self.started_us,
            "ended_us": self.ended_us,
            "exit_status": self.exit_status,
            "exit_signal": self.exit_signal,
            "end_reason": self.end_reason,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "claims": json.dumps(self.claims, sort_keys=True),
            "exposure": json.dumps(self.exposure, sort_keys=True),
        }
