"""Give stories of holds a world: a policy that asks for approvals, and persons with certificates to answer.

dana owns the deployer, sam has triggered its run, alex and kim are of the group dba, and root is nobody
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.conftest import Finished, World
from tests.integration.gate_world import adopt

PERSONS = ("alex", "kim", "sam", "dana")
POLICY = """\
[[rule]]
id = "echo-and-shells"
verdict = "allow"
when = { groups = ["ci"] }
match = [{ program = ["echo", "bash", "cat", "true", "touch", "printf"] }, { flags = ["interpreter", "data"] }]

[[rule]]
id = "touch-is-four-eyes"
verdict = "approve"
match = [{ program = "touch" }]
reason = "somebody looks first"
approvers = { groups = ["dba"], expires = "5m", for_session = true }

[[rule]]
id = "printf-is-six-eyes"
verdict = "approve"
match = [{ program = "printf" }]
approvers = { groups = ["dba"], count = 2, expires = "1s" }
"""


def people(text: str) -> str:
    """Return a configuration with the persons of these stories."""
    added = []
    for name in PERSONS:
        person = f"{name}@acme.example"
        added.append(
            f'[[identity]]\nname = "{name}"\nowner = "{person}"\nissuer = "ci"\nmatch = {{ sub = "{name}-laptop" }}\n'
        )
        own = f'identities = ["{name}"]\ngroups = ["dba"]\n'
        if name == "alex":
            own += f"uid = {os.getuid()}\n"
        if name == "dana":
            text = text.replace('aliases = { ci = "dana" }\n', f'aliases = {{ ci = "dana" }}\n{own}')
        else:
            added.append(f'[[person]]\nname = "{person}"\naliases = {{ ci = "{name}" }}\n{own}')
    return text.replace("[policy]", "\n".join(added) + "\n[policy]")


@contextmanager
def holding_world(folder: Path, *, workers: int = 1, policy: str = POLICY) -> Iterator[World]:
    """Yield a world where statements wait for people."""
    world = World(folder, workers=workers)
    world.ready()
    try:
        world.rewrite_config(people)
        adopt(world, policy)
        for name in PERSONS:
            done = world.certify(name, "responder", sub=f"{name}-laptop", environment=None)
            assert done.returncode == 0, done.stderr
        yield world
    finally:
        world.strike()


def person(world: World, name: str, *words: str) -> Finished:
    """Run a command about approvals as a person, over SSH."""
    return world.ssh_as(name, "bastion", *words)


def holds(world: World, name: str = "alex") -> list[dict[str, Any]]:
    """Return what waits, as a person sees it."""
    done = person(world, name, "approvals", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def waiting(world: World, count: int = 1) -> list[dict[str, Any]]:
    """Wait until so many statements wait, and return them."""
    found: list[dict[str, Any]] = world.until(lambda: (seen := holds(world)) and len(seen) == count and seen)
    return found


def ends(bot: subprocess.Popen[bytes], seconds: float = 20) -> tuple[int, bytes, str]:
    """Wait for the end of a bot's command; return its status, output, and what it was told."""
    out, err = bot.communicate(timeout=seconds)
    return bot.returncode, out, err.decode()


def bot(world: World, *words: str, **options: Any) -> subprocess.Popen[bytes]:
    return world.start("ssh", "-F", "ssh_config", *words, **options)


def entries(world: World, hold: str) -> list[dict[str, Any]]:
    return [entry for entry in world.audit() if entry["detail"].get("hold") == hold]
