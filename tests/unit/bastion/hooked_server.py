"""Run a server of ours, with judges that only take notes, and a client of asyncssh's against it.

Out     Running: a server that listens; `asking`: a client that waits for the answer to a command
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncssh
from asyncssh.connection import SSHServerConnectionOptions

from bastion.adapters.asyncssh_hooks import Command, ServerConnection
from bastion.adapters.ciphers import MACS, offered_ciphers
from bastion.adapters.ssh_options import server_options
from bastion.limits import Limits

DEFAULTS = Limits()
CLIENT_KEY = asyncssh.generate_private_key("ssh-ed25519")
OPTIONS: SSHServerConnectionOptions = server_options(
    (asyncssh.generate_private_key("ssh-ed25519"), None),  # type: ignore[arg-type]
    encryption_algs=offered_ciphers(),
    mac_algs=MACS,
)


class Judge(asyncssh.SSHServer):
    """A server object that notes what it is asked."""

    def __init__(self) -> None:
        self.connection: Any = None
        self.asked: list[tuple[str, bytes]] = []
        self.proven: list[tuple[str, bytes]] = []
        self.accepts = True
        self.sessions: list[Requested] = []
        self.lost = asyncio.Event()
        self.why: Exception | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn

    def connection_lost(self, exc: Exception | None) -> None:
        self.why = exc
        self.lost.set()

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def judge_key(self, username: str, blob: bytes) -> bytes | None:
        self.asked.append((username, blob))
        return blob if self.accepts else None

    def key_proven(self, username: str, blob: bytes) -> None:
        self.proven.append((username, blob))

    def session_requested(self) -> Any:
        session = Requested()
        self.sessions.append(session)
        return session


class Requested(asyncssh.SSHServerSession[bytes]):
    """A session that answers when it is told to."""

    def __init__(self) -> None:
        self.channel: Any = None
        self.notes: list[Any] = []
        self.verdict: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def connection_made(self, chan: Any) -> None:
        self.channel = chan

    async def requested(self, kind: str, data: bytes) -> bool:
        self.notes.append((kind, data))
        return await self.verdict

    def environment_offered(self, name: bytes, value: bytes) -> None:
        self.notes.append((name, value))

    def forwarding_refused(self, what: str) -> None:
        self.notes.append(what)

    def output_unwanted(self) -> None:
        self.notes.append("output unwanted")

    def client_closed(self) -> None:
        self.notes.append("closed")

    def data_received(self, data: bytes, datatype: Any) -> None:
        self.notes.append(data)

    def eof_received(self) -> bool:
        self.notes.append("eof")
        return True

    def signal_received(self, signal: str) -> None:
        self.notes.append(signal)

    def connection_lost(self, exc: Exception | None) -> None:
        self.notes.append("lost")

    async def noted(self, note: Any) -> None:
        """Wait until something was noted."""
        async with asyncio.timeout(10):
            while note not in self.notes:
                await asyncio.sleep(0.002)


class Running:
    """A server of ours that listens."""

    def __init__(self, port: int) -> None:
        self.judge = Judge()
        self.port = port

    def connect(self, **options: Any) -> Any:
        """Connect as the client."""
        known: dict[str, Any] = {
            "config": None,
            "known_hosts": None,
            "agent_path": None,
            "client_keys": [CLIENT_KEY],
            "username": "somebody",
        }
        return asyncssh.connect("127.0.0.1", self.port, **{**known, **options})

    @property
    async def session(self) -> Requested:
        """The session whose channel was opened last."""
        async with asyncio.timeout(10):
            while not self.judge.sessions or self.judge.sessions[-1].channel is None:
                await asyncio.sleep(0.002)
        return self.judge.sessions[-1]


@asynccontextmanager
async def listening(limits: Limits = DEFAULTS) -> AsyncIterator[Running]:
    """Listen on a loopback port."""
    loop = asyncio.get_running_loop()
    made: list[Running] = []
    server = await loop.create_server(
        lambda: ServerConnection(loop, OPTIONS, lambda: made[0].judge, limits=limits), "127.0.0.1", 0
    )
    made.append(Running(server.sockets[0].getsockname()[1]))
    yield made[0]
    server.close()


@asynccontextmanager
async def asking(server: Running, command: bytes, **options: Any) -> AsyncIterator[Any]:
    """Connect and ask for a command; yield the client's task, which waits for the answer."""
    async with asyncio.timeout(20), server.connect() as client:
        yield asyncio.ensure_future(ask(client, Command(command), encoding=None, **options))


async def ask(client: asyncssh.SSHClientConnection, *words: Any, **options: Any) -> Any:
    return await client.create_process(*words, **options)
