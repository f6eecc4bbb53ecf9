"""Give the gate's stories a world whose policy judges statements.

Out     judged_world: a World with a policy of its own, in force
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recorder.events import Kind
from tests.integration.conftest import World
from tests.integration.jump_evidence import Recorded

ALLOW_LISTED = """\
[[rule]]
id = "named-commands"
verdict = "allow"
when = { groups = ["ci"] }
match = [
  { program = ["echo", "cd", "pwd", "true", "sleep", "printf", "sort", "exit", "cat", "read", "id", "env"] },
  { program = ["bash", "sh", "sudo", "exec"] },
  { argv = ["/opt/release", ["deploy", "rollback"], "glob:v[0-9]*"] },
]

[[rule]]
id = "no-touching-secrets"
verdict = "deny"
match = [{ reads = "glob:/etc/shadow*" }, { program = "rm" }]
reason = "secrets stay where they are"

[[rule]]
id = "sleeping-is-odd"
verdict = "allow"
match = [{ argv = ["sleep", "glob:0.*"] }]
warn = true
notify = true
reason = "pipelines should not wait"

[[rule]]
id = "holds-are-for-people"
verdict = "approve"
match = [{ program = "reboot" }]
reason = "a person looks first"
"""


@contextmanager
def judged_world(folder: Path, policy: str = ALLOW_LISTED) -> Iterator[World]:
    """Yield a world whose policy this is."""
    world = World(folder)
    world.ready()
    adopt(world, policy)
    try:
        yield world
    finally:
        world.strike()


def adopt(world: World, policy: str) -> None:
    """Put a policy in force."""
    world.rewrite_policy(policy)
    answer = world.reload()
    assert answer["kind"] == "configuration.reloaded", answer


def statements(recorded: Recorded) -> list[tuple[bytes, str]]:
    """Return each statement on record with its verdict."""
    return [
        (event.data, str(event.detail["verdict"]))
        for event in recorded.events
        if event.kind is Kind.STATEMENT
    ]


def details(recorded: Recorded) -> list[dict[str, Any]]:
    """Return what the record says of each statement."""
    return recorded.details(Kind.STATEMENT)
