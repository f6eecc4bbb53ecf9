"""Play conversations through a tap, and write sftp packets.

In      a tap and what each side says, in order
Out     Played: what came out for each side, the events, the fault if there was one
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from bastion.transfer import Side, Tap, TapEvent, Tapped, TransferError
from recorder.events import Kind

Talk = list[tuple[Side, bytes]]


@dataclass(slots=True, kw_only=True)
class Played:
    """What came of a conversation."""

    to_client: bytes = b""
    to_target: bytes = b""
    events: list[TapEvent] = field(default_factory=list)
    fault: str = ""

    def add(self, side: Side, tapped: Tapped) -> None:
        to_target, to_client = tapped.forward, tapped.release
        if side == "target":
            to_target, to_client = to_client, to_target
        self.to_target += to_target
        self.to_client += to_client
        self.events += tapped.events

    def files(self, *ops: str) -> list[dict[str, Any]]:
        """Return the details of FILE events, of these ops or of all but progress."""
        details = [event.detail for event in self.events if event.kind is Kind.FILE]
        return [it for it in details if (it["op"] in ops if ops else it["op"] != "progress")]

    def protocol(self, kind: Kind) -> bytes:
        """Return the recorded protocol bytes of one side that were passed on."""
        return b"".join(event.data for event in self.events if event.kind is kind and not event.detail)


def play(tap: Tap, talk: Talk) -> Played:
    """Play until the end or the first fault, then finish."""
    played = Played()
    for side, data in talk:
        try:
            played.add(side, tap.client(data) if side == "client" else tap.target(data))
        except TransferError as error:
            played.add(side, error.tapped)
            played.fault = error.public
            break
    played.events += tap.finish().events
    return played


def split(talk: Talk, sizes: list[int]) -> Talk:
    """Cut what each side says into pieces of these sizes, over and over."""
    pieces: Talk = []
    turn = 0
    for side, data in talk:
        at = 0
        while at < len(data):
            size = sizes[turn % len(sizes)]
            turn += 1
            pieces.append((side, data[at : at + size]))
            at += size
    return pieces


def merged(events: list[TapEvent]) -> list[tuple[Kind, bytes, dict[str, Any]]]:
    """Join protocol bytes that adjoin, and progress of one file that does."""
    result: list[tuple[Kind, bytes, dict[str, Any]]] = []
    for event in events:
        kind, data, detail = event.kind, event.data, event.detail
        if result and result[-1][0] is kind:
            _, before, earlier = result[-1]
            if kind is not Kind.FILE and earlier == detail:
                result[-1] = (kind, before + data, detail)
                continue
            same = all(detail.get(key) == earlier.get(key) for key in ("op", "path", "direction"))
            if same and detail.get("op") == "progress":
                result[-1] = (kind, b"", {**detail, "offset": earlier["offset"]})
                continue
        result.append((kind, data, detail))
    return result


def u32(number: int) -> bytes:
    return struct.pack(">I", number)


def u64(number: int) -> bytes:
    return struct.pack(">Q", number)


def string(text: bytes) -> bytes:
    return u32(len(text)) + text


def packet(packet_type: int, *fields: bytes) -> bytes:
    body = b"".join(fields)
    return struct.pack(">IB", len(body) + 1, packet_type) + body


def status(number: int, code: int = 0) -> bytes:
    return packet(101, u32(number), u32(code), string(b"said"), string(b""))


NO_ATTRIBUTES = u32(0)
GREETING: Talk = [("client", packet(1, u32(3))), ("target", packet(2, u32(3)))]


def opened(path: bytes, handle: bytes, flags: int, number: int = 1) -> Talk:
    """Return an OPEN and its HANDLE."""
    return [
        ("client", packet(3, u32(number), string(path), u32(flags), NO_ATTRIBUTES)),
        ("target", packet(102, u32(number), string(handle))),
    ]


def closed(handle: bytes, number: int = 2, code: int = 0) -> Talk:
    """Return a CLOSE and its STATUS."""
    return [("client", packet(4, u32(number), string(handle))), ("target", status(number, code))]


def write(number: int, handle: bytes, offset: int, payload: bytes) -> bytes:
    return packet(6, u32(number), string(handle), u64(offset), string(payload))


def read(number: int, handle: bytes, offset: int, length: int) -> bytes:
    return packet(5, u32(number), string(handle), u64(offset), u32(length))


def data(number: int, payload: bytes) -> bytes:
    return packet(103, u32(number), string(payload))
