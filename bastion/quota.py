"""Bound how much content a session's recording holds.

In      events that are to be recorded
Out     the events, or digests in their place where a rule lets the session go on by these alone
Errors  QuotaExceeded
Source  docs/configuration.md, recorder.quota
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from bastion.errors import BastionError
from recorder.events import Event, Kind, weight
from recorder.recording import Recording


class QuotaExceeded(BastionError):
    """The session holds as much content as the recorder's quota allows, and no rule lets it go on."""

    code = "quota"


@dataclass(slots=True, kw_only=True)
class Quota:
    """How much content a session may hold, and whether it may then go on by length and digest alone."""

    limit_bytes: int
    digest_only: bool
    _running: dict[tuple[int, Kind], tuple[int, Any]] = field(default_factory=dict)

    def apply(self, recording: Recording, events: list[Event]) -> list[Event]:
        """Return the events to record; raise QuotaExceeded."""
        size = sum(weight(event) for event in events)
        if recording.content_bytes + size <= self.limit_bytes:
            return events
        if not self.digest_only:
            raise QuotaExceeded(
                f"this session has reached the recorder's quota of {self.limit_bytes} bytes of content"
            )
        return [self._digest(recording, event) if event.data else event for event in events]

    def _digest(self, recording: Recording, event: Event) -> Event:
        length, running = self._running.setdefault((event.channel, event.kind), (0, hashlib.sha256()))
        running.update(event.data)
        length += len(event.data)
        self._running[event.channel, event.kind] = (length, running)
        return recording.event(
            Kind.DIGEST, event.channel, stream=event.kind.value, length=length, sha256=running.hexdigest()
        )
