"""Be a client that asks for what OpenSSH's own never asks: signals, empty commands, odd requests.

It is asyncssh.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncssh

from tests.integration.conftest import World


def options(world: World, alias: str, username: str) -> dict[str, Any]:
    """Return how to connect as the job, to what answers in a name."""
    return {
        "config": None,
        "known_hosts": str(world.job / "known_hosts"),
        "client_keys": [str(world.job / "key")],
        "agent_path": None,
        "host_key_alias": alias,
        "username": username,
    }


@asynccontextmanager
async def at_the_bastion(world: World) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """Log in at the bastion as the job."""
    where = options(world, "bastion.example.com", "anyone")
    async with asyncssh.connect("127.0.0.1", world.stage.port, **where) as connection:
        yield connection


@asynccontextmanager
async def at_the_target(world: World) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """Log in at web-1 as the job, through the bastion."""
    async with (
        at_the_bastion(world) as outer,
        outer.connect_ssh("web-1", **options(world, "web-1", world.login)) as connection,
    ):
        yield connection
