"""Name what can happen in a session, and give each event its one shape.

In      what the relay saw, in order
Out     bytes: one MessagePack array of arrays [at_us, kind, channel, data, detail]
Errors  EventDecodeError, with the index of the event
Source  docs/recording-format.md; MessagePack specification
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

import msgspec


class Kind(StrEnum):
    """What an event says; the comment names what `data` and `detail` hold."""

    OPEN = "open"  # detail: the session's header, see recorder.recording.Header
    REQUEST = "request"  # data: the command's bytes or the subsystem; detail: access, type, pty (what terminal), env
    VERDICT = "verdict"  # detail: verdict, rules, reason
    STATEMENT = "statement"  # data: its bytes; detail: verdict, rules, reason, policy (its digest), facts, …
    HOLD = "hold"  # detail: hold (its id), state, rules, groups, expires_at, reason
    INPUT = "input"  # data: bytes from the bot to the target
    OUTPUT = "output"  # data: bytes from the target to the bot
    ERROR = "error"  # data: bytes from the target to the bot's stderr
    NOTICE = "notice"  # data: bytes that the bastion itself wrote to the bot's stderr
    CLIENT_PROTOCOL = "client-protocol"  # data: sftp or scp bytes from the bot, file payload left out
    TARGET_PROTOCOL = "target-protocol"  # data: sftp or scp bytes from the target, file payload left out
    FILE = "file"  # detail: op, path, direction, length, sha256, ... see bastion.transfer
    DIGEST = "digest"  # detail: stream, length, sha256 of content that is not kept; of, ended: see bastion.transfer
    MASK = (
        "mask"  # detail: stream, hits: [[detector, kind, action, line, column, length], …]; never the values
    )
    LIMIT = "limit"  # detail: counted: {limit: {measure: so far}}; of one that was exceeded: limit, verdict, figure, …
    RESIZE = "resize"  # detail: cols, rows, width_px, height_px
    SIGNAL = "signal"  # detail: name, from the bot to the target
    EOF = "eof"  # detail: side, "client" or "target"; `of` "output" when the bot reads no more
    REFUSED = (
        "refused"  # detail: what, reason: a forwarding, agent or environment request that was turned down
    )
    MARKER = "marker"  # detail: label
    EXIT = "exit"  # detail: status, or signal, core, message
    CLOSE = "close"  # detail: state, reason, bytes_in, bytes_out


class EventDecodeError(ValueError):
    """The bytes are not events; the message names the index of the first that is not."""


class Event(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One thing that happened: `at_us` is microseconds since the session began, never decreasing.

    `channel` is the SSH channel's number within the session, counted from 1; 0 is the session itself.
    """

    at_us: int
    kind: Kind
    channel: int = 0
    data: bytes = b""
    detail: dict[str, Any] = {}


_encoder = msgspec.msgpack.Encoder()
_detail_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Event])


def encode_events(events: Iterable[Event]) -> bytes:
    """Return the events as one MessagePack array."""
    return _encoder.encode(list(events))


def decode_events(body: bytes) -> list[Event]:
    """Return the events that `encode_events` wrote; raise EventDecodeError on anything else."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise EventDecodeError(f"not a list of events: {error}") from error


def weight(event: Event) -> int:
    """Return about how many bytes the event takes in a recording before compression."""
    try:
        detail = len(_detail_encoder.encode(event.detail)) if event.detail else 0
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError):
        detail = 0  # it cannot be written, which whoever writes it will say
    return len(event.data) + 16 + detail


def only(kind: Kind, events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events of one kind."""
    return (event for event in events if event.kind is kind)
