"""A hostile target loses its own connection; the bot is told why, the recording says so, others do not notice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.conftest import World
from tests.integration.hostile_target import HostileTarget

TARGETS = """
[limits]
rekey = "2s"

[[target]]
name = "web-evil"
address = "127.0.0.1:{ssh}"
host_key = "{host_key}"
logins = ["somebody", "banners"]

[[target]]
name = "web-tiny"
address = "127.0.0.1:{tiny}"
host_key = "{host_key}"
logins = ["somebody"]

[[target]]
name = "web-bare"
address = "127.0.0.1:{bare}"
host_key = "{host_key}"
logins = ["somebody"]
"""


@pytest.fixture(scope="module")
def hostile() -> Iterator[HostileTarget]:
    target = HostileTarget().start()
    yield target
    target.stop()


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory, hostile: HostileTarget) -> Iterator[World]:
    """A world with targets that nobody should have."""
    world = World(tmp_path_factory.mktemp("evil"))
    world.ready()
    more = TARGETS.format(ssh=hostile.ssh, tiny=hostile.tiny, bare=hostile.bare, host_key=hostile.host_key)
    world.rewrite_config(lambda text: text + more)
    assert world.reload()["kind"] == "configuration.reloaded"
    (world.job / "known_hosts").write_text(world.bastion("keys", "host-ca").stdout.decode())
    config = world.job / "ssh_config"
    config.write_text(config.read_text().replace("web-1\n", "web-1 web-evil web-tiny web-bare\n"))
    yield world
    world.strike()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("length", b"a packet may have 262144 bytes, not 2147483647"),
        ("window", b"a window may not grow past"),
        ("channels", b"refused channels were asked for again and again"),
        ("rekeys", b"new keys were asked for again and again"),
        ("stalled", b"no new keys were agreed on within 2 s"),
        ("disconnects", b"go ?[2Jaway"),
    ],
)
def test_t18_t20_a_target_that_goes_too_far_loses_its_connection(evil: World, what: str, said: bytes) -> None:
    other = evil.start("ssh", "-F", "ssh_config", "web-1", "read line; echo got $line")
    done = evil.ssh("-l", "somebody", "web-evil", what)
    assert b"bastion: the connection to web-evil broke: " + said in done.stderr
    assert done.returncode == 255
    row = evil.until(lambda: next(r for r in evil.sessions() if r["target"] == "web-evil" and r["ended_at"]))
    assert said.decode() in str(evil.events(row["id"]))
    assert other.communicate(b"it\n", timeout=20)[0] == b"got it\n"


@pytest.mark.parametrize(
    ("login", "target", "said"),
    [
        ("banners", "web-evil", b"more than 100 banners"),
        ("somebody", "web-bare", b"Too many banner lines"),
        ("somebody", "web-tiny", b"packets of 1 bytes are not sent"),
    ],
)
def test_t18_t19_a_target_that_never_gets_as_far_is_told_of(
    evil: World, login: str, target: str, said: bytes
) -> None:
    done = evil.ssh("-l", login, target, "true")
    assert said in done.stderr
    assert done.returncode == 255
    assert evil.ssh("web-1", "echo served").stdout == b"served\n"


def test_t20_requests_of_a_target_are_answered_and_single_bytes_arrive(evil: World) -> None:
    done = evil.ssh("-l", "somebody", "web-evil", "bytes")
    assert done.stdout == b"begun\n" + b"x" * 20_000
    program = evil.start("ssh", "-F", "ssh_config", "-l", "somebody", "web-evil", "requests")
    assert program.stdout is not None
    assert program.stdout.readline() == b"begun\n"
    assert evil.ssh("web-1", "echo served").stdout == b"served\n"
    program.kill()
    program.communicate(timeout=20)
