"""Cut one direction of SFTP into packets, and read the fields of a packet.

In      bytes of one side
Out     Packet: a whole packet, or the head of one with payload; Piece: payload as it comes
Holds   PACKET_BYTES_MAX of a packet that is not whole; never payload
Errors  TransferError
Source  draft-ietf-secsh-filexfer-02 sections 3, 5 and 6
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from bastion.transfer.errors import TransferError
from bastion.transfer.tap import Side

PACKET_BYTES_MAX = 256 * 1024  # what OpenSSH takes; payload streams through and is not held
PAYLOAD_BYTES_MAX = 16 * 1024 * 1024
HANDLE_BYTES_MAX = 256  # draft section 6.1
PATH_BYTES_MAX = 4096  # PATH_MAX of Linux; bounds what outstanding requests can make us hold

_LENGTH_AND_TYPE = struct.Struct(">IB")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_DATA_HEAD_BYTES = 13  # length, type, id, length of the payload
_WRITE_FIXED_BYTES = 25  # length, type, id, length of the handle, offset, length of the payload


class PacketType(IntEnum):
    """The packet types of version 3, draft section 3."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


STATUS_OK, STATUS_EOF, STATUS_DENIED = 0, 1, 3
REASON_BYTES_MAX = 1024
_STATUSES = (
    "ok",
    "eof",
    "no-such-file",
    "permission-denied",
    "failure",
    "bad-message",
    "no-connection",
    "connection-lost",
    "unsupported",
)


def denial(number: int, reason: str) -> bytes:
    """Return the answer to a request that is denied: SSH_FX_PERMISSION_DENIED with the reason, draft section 7."""
    text = reason.encode("utf-8", "replace")[:REASON_BYTES_MAX]
    fields = _U32.pack(number) + _U32.pack(STATUS_DENIED) + _U32.pack(len(text)) + text + _U32.pack(0)
    return _LENGTH_AND_TYPE.pack(1 + len(fields), PacketType.STATUS) + fields


def read_packet(number: int, handle: bytes, offset: int, length: int) -> bytes:
    """Return a READ, draft section 6.4."""
    fields = _U32.pack(number) + _U32.pack(len(handle)) + handle + _U64.pack(offset) + _U32.pack(length)
    return _LENGTH_AND_TYPE.pack(1 + len(fields), PacketType.READ) + fields


def first_packet(held: bytes) -> bytes:
    """Return no more than the packet that the bytes begin with: behind it may be the content of files."""
    if len(held) < _LENGTH_AND_TYPE.size:
        return held
    return held[: 4 + int(_LENGTH_AND_TYPE.unpack_from(held)[0])]


def status_text(code: int) -> str:
    """Return the name of a STATUS code, draft section 7."""
    return _STATUSES[code] if code < len(_STATUSES) else f"status-{code}"


class Packet(NamedTuple):
    """One packet without its payload: `raw` as on the wire, its fields beginning at byte 5."""

    type: int
    raw: bytes


class Piece(NamedTuple):
    """Some payload of the packet that came before; `last` once it is all there."""

    data: memoryview
    last: bool


@dataclass(frozen=True, slots=True)
class Malformed:
    """The texts for one side's faults."""

    length: str
    packet: str


MALFORMED: dict[Side, Malformed] = {
    "client": Malformed(
        "sftp from the client has a packet of impossible length", "sftp from the client is malformed"
    ),
    "target": Malformed(
        "sftp from the target has a packet of impossible length (does its shell print a greeting?)",
        "sftp from the target is malformed",
    ),
}


class PacketStream:
    """Cut what one side sends; `take` returns what was dealt with and keeps the rest for the next call."""

    def __init__(self, side: Side) -> None:
        self._texts = MALFORMED[side]
        self._payload_type = PacketType.WRITE if side == "client" else PacketType.DATA
        self._buffer = b""
        self._at = 0
        self._held = bytearray()
        self._needed_bytes = 0
        self._in_payload = False
        self._payload_left = 0
        self._left_out: list[slice] = []

    def leave_out(self, item: Packet | Piece) -> None:
        """Let the item at hand not be passed on."""
        size = len(item.raw if isinstance(item, Packet) else item.data)
        self._left_out.append(slice(self._at, self._at + size))

    def drop(self) -> bytes:
        """Give up the bytes that waited for the rest of their packet, or for leave to go on, and return them."""
        held = bytes(self._held)
        self._held.clear()
        return held[:PACKET_BYTES_MAX]

    def items(self, data: bytes) -> Iterator[Packet | Piece]:
        """Yield packets and payload; an item counts as dealt with when the next one is asked for."""
        if self._held:
            self._held += data
            if len(self._held) < self._needed_bytes:
                return
            self._buffer = bytes(self._held)
            self._held.clear()
        else:
            self._buffer = data
        view = memoryview(self._buffer)
        while True:
            left = len(view) - self._at
            if self._in_payload:
                size = min(left, self._payload_left)
                last = size == self._payload_left
                if size or last:
                    yield Piece(view[self._at : self._at + size], last)
                self._at += size
                self._payload_left -= size
                if not last:
                    return
                self._in_payload = False
            else:
                size = self._size(left)
                self._needed_bytes = size
                if left < size:
                    return
                yield Packet(self._buffer[self._at + 4], self._buffer[self._at : self._at + size])
                self._at += size

    def take(self) -> bytes:
        """Return the bytes dealt with since the last time, to be passed on."""
        passed = self._buffer[: self._at]
        if self._left_out:
            starts = [0, *(gone.stop for gone in self._left_out)]
            ends = [*(gone.start for gone in self._left_out), self._at]
            passed = b"".join(passed[start:end] for start, end in zip(starts, ends, strict=True))
            self._left_out.clear()
        self._held += memoryview(self._buffer)[self._at :]
        self._buffer, self._at = b"", 0
        return passed

    def _size(self, left: int) -> int:
        """Return how many bytes the next item has, or it takes to know that; after a head comes payload."""
        if left < _LENGTH_AND_TYPE.size:
            return _LENGTH_AND_TYPE.size
        length, packet_type = _LENGTH_AND_TYPE.unpack_from(self._buffer, self._at)
        if length < 5:  # every packet has a type, and an id or a version
            raise TransferError(self._texts.length)
        if packet_type != self._payload_type:
            if length > PACKET_BYTES_MAX:
                raise TransferError(self._texts.length)
            return 4 + int(length)
        head_bytes = _DATA_HEAD_BYTES
        if packet_type == PacketType.WRITE:
            if left < _DATA_HEAD_BYTES:
                return _DATA_HEAD_BYTES
            (handle_bytes,) = _U32.unpack_from(self._buffer, self._at + 9)
            if handle_bytes > HANDLE_BYTES_MAX:
                raise TransferError(self._texts.packet)
            head_bytes = _WRITE_FIXED_BYTES + int(handle_bytes)
        if left < head_bytes:
            return head_bytes
        (payload_bytes,) = _U32.unpack_from(self._buffer, self._at + head_bytes - 4)
        if head_bytes - 4 + payload_bytes != length or payload_bytes > PAYLOAD_BYTES_MAX:
            raise TransferError(self._texts.length)
        self._in_payload, self._payload_left = True, payload_bytes
        return head_bytes


class Fields:
    """Read a packet's fields in order; raise TransferError where they do not fit."""

    def __init__(self, side: Side, raw: bytes) -> None:
        self._texts = MALFORMED[side]
        self._raw = raw
        self._at = 5

    def u32(self) -> int:
        """Read a uint32."""
        return int(_U32.unpack(self._bytes(4))[0])

    def u64(self) -> int:
        """Read a uint64."""
        return int(_U64.unpack(self._bytes(8))[0])

    def string(self, most_bytes: int = PACKET_BYTES_MAX) -> bytes:
        """Read a string of at most so many bytes."""
        size = self.u32()
        if size > most_bytes:
            raise TransferError(self._texts.packet)
        return self._bytes(size)

    def attributes(self) -> dict[str, int]:
        """Read ATTRS, draft section 5; return what a setstat would set, extensions left out."""
        flags = self.u32()
        found: dict[str, int] = {}
        if flags & ~0x8000000F:
            raise TransferError(self._texts.packet)
        if flags & 0x1:
            found["size"] = self.u64()
        if flags & 0x2:
            found["uid"], found["gid"] = self.u32(), self.u32()
        if flags & 0x4:
            found["mode"] = self.u32()
        if flags & 0x8:
            found["atime"], found["mtime"] = self.u32(), self.u32()
        if flags & 0x80000000:
            for _ in range(self.u32()):
                self.string()
                self.string()
        return found

    def rest(self) -> bytes:
        """Read all that is left."""
        return self._bytes(len(self._raw) - self._at)

    def end(self) -> None:
        """Check that nothing is left, which another reader might take for something."""
        if self._at != len(self._raw):
            raise TransferError(self._texts.packet)

    def _bytes(self, size: int) -> bytes:
        begin, self._at = self._at, self._at + size
        if self._at > len(self._raw):
            raise TransferError(self._texts.packet)
        return self._raw[begin : self._at]
