"""Stand between an SSH client and its server, and slip in packets while nothing is encrypted yet.

In      the server's port; which packet to slip in where, on its way to the client
Out     a port of its own; what both sides offered
Source  RFC 4253 sections 4.2 and 6; CVE-2023-48795, CVE-2023-46445
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType

from tests.integration.raw_ssh import KEXINIT, NEWKEYS


def in_clear(payload: bytes) -> bytes:
    """Return a packet as it is sent before there are keys."""
    padding = 8 - (5 + len(payload)) % 8
    padding += 8 if padding < 4 else 0
    return (1 + len(payload) + padding).to_bytes(4, "big") + bytes([padding]) + payload + bytes(padding)


@dataclass(slots=True)
class Interposer:
    """Listens while it is entered; `before` names the server's packet that `slipped` goes ahead of."""

    port_behind: int
    before: int = NEWKEYS
    slipped: bytes = b""
    offered: dict[str, bytes] = field(default_factory=dict)
    port: int = 0
    _listener: socket.socket = field(default_factory=socket.socket)

    def __enter__(self) -> Interposer:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port_behind))
                for ends in (("client", client, server), ("server", server, client)):
                    threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, side: str, source: socket.socket, to: socket.socket) -> None:
        stream = source.makefile("rb")
        with contextlib.suppress(OSError), source, to:
            to.sendall(stream.readline())
            kind = 0
            while kind != NEWKEYS and (head := stream.read(5)):
                payload = stream.read(int.from_bytes(head[:4], "big") - 1)
                kind = payload[0]
                if kind == KEXINIT:
                    self.offered[side] = payload
                if side == "server" and self.slipped and kind == self.before:
                    to.sendall(in_clear(self.slipped))
                to.sendall(head + payload)
            while data := stream.read1(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
