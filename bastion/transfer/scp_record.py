"""Read the lines of the scp protocol.

In      one line with its newline
Out     Record
Errors  TransferError: not a record, or a name that would leave its directory
Source  OpenSSH scp.c, source() and sink(): there is no other specification
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bastion.transfer.errors import TransferError
from bastion.transfer.flow import path_text

LINE_BYTES_MAX = 2047  # what the smallest sink in use reads at once; it would take the rest for another line
SIZE_MAX = 2**63 - 1

# Stricter than scp itself, whose strtoull takes signs and blanks, and whose E may have anything behind it.
_ENTRY = re.compile(rb"([CD])([0-7]{4}) ([0-9]{1,19}) ([^\n]+)\n")
_TIMES = re.compile(rb"T[0-9]{1,20} [0-9]{1,7} [0-9]{1,20} [0-9]{1,7}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a sink answers: `C` a file, `D` and `E` begin and end a directory, `T` times; scp.py adds two."""

    type: str
    mode: str = ""
    size: int = 0
    name: str = ""


def read_record(line: bytes) -> Record:
    """Return what the line says."""
    if line == b"E\n":
        return Record(type="E")
    if _TIMES.fullmatch(line):
        return Record(type="T")
    entry = _ENTRY.fullmatch(line)
    if entry is None or int(entry[3]) > SIZE_MAX:
        raise TransferError("scp stream has a line that is not a record")
    if entry[4] in (b".", b"..") or b"/" in entry[4] or b"\0" in entry[4]:
        raise TransferError("scp stream names a file outside of its directory")
    return Record(
        type=entry[1].decode("ascii"),
        mode=entry[2].decode("ascii"),
        size=int(entry[3]),
        name=path_text(entry[4]),
    )


def is_record(line: bytes) -> bool:
    """Say whether the line is a record."""
    return line == b"E\n" or bool(_TIMES.fullmatch(line) or _ENTRY.fullmatch(line))
