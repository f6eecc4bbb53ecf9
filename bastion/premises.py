"""Hold what a service has to itself, however many processes serve: the data folder, keys, store, clock and register.

In      a configuration
Out     an evidence store whose earlier sessions are all closed, and which one service writes to
Holds   the lock on the data folder, which the workers of a service hold with it: while one of them lives, no other
        service can take its sessions for dead
Errors  OperatorError, StoreError: the service does not start
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import itertools
import logging
import os
import secrets
import time
from pathlib import Path
from typing import Any, BinaryIO

from bastion.admission import Admission
from bastion.clock import Clock
from bastion.errors import ServeError
from bastion.holds.binding import KEY_BYTES
from bastion.holds.callers import Caller, person_of
from bastion.holds.commands import Desk
from bastion.holds.local_door import LocalDoor
from bastion.holds.office import Office
from bastion.journal import journal_entry
from bastion.keyring import open_keyring
from bastion.locks.commands import LockDesk
from bastion.locks.keeper import Keeper
from bastion.notices.secrets import Secrets
from bastion.notifying import Notifying
from bastion.register import OwnRegister
from bastion.served import Tree
from bastion.settings import Config
from recorder import turn
from recorder.errors import RecorderError
from recorder.past import end_lost_holds, issued_since, latest_us, locks_set_and_lifted
from recorder.recovery import recover
from recorder.store import JOB_FAULTS, Store

log = logging.getLogger("bastion")

WATCH_S = 1.0
LOST = "the bastion stopped while it waited"
ORPHANS_S = 10.0  # how long the workers of a service that was killed may take to end
LOOK_S = 0.05


class Premises:
    """One service's own."""

    def __init__(self, config: Config) -> None:
        """Take the folder, open keys and store; raise OperatorError or StoreError."""
        self._told_step_us = 0
        self._turn: turn.Turn | None = None
        self.clock = Clock()
        self.keyring = open_keyring(config.bastion.keys)
        self.lock = _lock(config.bastion.data)
        self._database = config.bastion.database
        if config.bastion.workers > 1:
            self._turn = turn.Turn(self._database, config.bastion.workers)
        self.store = Store(
            self._database,
            self.keyring.seal,
            now_us=self.clock.now_us,
            durability=config.recorder.durability,
            journal=journal_entry,
            turn=self._turn,
        )
        self.clock.not_before(self.store.run_now(latest_us))
        self.register = OwnRegister(self.clock.now)
        self.admission = Admission(config.limits)
        self.keeper = Keeper(self.store, self.clock.now)
        self.grant_key = secrets.token_bytes(KEY_BYTES)  # all processes must bind a grant alike
        self.office = Office(self.store, config, self.clock.now, self.keeper.book)
        self.keeper.enforced_by(self.office.enforce)
        self.notifying = Notifying(
            config, store=self.store, office=self.office, register=self.register, clock=self.clock
        )
        self._lost_holds: list[dict[str, Any]] = []
        self._local: LocalDoor | None = None

    def adopt(self, config: Config, secrets: Secrets) -> None:
        """Go by another configuration."""
        self.admission.limits = config.limits
        self.office.adopt(config)
        self.notifying.adopt(config, secrets)

    async def _open_local_door(self, config: Config) -> None:
        """Answer on the socket of this machine, if there is to be one; raise ServeError."""
        if config.bastion.socket is not None:
            self._local = LocalDoor(config.bastion.socket, self.tree(), self._refusal)
            await self._local.open()

    def tree(self) -> Tree:
        """Return the commands that the bastion serves by itself."""
        desk = Desk(self.office, self._config, self.clock.now)
        return Tree(desk, LockDesk(self.keeper, self._config))

    def _config(self) -> Config:
        return self.office.config

    def _refusal(self, caller: Caller) -> str:
        """Say why a user of this machine is served nothing, if they are a person who is locked."""
        person = person_of(caller, self._config())
        locked = self.keeper.book.locked_persons([person.name] if person is not None else [])
        return "".join(lock.public for lock in locked.values())

    def recover(self) -> list[str]:
        """Close what an earlier service left open, and remember what it gave out; raise StoreError."""
        reason = "the bastion stopped without closing this session"
        keys, now = self.keyring.seal_keys, self.clock.now()
        recovered = self.store.run_now(lambda transaction: recover(transaction, keys, reason))
        self._lost_holds = self.store.run_now(lambda transaction: end_lost_holds(transaction, LOST))
        self.register.remember(self.store.run_now(lambda transaction: issued_since(transaction, now)))
        self.store.run_now(lambda transaction: self.keeper.remember(locks_set_and_lifted(transaction, keys)))
        return recovered

    async def started(self, config: Config, listen: list[str], recovered: list[str]) -> None:
        """Open the socket of this machine, begin to tell people, and record that the service runs, and with what.

        Raise RecorderError, ServeError.
        """
        await self._open_local_door(config)
        await self.notifying.start(self._lost_holds)
        await self.store.audit(
            "service.started",
            {
                "listen": listen,
                "workers": config.bastion.workers,
                "configuration": configuration_digest(config),
                "policy": config.policy.digest(),
                "keys_made": list(self.keyring.made),
                "recovered": recovered,
            },
        )
        for warning in config.warnings:
            log.warning("%s", warning)
        for address in listen:
            log.info("listening on %s", address)

    async def watch(self) -> None:
        """Tell of notes that were left out, and when the system's clock was set back."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                if (owed := self.register.notes.owed(self.clock.now())) is not None:
                    await self.store.audit("peer.left-out", {"peer": owed[0], "left_out": owed[1]})
                if self.clock.stepped_back_us > self._told_step_us:
                    by_us = self.clock.stepped_back_us
                    log.warning(
                        "the system clock was set back by %.1f s; time goes on from before", by_us / 1_000_000
                    )
                    await self.store.audit("clock.stepped-back", {"by_us": by_us})
                    self._told_step_us = by_us
            except (RecorderError, *JOB_FAULTS) as error:
                log.error("the recorder failed: %s", error)

    async def leave(self) -> None:
        """Record the end, and close."""
        if self._local is not None:
            await self._local.close()
        await self.notifying.stop_answers()
        await self.office.close("the bastion has stopped")
        await self.notifying.close()
        with contextlib.suppress(RecorderError):
            await self.store.audit("service.stopped", {})
        await self.close()

    async def close(self) -> None:
        """Leave one whole file and an unlocked folder behind."""
        await asyncio.to_thread(self.store.close)
        if self._turn is not None:
            self._turn.close()
            with contextlib.suppress(OSError):
                turn.remove(self._database)
        self.lock.close()


def configuration_digest(config: Config) -> str:
    """Return SHA-256 of the configuration file and its policy, to tell one state of it from another."""
    text = config.source.read_bytes() + config.policy.digest().encode()
    return hashlib.sha256(text).hexdigest()


def _lock(data: Path) -> BinaryIO:
    """Hold the data folder for this service; raise ServeError when another serves it."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (data / "serve.lock").open("a+b", buffering=0)
    except OSError as error:
        raise ServeError(f"{data}: cannot be used for recordings: {error.strerror}") from error
    for tried in itertools.count():
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            file.seek(0)
            owner = file.read(20).decode("ascii", "replace").strip() or "unknown"
            if _is_dead(owner) and tried * LOOK_S < ORPHANS_S:  # its workers are about to follow it
                time.sleep(LOOK_S)
                continue
            file.close()
            raise ServeError(f"{data}: {_taken(owner)}") from error
    with contextlib.suppress(OSError):  # on a full disk the lock holds all the same, without its name tag
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
    return file


def _taken(owner: str) -> str:
    if _is_dead(owner):
        return f"workers of a bastion that was killed (process {owner}) still hold these recordings; end them"
    return f"another bastion (process {owner}) serves these recordings"


def _is_dead(owner: str) -> bool:
    if not owner.isdigit() or int(owner) <= 0:
        return False
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    return False
