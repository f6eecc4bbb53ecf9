"""Slow, silent and too many clients: each loses its own connection, is told why, and keeps nobody else out (T19)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.integration.conftest import World
from tests.integration.hostile_client import logged_in, logged_in_with_plain_key
from tests.integration.raw_ssh import CHANNEL_OPEN_CONFIRMATION, CHANNEL_OPEN_FAILURE, open_session

LIMITS = """
[limits]
connections = 16
connections_per_source = 12
handshakes = 10
handshakes_per_source = 8
failures_per_source = 60
handshake = "2s"
idle_connection = "2s"
idle_session = "2s"
channels = 3
rekey = "2s"
"""


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two workers"])
def tight(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world in which little is allowed; with two workers it is the supervisor that counts."""
    world = World(tmp_path_factory.mktemp("tight"))
    world.stage.workers = request.param
    world.ready()
    world.rewrite_config(lambda text: text + LIMITS)
    assert world.reload()["kind"] == "configuration.reloaded"
    yield world
    world.strike()


def noted(world: World, limit: str) -> list[dict[str, Any]]:
    """Wait for audit entries that name a limit."""
    found: list[dict[str, Any]] = world.until(
        lambda: [entry for entry in world.audit() if entry["detail"].get("limit") == limit]
    )
    return found


def from_address(world: World, address: str) -> socket.socket:
    """Connect to the bastion from another loopback address: another source."""
    return socket.create_connection(("127.0.0.1", world.stage.port), timeout=15, source_address=(address, 0))


def read_all(sock: socket.socket) -> bytes:
    data = b""
    try:
        while more := sock.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data


@pytest.mark.parametrize(
    "opening", [b"", b"SSH-2.0-slow\r\n", b"SSH-2.0-s"], ids=["silent", "no keys", "half a version"]
)
def test_t19_who_does_not_log_in_is_sent_away_in_time(tight: World, opening: bytes) -> None:
    with from_address(tight, "127.0.0.2") as sock:
        sock.sendall(opening)
        assert b"no login within 2 s" in read_all(sock)


def test_t19_silent_clients_of_one_source_keep_nobody_out_and_no_other_of_that_source(tight: World) -> None:
    with ExitStack() as stack:
        flood = [stack.enter_context(from_address(tight, "127.0.0.3")) for _ in range(30)]
        flood += [stack.enter_context(from_address(tight, "127.0.0.4")) for _ in range(5)]
        assert tight.ssh("web-1", "echo still served").stdout == b"still served\n"
        said = [read_all(sock) for sock in flood[:20]]
        assert sum(b"this one was the oldest" in text for text in said) >= 15
    first = noted(tight, "handshakes")[0]
    assert (first["kind"], first["detail"]["peer"]) == ("connection.broken", "127.0.0.3")


def test_t19_a_flood_of_banner_lines_ends_its_own_connection(tight: World) -> None:
    with from_address(tight, "127.0.0.5") as sock:
        try:
            for _ in range(2000):
                sock.sendall(b"a line before the version\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        read_all(sock)
    assert tight.ssh("web-1", "true").returncode == 0


def test_brute_force_is_refused_before_any_cryptography_and_does_not_fill_the_record(tight: World) -> None:
    refused = 0
    for _ in range(100):
        with from_address(tight, "127.0.0.6") as sock:
            if b"ended without a login; try again in" in (text := sock.recv(65536)):
                refused += 1
                assert text.startswith(b"SSH-2.0-")
    assert refused >= 20
    assert [entry["kind"] for entry in noted(tight, "failures_per_source")] == ["connection.refused"]
    assert tight.ssh("web-1", "true").returncode == 0


def test_the_refusal_is_what_openssh_shows(tight: World) -> None:
    for _ in range(70):
        from_address(tight, "127.0.0.7").close()
    done = tight.ssh("-o", "BindAddress=127.0.0.7", "bastion", "true")
    assert b"ended without a login; try again in" in done.stderr
    assert done.returncode == 255


def test_a_source_has_so_many_connections_and_others_still_get_in(tight: World) -> None:
    with ExitStack() as stack:
        for _ in range(12):
            raw = stack.enter_context(logged_in(tight, source="127.0.0.8"))
            raw.send(open_session())
            raw.expect(CHANNEL_OPEN_CONFIRMATION)
        done = tight.ssh("-o", "BindAddress=127.0.0.8", "bastion", "true")
        assert b"has 12 connections open already" in done.stderr
        logged_in(tight, source="127.0.0.9").close()
    assert noted(tight, "connections_per_source")


def test_all_sources_together_have_so_many_connections(tight: World) -> None:
    with ExitStack() as stack:
        for at in range(16):
            raw = stack.enter_context(logged_in(tight, source=f"127.0.1.{1 + at // 8}"))
            raw.send(open_session())
            raw.expect(CHANNEL_OPEN_CONFIRMATION)
        assert b"as many connections as it may have" in tight.ssh("bastion", "true").stderr
    assert noted(tight, "connections")


def test_t19_connections_with_a_plain_key_count_as_not_logged_in(tight: World) -> None:
    held = [logged_in_with_plain_key(tight) for _ in range(9)]
    assert held[0].hung_up()
    assert noted(tight, "handshakes")


def test_a_connection_without_channels_and_a_session_without_bytes_end(tight: World) -> None:
    done = tight.ssh("-N", "bastion")
    assert b"no channel was open for 2 s" in done.stderr
    done = tight.ssh("web-1", "echo begun; sleep 60")
    assert done.stdout == b"begun\n"
    assert b"no byte passed either way for 2 s (limit idle_session)" in done.stderr
    assert "limit idle_session" in str(tight.events(tight.ended_session()["id"])[-1])


def test_limits_of_channels_are_those_of_the_configuration(tight: World) -> None:
    with logged_in(tight) as raw:
        raw.send(*(open_session(at) for at in range(3)))
        for _ in range(3):
            raw.expect(CHANNEL_OPEN_CONFIRMATION)
        raw.send(open_session(3))
        assert b"no more than 3 channels" in raw.expect(CHANNEL_OPEN_FAILURE)


def test_t20_a_key_exchange_that_the_peer_does_not_finish_ends_its_connection(tight: World) -> None:
    with logged_in(tight) as raw:
        raw.send(open_session())
        raw.expect(CHANNEL_OPEN_CONFIRMATION)
        raw.send(raw.kexinit())
        while raw.receive() is not None:
            pass
        assert raw.farewell == "no new keys were agreed on within 2 s"
    assert noted(tight, "rekey")
