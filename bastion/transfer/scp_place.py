"""Say which path on the target a record of an scp stream means.

In      the command, and the names of directories begun and ended
Out     the path events carry: `path`, and `or_path` where only the target knows which of two it is
Holds   DEPTH_MAX names
Errors  TransferError: too deep, an end without a beginning, a file that was not asked for
Source  OpenSSH scp.c: source() sends the last part of its argument, sink() writes into its argument if that
        is a directory, and else to it
"""

from __future__ import annotations

from bastion.transfer.errors import TransferError
from bastion.transfer.scp_command import ScpCommand

DEPTH_MAX = 256


class Place:
    """The directory an scp stream is in."""

    def __init__(self, command: ScpCommand) -> None:
        self._upload = command.upload
        self._base = command.path.rstrip("/") or "/"
        last = self._base.rpartition("/")[2]
        # Known to be a directory: -d says so, or the argument's form does.
        self._surely_directory = command.directory or command.path.endswith("/") or last in (".", "..")
        self._asked_name = None if last.startswith("~") else last
        self._names: list[str] = []

    def paths(self, name: str) -> dict[str, str]:
        """Return the paths of this name here."""
        names = [*self._names, name]
        without_first = self._joined(names[1:])
        if not self._upload:
            if self._asked_name is not None and names[0] != self._asked_name:
                raise TransferError("scp stream names a file that was not asked for")
            return {"path": without_first}
        if self._surely_directory:
            return {"path": self._joined(names)}
        return {"path": self._joined(names), "or_path": without_first}

    def enter(self, name: str) -> None:
        """Begin a directory."""
        if len(self._names) >= DEPTH_MAX:
            raise TransferError("scp stream has too many directories in each other")
        self._names.append(name)

    def leave(self) -> None:
        """End a directory."""
        if not self._names:
            raise TransferError("scp stream ends a directory that was not begun")
        self._names.pop()

    def _joined(self, names: list[str]) -> str:
        return "/".join([self._base.rstrip("/"), *names]) or "/"
