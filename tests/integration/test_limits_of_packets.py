"""A peer that lies about lengths or windows, or floods, loses its own connection, and is told why (T18, T20)."""

from __future__ import annotations

import pytest

from tests.integration.conftest import World
from tests.integration.hostile_client import logged_in, logged_in_with_plain_key
from tests.integration.raw_ssh import (
    CHANNEL_EXTENDED_DATA,
    CHANNEL_OPEN_CONFIRMATION,
    CHANNEL_SUCCESS,
    RawSsh,
    adjust_window,
    ask_globally,
    execute,
    open_direct,
    open_session,
    send_data,
)


def ended(world: World, raw: RawSsh) -> str:
    """Wait for the server to hang up; see that others are served, and return what it said."""
    while raw.receive() is not None:
        pass
    with logged_in(world) as other:
        other.send(ask_globally("x"))
        other.expect(82)
    return raw.farewell


def limits_noted(world: World) -> list[str]:
    return [entry["detail"].get("limit", "") for entry in world.audit()]


@pytest.mark.parametrize("length", [0, 1, 4, 35_001, 262_145, 2**31, 2**32 - 1])
def test_t18_a_length_that_no_packet_has_before_the_login(world: World, length: int) -> None:
    for prepare in (lambda raw: None, RawSsh.exchange_keys):
        with RawSsh(world.stage.port) as raw:
            prepare(raw)
            raw.send_bytes(raw.packet_of_length(length))
            said = ended(world, raw)
            bound = "a packet may have 35000 bytes" if length > 35_000 else "a packet has at least 5 bytes"
            assert f"{bound}, not {length}" in said
    world.until(lambda: "packet_before_login" in limits_noted(world))


@pytest.mark.parametrize("length", [0, 262_145, 2**32 - 1])
def test_t18_a_length_that_no_packet_has_after_the_login(world: World, length: int) -> None:
    with logged_in(world) as raw:
        raw.send_bytes(raw.packet_of_length(length))
        assert f", not {length}" in ended(world, raw)
    world.until(lambda: "packet" in limits_noted(world))


def test_t18_a_window_that_grows_without_end(world: World) -> None:
    with logged_in(world) as raw:
        raw.send(open_session())
        raw.expect(CHANNEL_OPEN_CONFIRMATION)
        raw.send(adjust_window(2**32 - 1), adjust_window(2**32 - 1))
        assert "a window may not grow past" in ended(world, raw)
    world.until(lambda: "window" in limits_noted(world))


def test_t18_data_past_the_window(world: World) -> None:
    with logged_in(world) as raw:
        raw.send(open_session())
        raw.expect(CHANNEL_OPEN_CONFIRMATION)
        raw.send(*[send_data(bytes(32_000))] * 80)
        assert ended(world, raw) == "Window exceeded"


def test_t18_a_window_of_nothing_is_sent_nothing(world: World) -> None:
    with logged_in(world) as raw:
        raw.send(open_session(window=0))
        raw.expect(CHANNEL_OPEN_CONFIRMATION)
        raw.send(execute("sessions"))
        raw.expect(CHANNEL_SUCCESS)
        assert world.ssh("web-1", "echo served").stdout == b"served\n"
        raw.send(adjust_window(10))
        sent = raw.receive()
        while sent is not None and sent[0] != CHANNEL_EXTENDED_DATA:
            sent = raw.receive()
        assert sent is not None
        assert len(sent) == 1 + 4 + 4 + 4 + 10


def test_t20_new_keys_again_and_again(world: World) -> None:
    with logged_in(world) as raw:
        times = 0
        try:
            while times < 100:
                raw.exchange_keys()
                times += 1
        except AssertionError:
            assert raw.farewell == "new keys were asked for again and again"
    assert 10 <= times < 60
    world.until(lambda: "rekeys" in limits_noted(world))


def test_t20_channels_that_are_refused_asked_for_again_and_again(world: World) -> None:
    with logged_in_with_plain_key(world) as raw:
        raw.send(*(open_session(at) for at in range(300)))
        assert ended(world, raw) == "refused channels were asked for again and again"
    world.until(lambda: "channels" in limits_noted(world))


def test_t20_jumps_to_nowhere_again_and_again(world: World) -> None:
    with logged_in(world) as raw:
        raw.send(*[open_direct("nowhere", 22)] * 300)
        ended(world, raw)


def test_t20_packets_that_mean_nothing_hold_up_nobody(world: World) -> None:
    with logged_in(world) as raw:
        ignore = bytes([2]) + b"\0\0\0\0"
        raw.send(*[ignore] * 20_000)
        assert world.ssh("web-1", "echo served").stdout == b"served\n"
        raw.send(ask_globally("x"))
        raw.expect(82)
