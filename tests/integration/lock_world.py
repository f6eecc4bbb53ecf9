"""Give stories of locks a world: that of holds, whose approvers may lock, with a socket on its machine."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.conftest import World
from tests.integration.hold_world import holding_world, person

KIM = "kim@acme.example"


@contextmanager
def locking_world(folder: Path, *, workers: int = 1) -> Iterator[World]:
    """Yield a world where kim and the other approvers may lock."""
    with holding_world(folder, workers=workers) as world:
        world.stage.stop_bastion()
        own = '[bastion]\nlockers = ["dba"]\nsocket = "./run/desk"\n'
        world.rewrite_config(lambda text: text.replace("[bastion]\n", own))
        world.stage.start_bastion()
        yield world


def live(world: World, *options: str) -> subprocess.Popen[bytes]:
    """Start a session that stays until it is ended, and wait until its command runs."""
    program = world.start("ssh", "-F", "ssh_config", *options, "web-1", "echo up; cat")
    assert program.stdout is not None
    assert program.stdout.readline() == b"up\n"
    return program


def lock(world: World, *words: str, by: str = "kim") -> str:
    """Lock as a person, over SSH; return the lock's id."""
    done = person(world, by, "lock", *words, "--reason", "'token in a log'")
    assert done.returncode == 0, done.stderr
    found = re.match(r"L-[0-9A-Z]{4}", done.stdout.decode())
    assert found is not None
    return found[0]


def unlock(world: World, name: str, by: str = "kim") -> None:
    done = person(world, by, "unlock", name)
    assert done.returncode == 0, done.stderr


def standing(world: World, by: str = "kim") -> list[str]:
    """Return the ids of the locks in force."""
    return [one["id"] for one in json.loads(person(world, by, "locks", "--json").stdout)]
