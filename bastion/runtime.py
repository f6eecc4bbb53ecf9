"""Put the bastion together and run it: the composition root.

In      a configuration file; SIGTERM and SIGINT drain, SIGHUP reloads
Out     a listening bastion; a whole database file when it has stopped
Errors  OperatorError, StoreError: it does not start
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bastion.adapters.host_identity import VERSION
from bastion.adapters.ssh_gate import Gate
from bastion.admission import Refusal
from bastion.config import load
from bastion.issuers import read_key_files
from bastion.listening import bound_addresses, listen
from bastion.locks.lock import Lock
from bastion.memory import hold_little, keep_out_of_collections
from bastion.notices.secrets import Secrets
from bastion.premises import Premises
from bastion.reloading import Reloading
from bastion.roll import NoRoll
from bastion.serving import Server
from bastion.settings import Config
from bastion.tasks import Tasks
from bastion.workers.supervisor import Supervisor

log = logging.getLogger("bastion")

DRAIN_S = 10.0


class Service(Protocol):
    """What runs, in one process or in several."""

    async def start(self) -> None:
        """Recover and listen; raise OperatorError or RecorderError."""

    async def run(self) -> None:
        """Return when it cannot go on; raise OperatorError."""

    async def stop(self, patience_s: float) -> None:
        """Take no more connections, let sessions end, seal, and close the store."""

    async def reload(self) -> bool:
        """Put the configuration file in force if all of it is sound; say whether it was."""

    def end_all(self, reason: str) -> None:
        """End every live session now."""

    @property
    def live(self) -> int:
        """How many sessions there are."""


class Bastion:
    """A bastion that serves in this very process."""

    def __init__(self, config: Config) -> None:
        """Load everything and open the store; raise OperatorError or StoreError."""
        self._config = config
        self._tasks = Tasks()
        self._servers: list[asyncio.Server] = []
        self._premises = Premises(config)
        self.server = Server(
            config=config,
            key_files=read_key_files(config),
            keyring=self._premises.keyring,
            store=self._premises.store,
            clock=self._premises.clock,
            register=self._premises.register,
            approvals=self._premises.office,
            locks=self._premises.keeper,
            grant_key=self._premises.grant_key,
            roll=NoRoll(),
            tell=self._premises.notifying.tell,
        )
        self._premises.keeper.enforced_by(self._enforce)
        self._reloading = Reloading(config, self._premises.store, self._adopt)

    async def start(self) -> None:
        recovered = self._premises.recover()
        gate = Gate(
            self._premises.admission,
            version=VERSION,
            make=self.server.connection,
            note=self._note_refused,
            now=asyncio.get_running_loop().time,
        )
        self._servers = await listen(self._config.bastion.listen, gate)
        await self._premises.started(self._config, bound_addresses(self._servers), recovered)
        self.server.start()
        self._tasks.start(self._premises.watch(), "watch")

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self, patience_s: float) -> None:
        for server in self._servers:
            server.close()
        await self.server.stop("the bastion is shutting down", patience_s)
        await self._tasks.cancel()
        await self._premises.leave()

    async def reload(self) -> bool:
        return await self._reloading.reload()

    def end_all(self, reason: str) -> None:
        self.server.house.end_all(reason)

    @property
    def live(self) -> int:
        return len(self.server.house.sessions)

    async def _adopt(self, config: Config, key_files: Mapping[str, bytes], secrets: Secrets) -> list[str]:
        self._premises.adopt(config, secrets)
        return self.server.adopt(config, key_files)

    async def _enforce(self, _lock: Lock) -> list[str]:
        return self.server.house.enforce_locks()

    def _note_refused(self, peer: str, refusal: Refusal) -> None:
        noted = self.server.house.note_broken(peer, "connection.refused", refusal.reason, refusal.limit)
        self.server.house.start(noted, "note")


def serve(path: Path) -> None:
    """Run a bastion until it is told to stop; raise OperatorError or StoreError when it cannot start."""
    hold_little()
    asyncio.run(_serve(load(path)))


async def _serve(config: Config) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    service: Service = Supervisor(config) if config.bastion.workers > 1 else Bastion(config)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    tasks = Tasks()

    def stop() -> None:
        if stopping.is_set():
            service.end_all("the bastion was told to stop at once")
        stopping.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    loop.add_signal_handler(signal.SIGHUP, lambda: tasks.start(service.reload(), "reload"))
    try:
        await service.start()
        keep_out_of_collections()
        running = tasks.start(service.run(), "run", awaited=True)
        told = tasks.start(stopping.wait(), "told to stop")
        await asyncio.wait((running, told), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        log.info("draining %d sessions for up to %.0f s", service.live, DRAIN_S)
    finally:
        await service.stop(DRAIN_S)
        await tasks.cancel()
