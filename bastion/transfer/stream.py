"""Watch a stream of file content that is not kept: the running length and SHA-256 of each direction.

In      the bytes of both sides of an rsync or git server
Out     Tapped: all bytes go on; a DIGEST event for each piece, and a last one for each direction
"""

from __future__ import annotations

import hashlib
from typing import Any

from bastion.transfer.stream_command import StreamCommand
from bastion.transfer.tap import Judged, Side, TapEvent, Tapped
from recorder.events import Kind


class _Direction:
    """What has passed one way."""

    def __init__(self, stream: Kind, of: str) -> None:
        self.length = 0
        self._sha256 = hashlib.sha256()
        self._names = {"stream": stream.value, "of": of}

    def pass_on(self, data: bytes) -> Tapped:
        if not data:
            return Tapped()
        self._sha256.update(data)
        self.length += len(data)
        return Tapped(forward=data, events=(self.event(),))

    def event(self, **more: Any) -> TapEvent:
        """Return what has passed so far."""
        so_far = {"length": self.length, "sha256": self._sha256.hexdigest()}
        return TapEvent(kind=Kind.DIGEST, detail={**self._names, **so_far, **more})


class StreamTap:
    """A Tap for one rsync or git server."""

    looks = crosses = False

    def __init__(self, command: StreamCommand) -> None:
        self._in = _Direction(Kind.INPUT, command.program)
        self._out = _Direction(Kind.OUTPUT, command.program)
        self._finished = False

    @property
    def stalled(self) -> Side | None:
        """Hold nothing; see Tap."""
        return None

    def client(self, data: bytes) -> Tapped:
        """Take bytes from the bot; see Tap."""
        return self._in.pass_on(data)

    def target(self, data: bytes) -> Tapped:
        """Take bytes from the target; see Tap."""
        return self._out.pass_on(data)

    def answered(self, side: Side, judged: Judged) -> Tapped:
        """Nothing of it waits; see Tap."""
        return Tapped()

    def finish(self) -> Tapped:
        """Say the last word on each direction in which anything passed, once; see Tap."""
        ends = (
            [] if self._finished else [way.event(ended=True) for way in (self._in, self._out) if way.length]
        )
        self._finished = True
        return Tapped(events=tuple(ends))
