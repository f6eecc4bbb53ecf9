"""Nothing slips in before the keys are in force or before a login ends: not from a client, not from beside a target."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from recorder.events import Kind
from tests.integration import raw_ssh
from tests.integration.conftest import World
from tests.integration.interposer import Interposer
from tests.integration.jump_evidence import Since
from tests.integration.raw_ssh import (
    CHANNEL_DATA,
    CHANNEL_OPEN_CONFIRMATION,
    DEBUG,
    EXT_INFO,
    IGNORE,
    KEX_ECDH_INIT,
    KEX_ECDH_REPLY,
    KEXINIT,
    NEWKEYS,
    SERVICE_ACCEPT,
    SERVICE_REQUEST,
    UNIMPLEMENTED,
    USERAUTH_BANNER,
    USERAUTH_SUCCESS,
    RawSsh,
    execute,
    number,
    open_session,
    string,
    take,
)
from tests.integration.test_login_raw import CERTIFICATE_ALGORITHM, job_key, log_in

OURS, THEIRS = b"kex-strict-c-v00@openssh.com", b"kex-strict-s-v00@openssh.com"
UNKNOWN = 15  # of the transport layer's numbers, given to nobody
HARMLESS = {
    "ignore": bytes([IGNORE]) + string(b"x"),
    "debug": bytes([DEBUG]) + b"\0" + string(b"x") + string(b""),
    "unimplemented": bytes([UNIMPLEMENTED]) + number(0),
}
EXTENSIONS = bytes([EXT_INFO]) + number(1) + string("server-sig-algs") + string("ssh-ed25519")

Leg = Callable[..., RawSsh]


@pytest.fixture(params=["outer", "inner"])
def leg(world: World, request: pytest.FixtureRequest) -> Iterator[Leg]:
    """Open raw connections to the bastion's door, or to the server in a target's name behind a jump."""
    jumps: list[subprocess.Popen[bytes]] = []

    def outer(**how: bool) -> RawSsh:
        return RawSsh(world.stage.port, **how)

    def inner(**how: bool) -> RawSsh:
        ours, theirs = socket.socketpair()
        jump = ["ssh", "-F", "ssh_config", "-W", "web-1:22", "bastion"]
        with theirs:
            jumps.append(world.start(*jump, stdin=theirs, stdout=theirs))
        return RawSsh(through=ours, **how)

    yield outer if request.param == "outer" else inner
    for jump in jumps:
        jump.kill()
        jump.communicate()


def works(world: World, connection: RawSsh) -> None:
    """Log in as the job and run something, on either leg."""
    job, certificate = job_key(world)
    log_in(connection, world.login, job, certificate, CERTIFICATE_ALGORITHM)
    connection.send(open_session())
    connection.expect(CHANNEL_OPEN_CONFIRMATION)
    connection.send(execute("echo served"))
    said = b""
    while (payload := connection.receive()) is not None and payload[0] != raw_ssh.CHANNEL_CLOSE:
        if payload[0] == CHANNEL_DATA:
            said += take(payload[5:])[0]
        elif payload[0] == raw_ssh.CHANNEL_EXTENDED_DATA:
            said += take(payload[9:])[0]
    assert b"served" in said or b"may not read evidence" in said


def rejected_number(connection: RawSsh) -> int:
    """Return which number the server's count gives to the packet that we send now."""
    connection.send(bytes([UNKNOWN]))
    return int.from_bytes(connection.expect(UNIMPLEMENTED)[1:5], "big")


def test_t17_strict_exchange_is_offered_and_counts_from_the_new_keys(world: World, leg: Leg) -> None:
    with leg(strict=True) as connection:
        connection.ask_for_login()
        assert THEIRS in connection.server_kexinit
        assert rejected_number(connection) == 1  # after the service request, which is the first
        works(world, connection)
    with leg() as connection:
        connection.ask_for_login()
        assert rejected_number(connection) == 4


def test_t17_what_is_harmless_elsewhere_ends_a_strict_exchange(world: World, leg: Leg) -> None:
    """The prefix of the encrypted stream cannot be cut where nothing can be put in before it (Terrapin)."""
    point = string(b"\1" * 32)
    for payload in HARMLESS.values():
        with leg(strict=True) as connection:
            connection.send(payload, connection.kexinit())
            assert connection.hung_up()
        with leg(strict=True) as connection:
            connection.send(connection.kexinit())
            connection.expect(KEXINIT)
            connection.send(payload, bytes([KEX_ECDH_INIT]) + point)
            assert connection.hung_up()
        with leg(strict=True) as connection:
            connection.send(connection.kexinit(), bytes([KEX_ECDH_INIT]) + point)
            for kind in (KEXINIT, KEX_ECDH_REPLY, NEWKEYS):
                connection.expect(kind)
            connection.send(payload)
            assert connection.cut_off()
    with leg() as connection:  # where it is not strict, they are passed over: it was the strictness
        connection.send(connection.kexinit())
        connection.expect(KEXINIT)
        connection.send(*HARMLESS.values(), bytes([KEX_ECDH_INIT]) + point)
        connection.expect(KEX_ECDH_REPLY)


def test_t1_nothing_of_later_is_taken_before_the_keys_are_in_force(world: World, leg: Leg) -> None:
    """A rogue extension or login put in ahead of the keys would count as the client's own (CVE-2023-46445, 46446)."""
    job, certificate = job_key(world)
    since = Since(world)
    with leg() as connection:
        connection.session_id = b"\0" * 32
        login = connection.signed(world.login, certificate, job, algorithm=CERTIFICATE_ALGORITHM)
    later = (
        bytes([EXT_INFO]) + number(1) + string("ext-info-in-auth@openssh.com") + string("0"),
        bytes([SERVICE_REQUEST]) + string("ssh-userauth"),
        bytes([SERVICE_ACCEPT]) + string("ssh-userauth"),
        login,
        bytes([USERAUTH_SUCCESS]),
        open_session(),
        execute("id"),
        raw_ssh.ask_globally("keepalive@openssh.com"),
    )
    for payload in later:
        for strict in (False, True):
            with leg(strict=strict) as connection:
                connection.send(payload)
                assert connection.hung_up()
            with leg(strict=strict) as connection:
                connection.send(connection.kexinit())
                connection.expect(KEXINIT)
                connection.send(payload)
                assert connection.hung_up()
    since.none()


def test_t1_a_session_asked_for_before_the_login_is_granted_is_not_kept_for_later(
    world: World, leg: Leg
) -> None:
    job, certificate = job_key(world)
    since = Since(world)
    for early in (open_session(), execute("id"), bytes([EXT_INFO]) + number(0), bytes([USERAUTH_SUCCESS])):
        with leg(strict=True) as connection:
            connection.ask_for_login()
            connection.send(early, open_session())
            connection.send(connection.signed(world.login, certificate, job, algorithm=CERTIFICATE_ALGORITHM))
            assert connection.hung_up()
    since.none()


@contextmanager
def beside(world: World) -> Iterator[Interposer]:
    """Have somebody stand between the bastion and its target."""
    host = world.stage.host
    with Interposer(host.port) as between:
        world.rewrite_config(
            lambda text: text.replace(
                f'address = "127.0.0.1:{host.port}"', f'address = "127.0.0.1:{between.port}"'
            )
        )
        assert world.reload()["kind"] == "configuration.reloaded"
        yield between


def test_t1_t17_what_is_slipped_in_before_a_target_ends_the_handshake(own_world: World) -> None:
    world = own_world
    with beside(world) as between:
        assert world.ssh("web-1", "echo untouched").stdout == b"untouched\n"
        assert OURS in between.offered["client"]
        assert (
            THEIRS in between.offered["server"]
        )  # the target's sshd is strict too, or this would prove little
        accepted = world.stage.host.log.read_text().count("Accepted publickey")
        rogue = (
            *HARMLESS.values(),
            EXTENSIONS,
            bytes([SERVICE_ACCEPT]) + string("ssh-userauth"),
            bytes([USERAUTH_SUCCESS]),
            bytes([USERAUTH_BANNER]) + string("welcome") + string(""),
        )
        for payload in rogue:
            for before in (KEXINIT, KEX_ECDH_REPLY, NEWKEYS):
                between.slipped, between.before = payload, before
                done = world.ssh("web-1", "echo never")
                assert (done.returncode, done.stdout) == (255, b""), (payload, before)
                assert b"target web-1: the SSH handshake failed" in done.stderr
        between.slipped = b""
        assert world.stage.host.log.read_text().count("Accepted publickey") == accepted
        since = Since(world)
        assert world.ssh("web-1", "echo after").stdout == b"after\n"
        assert since.ended().data(Kind.OUTPUT) == b"after\n"
