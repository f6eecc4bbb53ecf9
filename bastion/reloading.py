"""Put a changed configuration in force, all of it or nothing, and record which it was.

In      SIGHUP; what adopts a configuration, in this process or in all workers
Out     audit entries `configuration.reloaded` (with the sessions it ended) or `configuration.rejected`
Errors  none: whatever is wrong with the new configuration, the old one stays in force
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from bastion.config import load
from bastion.errors import OperatorError, ServeError
from bastion.issuers import Issuers, read_key_files
from bastion.notices.secrets import Secrets, read_secrets
from bastion.premises import configuration_digest
from bastion.settings import Config
from bastion.tasks import Tasks
from recorder.errors import RecorderError
from recorder.store import Store

log = logging.getLogger("bastion")

Adopt = Callable[[Config, Mapping[str, bytes], Secrets], Awaitable[list[str]]]
PROBLEMS = 50


class Reloading:
    """The configuration in force and its successors."""

    def __init__(self, config: Config, store: Store, adopt: Adopt) -> None:
        self.config = config
        self._store = store
        self._adopt = adopt
        self._one_at_a_time = asyncio.Lock()

    async def reload(self) -> bool:
        """Put the configuration file in force if all of it is sound; say whether it was."""
        async with self._one_at_a_time:  # two signals: what is read last is what stays
            try:
                return await self._reload()
            except RecorderError as error:
                log.error("could not record that the configuration was reloaded: %s", error)
                return False

    async def _reload(self) -> bool:
        try:
            config = await asyncio.to_thread(load, self.config.source)
            digest = await asyncio.to_thread(configuration_digest, config)
            key_files = await asyncio.to_thread(read_key_files, config)
            secrets = await asyncio.to_thread(read_secrets, config)
            self._check_unchanged(config)
            Issuers(Tasks()).prepare(config, key_files)
        except OperatorError as error:
            problems = str(error).splitlines()
        except Exception as error:  # noqa: BLE001 - whatever it is, the old configuration stays in force
            problems = [str(error)]
        else:
            self.config = config
            ended = await self._adopt(config, key_files, secrets)
            await self._store.audit(
                "configuration.reloaded",
                {"configuration": digest, "policy": config.policy.digest(), "sessions_ended": ended},
            )
            for warning in config.warnings:
                log.warning("%s", warning)
            log.info("configuration reloaded")
            return True
        for problem in problems:
            log.error("configuration not reloaded: %s", problem)
        await self._store.audit("configuration.rejected", {"problems": problems[:PROBLEMS]})
        return False

    def _check_unchanged(self, config: Config) -> None:
        """Raise ServeError where a change needs a restart."""
        for name in ("listen", "data", "keys", "socket", "workers"):
            if getattr(config.bastion, name) != getattr(self.config.bastion, name):
                raise ServeError(f"{config.source}: bastion.{name}: a change of this takes a restart")
        if config.answers != self.config.answers:
            raise ServeError(f"{config.source}: answers.listen: a change of this takes a restart")
        if config.recorder.durability != self.config.recorder.durability:
            raise ServeError(f"{config.source}: recorder.durability: a change of this takes a restart")
