"""Put channels, outbox and the door for answers together: what a service tells people, and what they answer by HTTP.

In      the configuration in force and the secrets that it names; steps of holds; notices of sessions
Out     notices to channels; answers to the desk
Errors  ConfigError, OutboxFault, ServeError: the service does not start
Source  docs/notifications.md; docs/adr/0014-notices-go-through-an-outbox.md
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from bastion.adapters.answers_http import AnswerDoor
from bastion.adapters.apprise_courier import AppriseCourier
from bastion.adapters.webhook_http import slack, webhook
from bastion.clock import Clock
from bastion.config_errors import ConfigError
from bastion.holds.desk import Event
from bastion.holds.hold import State
from bastion.holds.office import Office
from bastion.notices.answers import AnswerDesk
from bastion.notices.courier import Courier
from bastion.notices.dispatch import Dispatch
from bastion.notices.notice import Notice, notice_of_hold
from bastion.notices.secrets import ChannelSecrets, Secrets, read_secrets
from bastion.register import Register
from bastion.settings import ChannelSettings, Config
from bastion.strangers import note_broken
from policies.problem import Problem
from recorder.store import Store

log = logging.getLogger("bastion.notices")

PATIENCE_S = 3.0  # for what is still to be sent when the service stops; the outbox keeps the rest


class Notifying:
    """A service's way to people, in the process that keeps the desk of holds."""

    def __init__(
        self, config: Config, *, store: Store, office: Office, register: Register, clock: Clock
    ) -> None:
        """Read the secrets and open the outbox; raise ConfigError, OutboxFault."""
        self._config = config
        self._secrets = read_secrets(config)
        self._store = store
        self._office = office
        self._register = register
        self._clock = clock
        self._dispatch = Dispatch(config.bastion.data, store, clock.now)
        self._door: AnswerDoor | None = None
        self._unlisten = office.published.listen(self._heard)

    async def start(self, lost: Sequence[Mapping[str, Any]]) -> None:
        """Send what waits to be sent, tell of holds that an earlier service has lost, and take answers.

        Raise ServeError.
        """
        self._dispatch.adopt(self._config, self._courier)
        await self._dispatch.start()
        for hold in lost:
            self.tell(_lost(hold, self._clock.now()))
        address = self._config.answers.listen
        if address is not None:
            desk = AnswerDesk(
                self._office,
                config=lambda: self._config,
                secrets=lambda: self._secrets,
                now=self._clock.now,
            )
            self._door = AnswerDoor(desk, self._note)
            log.info("taking answers on %s", await self._door.open(address))

    def tell(self, notice: Notice) -> None:
        """Take a notice; return at once."""
        self._dispatch.tell(notice)

    def adopt(self, config: Config, secrets: Secrets) -> None:
        """Go by another configuration."""
        self._config = config
        self._secrets = secrets
        self._dispatch.adopt(config, self._courier)

    async def stop_answers(self) -> None:
        """Take no more answers."""
        if self._door is not None:
            await self._door.close()

    async def close(self) -> None:
        """Send what can be sent at once; the rest waits for the next start."""
        self._unlisten()
        await self._dispatch.close(PATIENCE_S)

    def _heard(self, event: Event) -> None:
        if (notice := notice_of_hold(event, self._clock.now())) is not None:
            self.tell(notice)

    def _courier(self, channel: ChannelSettings) -> Courier:
        return courier_of(channel, self._secrets.channels[channel.name], self._config)

    async def _note(self, source: str, fault: str) -> None:
        await note_broken(self._store, self._register, source, "answer.refused", fault)


def courier_of(channel: ChannelSettings, secrets: ChannelSecrets, config: Config) -> Courier:
    """Return the way to a channel."""
    match channel.kind:
        case "apprise":
            return AppriseCourier(secrets.urls)
        case "slack":
            answers = secrets.key is not None and config.answers.listen is not None
            return slack(secrets.urls[0], buttons=answers)
        case "webhook":
            assert secrets.key is not None  # noqa: S101 - the configuration is coherent
            return webhook(secrets.urls[0], secrets.key, config.bastion.names[0])


def check_channels(config: Config) -> None:
    """Raise ConfigError if what the files of channels and persons hold cannot be used."""
    secrets = read_secrets(config)
    problems = []
    for at, channel in enumerate(config.channels):
        if channel.kind == "apprise":
            unknown = asyncio.run(_unknown(secrets.channels[channel.name]))
            key = f"notify[{at}].url_file"
            problems += [
                Problem(
                    str(config.source), key, f"{channel.url_file}: URL {number} is none that Apprise knows"
                )
                for number in unknown
            ]
    if problems:
        raise ConfigError(problems)


async def _unknown(secrets: ChannelSecrets) -> list[int]:
    courier = AppriseCourier(secrets.urls)
    try:
        return await courier.unknown() or []
    finally:
        await courier.close()


def _lost(hold: Mapping[str, Any], at: float) -> Notice:
    """Return what is told of a hold that ended with its service: what the audit chain has of it."""
    told = {"id": hold["hold"], "state": State.CANCELLED.value, "why": hold["reason"], "groups": []}
    return Notice(
        kinds=("hold.ended",),
        at=at,
        identity=hold["identity"],
        session=hold.get("session", ""),
        target=hold["target"],
        login=hold["login"],
        verdict="approve",
        rules=tuple(hold["rules"]),
        hold=told,
    )
