"""Name what a bot asks of a target on one channel, and read the forms that a subsystem name can take.

Source  RFC 4254 sections 6.2 to 6.5; docs/bots.md for `KIND:[LOGIN@]TARGET`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bastion.transfer import ScpCommand, StreamCommand, parse_scp_command, parse_stream_command
from policies.model import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Pty:
    """A terminal asked for; sizes in characters and pixels, modes by opcode (RFC 4254 section 8)."""

    term: str
    cols: int
    rows: int
    width_px: int = 0
    height_px: int = 0
    modes: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: kind is exec, shell or subsystem; data is the command's or the subsystem's bytes."""

    kind: str
    data: bytes = b""
    pty: Pty | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    environment_refused: tuple[str, ...] = ()

    @property
    def scp(self) -> ScpCommand | None:
        """Return the legacy scp server command, if that is all the request is."""
        return parse_scp_command(self.data) if self.kind == "exec" and self.pty is None else None

    @property
    def stream(self) -> StreamCommand | None:
        """Return the rsync or git server command, if that is all the request is."""
        return parse_stream_command(self.data) if self.kind == "exec" and self.pty is None else None

    @property
    def access(self) -> Access | None:
        """Return which access a policy must grant; None for a subsystem that is not served."""
        if self.kind == "exec":
            return Access.SFTP if self.scp is not None else Access.EXEC
        if self.kind == "shell":
            return Access.SHELL
        return {b"sftp": Access.SFTP, b"shell": Access.SHELL}.get(self.data)

    def detail(self) -> dict[str, Any]:
        """Return what the recording says of the request, beside its bytes."""
        access, stream = self.access, self.stream
        return {
            "type": self.kind,
            "access": access.value if access is not None else None,
            **({"stream": stream.program} if stream is not None else {}),
            "pty": self.pty is not None,
            "term": self.pty.term if self.pty else None,
            "cols": self.pty.cols if self.pty else None,
            "rows": self.pty.rows if self.pty else None,
            "width_px": self.pty.width_px if self.pty else None,
            "height_px": self.pty.height_px if self.pty else None,
            "modes": {str(mode): value for mode, value in self.pty.modes.items()} if self.pty else {},
            "env": {
                name: value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
                for name, value in self.environment.items()
            },
            "env_refused": list(self.environment_refused),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectName:
    """A subsystem name that carries its own way: `KIND:[LOGIN@]TARGET`."""

    kind: str
    login: str | None
    target: str


def parse_direct(subsystem: bytes) -> DirectName | None:
    """Return what `KIND:[LOGIN@]TARGET` says; None when it has no such form."""
    try:
        text = subsystem.decode("ascii")
    except UnicodeDecodeError:
        return None
    kind, colon, rest = text.partition(":")
    login, at, target = rest.rpartition("@")
    if not colon or not kind or not target or not text.isprintable() or (at and not login):
        return None
    return DirectName(kind=kind, login=login or None, target=target)
