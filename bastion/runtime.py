"""Put the bastion together and run it: the composition root, and the only place that knows every part.

In      a configuration file; SIGTERM and SIGINT drain, SIGHUP reloads
Out     a listening bastion; a whole database file when it has stopped
Errors  OperatorError, StoreError: it does not start
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import resource
import signal
import socket
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from bastion.adapters.asyncssh_hooks import ServerConnection
from bastion.adapters.host_identity import VERSION, HostIdentity
from bastion.adapters.oidc_http import IssuerKeys, StaticKeys
from bastion.adapters.ssh_gate import Gate
from bastion.adapters.ssh_judges import Guest
from bastion.adapters.ssh_server import OuterServer
from bastion.adapters.ssh_upstream import SshWay
from bastion.admission import Admission, Refusal
from bastion.authority import Authority
from bastion.clock import Clock
from bastion.config import load
from bastion.control import Control
from bastion.errors import OperatorError, ServeError
from bastion.house import House
from bastion.journal import journal_entry
from bastion.keyring import Keyring, open_keyring
from bastion.register import OwnRegister
from bastion.session import Way
from bastion.settings import Config, IssuerSettings, Target
from bastion.tasks import Tasks
from bastion.token import KeySource
from recorder.errors import RecorderError
from recorder.past import issued_since, latest_us
from recorder.recovery import checkpoint, recover
from recorder.store import JOB_FAULTS, Store

log = logging.getLogger("bastion")

DRAIN_S = 10.0
CHECKPOINT_S = 30.0
WATCH_S = 1.0


class Issuers:
    """The key sources of the issuers in the configuration in force."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._sources: dict[str, tuple[IssuerSettings, KeySource]] = {}

    def prepare(self, config: Config) -> dict[str, tuple[IssuerSettings, KeySource]]:
        """Return the sources a configuration needs, old ones kept where nothing changed; raise TokenError."""
        sources: dict[str, tuple[IssuerSettings, KeySource]] = {}
        for issuer in config.issuers:
            known = self._sources.get(issuer.name)
            if known is not None and (known[0].url, known[0].jwks_file) == (issuer.url, None):
                sources[issuer.name] = known
            elif issuer.jwks_file is not None:
                sources[issuer.name] = (issuer, StaticKeys.read(issuer.jwks_file))
            else:
                fetched = IssuerKeys(name=issuer.name, url=issuer.url, spawn=self._tasks.start)
                sources[issuer.name] = (issuer, fetched)
        return sources

    def adopt(self, sources: dict[str, tuple[IssuerSettings, KeySource]]) -> None:
        """Use these from now on."""
        self._sources = sources

    def source(self, name: str) -> KeySource:
        """Return the key source of an issuer."""
        return self._sources[name][1]


class Bastion:
    """A bastion that serves."""

    def __init__(self, path: Path) -> None:
        """Load everything and open the store; raise OperatorError or StoreError."""
        self._path = path
        self._tasks = Tasks()
        self._clock = Clock()
        self._servers: list[asyncio.Server] = []
        self._connections: weakref.WeakSet[ServerConnection] = weakref.WeakSet()
        self._known_chunks: dict[str, int] = {}
        self._told_step_us = 0
        self._reloading = asyncio.Lock()
        self.config = load(path)
        self.keyring: Keyring = open_keyring(self.config.bastion.keys)
        data = self.config.bastion.data
        self._lock = _lock(data)
        self.store = Store(
            self.config.bastion.database,
            self.keyring.seal,
            now_us=self._clock.now_us,
            durability=self.config.recorder.durability,
            journal=journal_entry,
        )
        self._clock.not_before(self.store.run_now(latest_us))
        self._register = OwnRegister(self._clock.now)
        self._issuers = Issuers(self._tasks)
        self._admission = Admission(self.config.limits)
        self._host = HostIdentity(self.keyring, self._clock.now)
        self.house = House(
            config=self.config,
            keyring=self.keyring,
            store=self.store,
            clock=self._clock,
            authority=self._authority,
            control=Control(),
            ways=self._way,
            host_options=self._host,
            register=self._register,
        )

    async def start(self) -> list[str]:
        """Recover, listen, and return the addresses listened on; raise ServeError or RecorderError."""
        now = self._clock.now()
        reason = "the bastion stopped without closing this session"
        recovered = self.store.run_now(
            lambda transaction: recover(transaction, self.keyring.seal_keys, reason)
        )
        self._register.remember(self.store.run_now(lambda transaction: issued_since(transaction, now)))
        self._issuers.adopt(self._issuers.prepare(self.config))
        addresses = await self._listen()
        await self.store.audit(
            "service.started",
            {
                "listen": addresses,
                "configuration": configuration_digest(self.config),
                "policy": self.config.policy.digest(),
                "keys_made": list(self.keyring.made),
                "recovered": recovered,
            },
        )
        for warning in self.config.warnings:
            log.warning("%s", warning)
        for address in addresses:
            log.info("listening on %s", address)
        self._tasks.start(self._watch(), "watch")
        return addresses

    async def stop(self, patience_s: float) -> None:
        """Take no more connections, let sessions end, seal, and close the store."""
        for server in self._servers:
            server.close()
        await self.house.drain("the bastion is shutting down", patience_s)
        for connection in list(self._connections):
            connection.close()
        await self._seal_unsealed()
        with contextlib.suppress(RecorderError):
            await self.store.audit("service.stopped", {})
        await self._tasks.cancel()
        await asyncio.to_thread(self.store.close)
        self._lock.close()

    async def reload(self) -> bool:
        """Put the configuration file in force if all of it is sound; say whether it was."""
        async with self._reloading:  # two signals: what is read last is what stays
            try:
                return await self._reload()
            except RecorderError as error:
                log.error("could not record that the configuration was reloaded: %s", error)
                return False

    async def _reload(self) -> bool:
        try:
            config = await asyncio.to_thread(load, self._path)
            digest = await asyncio.to_thread(configuration_digest, config)
            self._check_unchanged(config)
            sources = self._issuers.prepare(config)
        except OperatorError as error:
            problems = str(error).splitlines()
        except Exception as error:  # noqa: BLE001 - whatever it is, the old configuration stays in force
            problems = [str(error)]
        else:
            self._issuers.adopt(sources)
            self.config = config
            self._admission.limits = config.limits
            ended = self.house.adopt(config)
            await self.store.audit(
                "configuration.reloaded",
                {
                    "configuration": digest,
                    "policy": config.policy.digest(),
                    "sessions_ended": ended,
                },
            )
            for warning in config.warnings:
                log.warning("%s", warning)
            log.info("configuration reloaded")
            return True
        for problem in problems:
            log.error("configuration not reloaded: %s", problem)
        await self.store.audit("configuration.rejected", {"problems": problems[:50]})
        return False

    def _check_unchanged(self, config: Config) -> None:
        """Raise ServeError where a change needs a restart."""
        for name in ("listen", "data", "keys"):
            if getattr(config.bastion, name) != getattr(self.config.bastion, name):
                raise ServeError(f"{self._path}: bastion.{name}: a change of this takes a restart")
        if config.recorder.durability != self.config.recorder.durability:
            raise ServeError(f"{self._path}: recorder.durability: a change of this takes a restart")

    def _authority(self, config: Callable[[], Config]) -> Authority:
        return Authority(
            keyring=self.keyring,
            store=self.store,
            config=config,
            key_source=self._issuers.source,
            now=self._clock.now,
            register=self._register,
        )

    def _way(self, target: Target, login: str, *, key_id: str) -> Way:
        return SshWay(target, login, key_id=key_id, keyring=self.keyring, now=self._clock.now)

    async def _listen(self) -> list[str]:
        loop = asyncio.get_running_loop()
        gate = Gate(
            self._admission, version=VERSION, make=self._connection, note=self._note_refused, now=loop.time
        )
        bound: list[str] = []
        for address in self.config.bastion.listen:
            try:
                server = await loop.create_server(
                    gate, address.host, address.port, backlog=256, reuse_address=True
                )
            except OSError as error:
                # asyncio wraps the system's own words in a sentence that says the address once more
                plain = error.errno is None or isinstance(error, socket.gaierror)
                reason = error.strerror or error if plain else os.strerror(error.errno or 0)
                raise ServeError(f"cannot listen on {address}: {reason}") from error
            self._servers.append(server)
            for sock in server.sockets:
                host, port = sock.getsockname()[:2]
                bound.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        return bound

    def _connection(self, guest: Guest) -> ServerConnection:
        options = self._host(self.config.bastion.names)
        connection = ServerConnection(
            asyncio.get_running_loop(),
            options,
            lambda: OuterServer(self.house),
            limits=self.config.limits,
            guest=guest,
        )
        self._connections.add(connection)
        return connection

    def _note_refused(self, peer: str, refusal: Refusal) -> None:
        noted = self.house.note_broken(peer, "connection.refused", refusal.reason, refusal.limit)
        self.house.start(noted, "note")

    async def _watch(self) -> None:
        """Look after what no event announces: checkpoints, seals that are owed, a clock set back."""
        since_checkpoint_s = 0.0
        while True:
            await asyncio.sleep(WATCH_S)
            since_checkpoint_s += WATCH_S
            try:
                await self._seal_unsealed()
                if (owed := self._register.notes.owed(self._clock.now())) is not None:
                    await self.store.audit("peer.left-out", {"peer": owed[0], "left_out": owed[1]})
                if self._clock.stepped_back_us > self._told_step_us:
                    by_us = self._clock.stepped_back_us
                    log.warning(
                        "the system clock was set back by %.1f s; time goes on from before", by_us / 1_000_000
                    )
                    await self.store.audit("clock.stepped-back", {"by_us": by_us})
                    self._told_step_us = by_us
                if since_checkpoint_s >= CHECKPOINT_S:
                    since_checkpoint_s = 0.0
                    await self._checkpoint()
            except (RecorderError, *JOB_FAULTS) as error:
                log.error("the recorder failed: %s", error)

    async def _checkpoint(self) -> None:
        live = list(self.house.sessions)
        known = {name: chunks for name, chunks in self._known_chunks.items() if name in self.house.sessions}
        self._known_chunks = await self.store.commit(lambda transaction: checkpoint(transaction, live, known))

    async def _seal_unsealed(self) -> None:
        """Seal the sessions that ended while nothing could be written."""
        for session in list(self.house.unsealed.values()):
            with contextlib.suppress(RecorderError):
                await session.recording.close("session ended: the session recorder was not available")
                self.house.unsealed.pop(session.id, None)


def serve(path: Path) -> None:
    """Run a bastion until it is told to stop; raise OperatorError or StoreError when it cannot start."""
    asyncio.run(_serve(path))


async def _serve(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    bastion = Bastion(path)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    tasks = Tasks()

    def stop() -> None:
        if stopping.is_set():
            bastion.house.end_all("the bastion was told to stop at once")
        stopping.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    loop.add_signal_handler(signal.SIGHUP, lambda: tasks.start(bastion.reload(), "reload"))
    try:
        await bastion.start()
        await stopping.wait()
        log.info("draining %d sessions for up to %.0f s", len(bastion.house.sessions), DRAIN_S)
    finally:
        await bastion.stop(DRAIN_S)
        await tasks.cancel()


def configuration_digest(config: Config) -> str:
    """Return SHA-256 of the configuration file and its policy, to tell one state of it from another."""
    text = config.source.read_bytes() + config.policy.digest().encode()
    return hashlib.sha256(text).hexdigest()


def _lock(data: Path) -> BinaryIO:
    """Hold the data folder for this process; raise ServeError when another serves it."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (data / "serve.lock").open("a+b", buffering=0)
    except OSError as error:
        raise ServeError(f"{data}: cannot be used for recordings: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read(20).decode("ascii", "replace").strip() or "unknown"
        file.close()
        raise ServeError(f"{data}: another bastion (process {owner}) serves these recordings") from error
    with contextlib.suppress(OSError):  # on a full disk the lock holds all the same, without its name tag
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
    return file
