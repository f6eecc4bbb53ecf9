"""Read what an SFTP request asks for.

In      Packet from the client
Out     Request
Errors  TransferError, also for a packet type that version 3 does not have (OpenSSH would not even answer it)
Source  draft-ietf-secsh-filexfer-02 section 6; OpenSSH PROTOCOL section 4
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bastion.transfer.errors import TransferError
from bastion.transfer.flow import path_text
from bastion.transfer.sftp_wire import HANDLE_BYTES_MAX, PATH_BYTES_MAX, Fields, Packet, PacketType

UNKNOWN_TYPE = "sftp from the client has a packet type that version 3 does not have"
EXTENSION_BYTES_MAX = 256

READ_FLAG, WRITE_FLAG = 0x1, 0x2
_OPEN_FLAGS = {0x1: "read", 0x2: "write", 0x4: "append", 0x8: "create", 0x10: "truncate", 0x20: "exclusive"}

# Which answer besides STATUS a request may get.
_ANSWERS: dict[int, PacketType] = {
    PacketType.OPEN: PacketType.HANDLE,
    PacketType.OPENDIR: PacketType.HANDLE,
    PacketType.READ: PacketType.DATA,
    PacketType.READDIR: PacketType.NAME,
    PacketType.REALPATH: PacketType.NAME,
    PacketType.READLINK: PacketType.NAME,
    PacketType.STAT: PacketType.ATTRS,
    PacketType.LSTAT: PacketType.ATTRS,
    PacketType.FSTAT: PacketType.ATTRS,
}
# An unknown extension may answer with anything that is recorded whole, but with no handle and no payload.
_EXTENDED_ANSWERS = frozenset({PacketType.EXTENDED_REPLY, PacketType.NAME, PacketType.ATTRS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `detail` is its FILE event but for the status, None if it has none."""

    type: int
    id: int
    handle: bytes | None = None
    to_handle: bytes | None = None
    offset: int = 0
    length: int = 0
    flags: int = 0
    path: str = ""
    detail: dict[str, Any] | None = None

    def may_answer(self, packet_type: int) -> bool:
        """Return whether this is a type of answer to such a request."""
        if packet_type == PacketType.STATUS:
            return True
        if self.type == PacketType.EXTENDED:
            return packet_type in _EXTENDED_ANSWERS
        return _ANSWERS.get(self.type) == packet_type


def read_request(packet: Packet) -> Request:
    """Return what the packet asks for; for WRITE the head is enough."""
    fields = Fields("client", packet.raw)
    number = fields.u32()
    match packet.type:
        case PacketType.WRITE:
            handle = fields.string(HANDLE_BYTES_MAX)
            return Request(type=PacketType.WRITE, id=number, handle=handle, offset=fields.u64())
        case PacketType.READ:
            handle, offset, length = fields.string(HANDLE_BYTES_MAX), fields.u64(), fields.u32()
            request = Request(type=PacketType.READ, id=number, handle=handle, offset=offset, length=length)
        case PacketType.CLOSE | PacketType.FSTAT | PacketType.READDIR:
            request = Request(type=packet.type, id=number, handle=fields.string(HANDLE_BYTES_MAX))
        case PacketType.FSETSTAT:
            handle = fields.string(HANDLE_BYTES_MAX)
            attributes: dict[str, Any] = {"op": "fsetstat", **fields.attributes()}
            request = Request(type=packet.type, id=number, handle=handle, detail=attributes)
        case PacketType.EXTENDED:
            request = _extended(number, fields)
        case _:
            request = _by_path(packet.type, number, fields)
    fields.end()
    return request


def _by_path(packet_type: int, number: int, fields: Fields) -> Request:
    """Read a request whose first field is a path."""
    flags = 0
    match packet_type:
        case PacketType.STAT | PacketType.LSTAT | PacketType.REALPATH | PacketType.READLINK:
            return Request(type=packet_type, id=number, path=_path(fields))
        case PacketType.OPEN:
            path, flags = _path(fields), fields.u32()
            fields.attributes()
            names = [name for flag, name in _OPEN_FLAGS.items() if flags & flag]
            detail: dict[str, Any] = {"op": "open", "path": path, "flags": names}
        case PacketType.OPENDIR:
            path = _path(fields)
            detail = {"op": "list", "path": path}
        case PacketType.SETSTAT:
            path = _path(fields)
            detail = {"op": "setstat", "path": path, **fields.attributes()}
        case PacketType.MKDIR:
            path = _path(fields)
            fields.attributes()
            detail = {"op": "mkdir", "path": path}
        case PacketType.REMOVE | PacketType.RMDIR:
            path = _path(fields)
            detail = {"op": "remove" if packet_type == PacketType.REMOVE else "rmdir", "path": path}
        case PacketType.RENAME | PacketType.SYMLINK:
            path = _path(fields)
            op = "rename" if packet_type == PacketType.RENAME else "symlink"
            detail = {"op": op, "path": path, "to": _path(fields)}
        case _:
            raise TransferError(UNKNOWN_TYPE)
    return Request(type=packet_type, id=number, flags=flags, path=path, detail=detail)


def _extended(number: int, fields: Fields) -> Request:
    """Read an extension; one that we do not know is recorded whole and gets a FILE event by its name."""
    name = fields.string(EXTENSION_BYTES_MAX)
    handle = to_handle = None
    detail: dict[str, Any] | None = None
    match name:
        case b"posix-rename@openssh.com" | b"hardlink@openssh.com":
            detail = {"op": name.decode().partition("@")[0], "path": _path(fields), "to": _path(fields)}
        case b"lsetstat@openssh.com":
            detail = {"op": "lsetstat", "path": _path(fields), **fields.attributes()}
        case b"copy-data":
            handle, offset, length = fields.string(HANDLE_BYTES_MAX), fields.u64(), fields.u64()
            to_handle, to_offset = fields.string(HANDLE_BYTES_MAX), fields.u64()
            detail = {"op": "copy-data", "offset": offset, "length": length, "to_offset": to_offset}
        case b"fsync@openssh.com" | b"fstatvfs@openssh.com":
            handle = fields.string(HANDLE_BYTES_MAX)
        case b"statvfs@openssh.com" | b"expand-path@openssh.com" | b"home-directory":
            fields.string(PATH_BYTES_MAX)
        case b"limits@openssh.com":
            pass
        case b"users-groups-by-id@openssh.com":
            fields.string()
            fields.string()
        case _:
            fields.rest()
            detail = {"op": "extended", "name": path_text(name)}
    return Request(type=PacketType.EXTENDED, id=number, handle=handle, to_handle=to_handle, detail=detail)


def _path(fields: Fields) -> str:
    return path_text(fields.string(PATH_BYTES_MAX))
