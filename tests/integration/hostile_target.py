"""Be a target that lets everybody in and then misbehaves as the command says.

It is asyncssh's server with its insides turned outwards, on a loop of its own in a thread; and a bare socket that never
gets as far as SSH.

Out     HostileTarget: `ssh` and `bare` are ports, `host_key` is a line for the configuration
"""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import asyncssh
from asyncssh.constants import (
    MSG_CHANNEL_OPEN,
    MSG_CHANNEL_OPEN_FAILURE,
    MSG_CHANNEL_WINDOW_ADJUST,
    MSG_DISCONNECT,
    MSG_GLOBAL_REQUEST,
    MSG_USERAUTH_BANNER,
)
from asyncssh.packet import Boolean, String, UInt32

BARE_LINES = 100_000


class HostileTarget:
    """A target nobody should have."""

    def __init__(self) -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = key.export_public_key().decode().strip()
        self._key = key
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._bare = socket.create_server(("127.0.0.1", 0))
        self.bare = self._bare.getsockname()[1]
        self.ssh = 0
        self.tiny = 0

    def start(self) -> HostileTarget:
        """Listen."""
        self._thread.start()
        threading.Thread(target=self._serve_bare, daemon=True).start()
        self.ssh, self.tiny = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def stop(self) -> None:
        """Close everything."""
        self._bare.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _listen(self) -> tuple[int, int]:
        options: dict[str, Any] = {
            "server_factory": _Server,
            "server_host_keys": [self._key],
            "process_factory": _misbehave,
            "encoding": None,
            "config": None,
        }
        usual = await asyncssh.listen("127.0.0.1", 0, **options)
        tiny = await asyncssh.listen("127.0.0.1", 0, **options, max_pktsize=1)
        return usual.sockets[0].getsockname()[1], tiny.sockets[0].getsockname()[1]

    def _serve_bare(self) -> None:
        while True:
            try:
                sock, _ = self._bare.accept()
            except OSError:
                return
            with sock:
                try:
                    for _ in range(BARE_LINES):
                        sock.sendall(b"welcome to nowhere\r\n")
                except OSError:
                    pass


class _Server(asyncssh.SSHServer):
    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._conn: Any = conn

    def begin_auth(self, username: str) -> bool:
        if username == "banners":
            for _ in range(500):
                self._conn.send_packet(MSG_USERAUTH_BANNER, String("hello"), String(""))
        return False


async def _misbehave(process: asyncssh.SSHServerProcess[bytes]) -> None:
    process.stdout.write(b"begun\n")
    conn: Any = process.get_extra_info("connection")
    channel: Any = process.channel
    match process.command:
        case "length":
            conn._transport.write(b"\x7f\xff\xff\xff" + bytes(64))
        case "window":
            for _ in range(2):
                conn.send_packet(MSG_CHANNEL_WINDOW_ADJUST, UInt32(channel._send_chan), UInt32(2**32 - 1))
        case "channels":
            conn._packet_handlers = conn._packet_handlers | {MSG_CHANNEL_OPEN_FAILURE: lambda *_given: None}
            for at in range(300):
                conn.send_packet(
                    MSG_CHANNEL_OPEN, String("session"), UInt32(at), UInt32(1 << 20), UInt32(1 << 15)
                )
        case "rekeys":
            for _ in range(200):
                while not conn._kex_complete or conn._kex:
                    await asyncio.sleep(0.001)
                conn._send_kexinit()
                conn._kexinit_sent = True
                await asyncio.sleep(0.001)
        case "stalled":
            conn._send_kexinit()
            conn._kexinit_sent = True
            conn._transport.pause_reading()
        case "requests":
            for _ in range(2000):
                conn.send_packet(MSG_GLOBAL_REQUEST, String("x@example.com"), Boolean(True))
        case "bytes":
            for _ in range(20_000):
                channel.write(b"x")
            process.exit(0)
        case "disconnects":
            # Only this: asyncssh's own disconnect() closes the channels first.
            conn.send_packet(
                MSG_DISCONNECT,
                UInt32(asyncssh.DISC_PROTOCOL_ERROR),
                String("go \x1b[2Jaway"),
                String(""),
            )
    await asyncio.sleep(60)
