"""A certificate bounds the start of sessions, and its identity bounds their length."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from bastion.config import load
from bastion.runtime import Bastion
from tests.integration.conftest import Finished, World

CERTIFICATE_S = 5


def test_t48_l6_an_expired_certificate_starts_nothing_on_a_connection_that_is_still_open(
    world: World,
) -> None:
    expires_at = int(time.time()) + CERTIFICATE_S
    assert world.certify("shared", exp=expires_at).returncode == 0
    config = world.job / "ssh_config.shared"
    text = (world.job / "ssh_config").read_text().replace(f"{world.job}/key\n", f"{world.job}/shared\n")
    socket = world.job / "shared.socket"
    config.write_text(f"Host bastion\n  ControlPath {socket}\n\n{text}")

    def ssh(*words: str) -> Finished:
        return world.run("ssh", "-F", config.name, *words)

    target = f"{world.login}@web-1"
    with world.start("ssh", "-F", config.name, "-M", "-N", "bastion") as master:
        world.until(socket.exists)
        live = world.start("ssh", "-F", config.name, "-J", "bastion", target, "cat")
        assert live.stdin is not None
        assert live.stdout is not None
        live.stdin.write(b"before\n")
        live.stdin.flush()
        assert live.stdout.readline() == b"before\n"
        world.until(lambda: time.time() > expires_at)
        jump = ssh("-J", "bastion", target, "true")
        assert jump.returncode == 255
        assert b"expired" in jump.stderr
        control = ssh("bastion", "sessions")
        assert (control.stdout, control.returncode) == (b"", 1)
        assert b"the certificate has expired" in control.stderr
        direct = ssh("-s", "bastion", f"shell:{target}")
        assert direct.returncode != 0
        assert b"the certificate has expired" in direct.stderr
        # What was started in time goes on: its length is the identity's to bound.
        out, _ = live.communicate(b"after\n", timeout=30)
        assert (live.returncode, out) == (0, b"after\n")
        master.kill()


async def test_t48_l6_a_session_ends_when_it_has_lasted_as_long_as_its_identity_may(own_world: World) -> None:
    own_world.stage.stop_bastion()
    config = load(own_world.stage.config)
    bastion = Bastion(config)
    await bastion.start()
    try:
        # Configurations do not go below a minute; the story does not wait for one.
        brief = tuple(replace(identity, session_s=2) for identity in config.identities)
        bastion.server.house.adopt(replace(config, identities=brief))
        words = ("-J", "bastion", f"{own_world.login}@web-1", "echo in; sleep 60")
        done = await asyncio.to_thread(own_world.ssh, *words, timeout=30)
        assert (done.returncode, done.stdout) == (255, b"in\n")
        assert b"it has reached its longest duration of 2 s" in done.stderr
        row = await asyncio.to_thread(own_world.ended_session)
        assert row["sealed"]
        events = await asyncio.to_thread(own_world.events, row["id"])
        assert "longest duration of 2 s" in str(events[-1])
        assert bastion.server.house.sessions == {}
    finally:
        await bastion.stop(0)
