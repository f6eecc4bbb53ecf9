"""Try the channels by which people are told, and see what waits for them.

In      command lines
Out     what came of a test; channels, and how much of each waits to be sent
Errors  OperatorError, turned into lines by cli.main
Source  docs/notifications.md
"""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import click

from bastion.cli.door import Door
from bastion.cli.sources import config_option, read_config
from bastion.cli.tables import table
from bastion.clock import Clock
from bastion.errors import OperatorError
from bastion.notices.courier import Courier, Outcome
from bastion.notices.notice import Notice
from bastion.notices.outbox import FILE, Delivery, Outbox
from bastion.notices.secrets import read_secrets
from bastion.settings import ChannelSettings, Config


def _local(door: Door) -> None:
    if door.remote:
        raise click.UsageError("this command runs on the bastion itself only")


@click.group(short_help="Try the channels by which people are told.")
def notify() -> None:
    """Try the channels of [[notify]], and see what waits to be sent."""


@notify.command("test", short_help="Send a test message, and say what came of it.")
@click.argument("name", metavar="CHANNEL")
@config_option
@click.pass_obj
def test(door: Door, name: str, config_file: Path | None) -> None:
    """Send a test message by one channel, and say what came of it.

    It is sent by this command itself, once: whether the bastion runs or not, and not through its outbox. The exit
    status is 1 if it was not taken.

    \b
    Example:
      bastion notify test dba-slack --config bastion.toml
    """
    _local(door)
    config = read_config(door, config_file)
    channel = _channel(config, name)
    from bastion.notifying import courier_of

    courier = courier_of(channel, read_secrets(config).channels[name], config)
    at = Clock().now()
    notice = Notice(kinds=("test",), at=at, reason=f"bastion notify test {name}")
    delivery = Delivery(
        id=f"msg_{secrets.token_hex(12)}", channel=name, queued_at=at, attempts=0, notice=notice
    )
    outcome = asyncio.run(_carry(courier, delivery, at))
    click.echo(f"{name}: {'delivered' if outcome.delivered else 'not delivered'}: {outcome.said}")
    if not outcome.delivered:
        raise click.exceptions.Exit(1)


@notify.command("list", short_help="List the channels, and how much waits for each.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one array of objects.")
@click.pass_obj
def list_channels(door: Door, config_file: Path | None, as_json: bool) -> None:
    """List the channels, what they are told of, and how many messages wait to be sent to each."""
    _local(door)
    config = read_config(door, config_file)
    path = config.bastion.data / FILE
    waiting: dict[str, int] = {}
    if path.exists():
        outbox = Outbox(path)
        try:
            waiting = outbox.waiting()
        finally:
            outbox.close()
    found: list[dict[str, Any]] = [
        {
            "name": channel.name,
            "kind": channel.kind,
            "events": sorted(channel.tells.events),
            "waiting": waiting.get(channel.name, 0),
        }
        for channel in config.channels
    ]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif not found:
        click.echo("no channel is declared: [[notify]] in the configuration does that")
    else:
        rows = [[one["name"], one["kind"], ", ".join(one["events"]), one["waiting"]] for one in found]
        headers = ["channel", "kind", "told of", "waiting"]
        click.echo(table(rows, headers))


def _channel(config: Config, name: str) -> ChannelSettings:
    for channel in config.channels:
        if channel.name == name:
            return channel
    known = ", ".join(channel.name for channel in config.channels) or "none"
    raise OperatorError(f"no channel is called {name}; there are: {known}")


async def _carry(courier: Courier, delivery: Delivery, at: float) -> Outcome:
    try:
        return await courier.carry(delivery, at)
    finally:
        await courier.close()


COMMANDS = (notify,)
