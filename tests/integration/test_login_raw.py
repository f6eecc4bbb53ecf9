"""Packets out of order, borrowed signatures and changed names open nothing, and disturb nobody else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from subprocess import Popen

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from tests.integration import raw_ssh
from tests.integration.conftest import World
from tests.integration.raw_ssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_EXTENDED_DATA,
    CHANNEL_OPEN_CONFIRMATION,
    CHANNEL_OPEN_FAILURE,
    CHANNEL_SUCCESS,
    CHANNEL_WINDOW_ADJUST,
    EXT_INFO,
    KEX_ECDH_INIT,
    NEWKEYS,
    REQUEST_SUCCESS,
    SERVICE_ACCEPT,
    SERVICE_REQUEST,
    USERAUTH_FAILURE,
    USERAUTH_PK_OK,
    USERAUTH_SUCCESS,
    RawSsh,
    ask_globally,
    ed25519_blob,
    execute,
    number,
    open_direct,
    open_session,
    send_data,
    string,
    take,
)

CERTIFICATE_ALGORITHM = "ssh-ed25519-cert-v01@openssh.com"

BEFORE_LOGIN = {
    "open a session": open_session(),
    "open a jump": open_direct("web-1", 22),
    "exec on a channel that is not": execute("certificate"),
    "data for a channel that is not": send_data(b"x"),
    "room for a channel that is not": bytes([CHANNEL_WINDOW_ADJUST]) + number(0) + number(1),
    "close a channel that is not": bytes([CHANNEL_CLOSE]) + number(0),
    "end a channel that is not": bytes([CHANNEL_EOF]) + number(0),
    "stderr for a channel that is not": bytes([CHANNEL_EXTENDED_DATA]) + number(0) + number(1) + string(b"x"),
    "a channel opened for the server": bytes([CHANNEL_OPEN_CONFIRMATION]) + number(0) * 2 + number(99) * 2,
    "a channel refused to the server": bytes([CHANNEL_OPEN_FAILURE]) + number(0) * 2 + string("") * 2,
    "a request granted to the server": bytes([CHANNEL_SUCCESS]) + number(0),
    "remote forwarding": ask_globally("tcpip-forward", string("0.0.0.0") + number(0)),
    "keep-alive": ask_globally("keepalive@openssh.com"),
    "an unknown global request": ask_globally("no-such-request@acme.example"),
    "a global request granted": bytes([REQUEST_SUCCESS]),
    "an unknown channel type": bytes([raw_ssh.CHANNEL_OPEN]) + string("x") + number(0) * 3,
}
OUT_OF_ORDER = {
    "login granted by the client": bytes([USERAUTH_SUCCESS]),
    "login refused by the client": bytes([USERAUTH_FAILURE]) + string("publickey") + b"\0",
    "key accepted by the client": bytes([USERAUTH_PK_OK]) + string("ssh-ed25519") + string(b""),
    "service accepted by the client": bytes([SERVICE_ACCEPT]) + string("ssh-connection"),
    "the connection service unasked": bytes([SERVICE_REQUEST]) + string("ssh-connection"),
    "new keys unasked": bytes([NEWKEYS]),
    "a key exchange unasked": bytes([KEX_ECDH_INIT]) + string(b"\1" * 32),
    "a login cut short": bytes([raw_ssh.USERAUTH_REQUEST]) + string("bot"),
    "a login for another service": bytes([raw_ssh.USERAUTH_REQUEST])
    + string("bot")
    + string("x")
    + string("none"),
}


@pytest.fixture
def bystander(world: World) -> Iterator[Callable[[], None]]:
    """A session that is open all the while; calling it proves that it still works."""
    cat: Popen[bytes] = world.start("ssh", "-F", "ssh_config", "-J", "bastion", f"{world.login}@web-1", "cat")
    assert cat.stdin is not None
    assert cat.stdout is not None
    stdin, stdout = cat.stdin, cat.stdout

    def still_served() -> None:
        stdin.write(b"still here\n")
        stdin.flush()
        assert stdout.readline() == b"still here\n"

    still_served()
    yield still_served
    still_served()
    cat.communicate(timeout=30)
    assert cat.returncode == 0


@pytest.fixture
def sessions_before(world: World) -> Iterator[None]:
    """Sees to it that the story opens no session and earns no certificate."""

    def state() -> tuple[set[str], int]:
        issued = [entry for entry in world.audit() if entry["kind"] == "certificate.issued"]
        return {row["id"] for row in world.sessions()}, len(issued)

    before = state()
    yield
    assert state() == before


def a_key() -> tuple[Ed25519PrivateKey, bytes]:
    key = Ed25519PrivateKey.generate()
    return key, ed25519_blob(key)


def job_key(world: World) -> tuple[Ed25519PrivateKey, bytes]:
    """Return the job's own key and its certificate's blob."""
    key = load_ssh_private_key((world.job / "key").read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key, base64.b64decode((world.job / "key-cert.pub").read_bytes().split()[1])


def log_in(connection: RawSsh, user: str, key: Ed25519PrivateKey, blob: bytes, algorithm: str) -> None:
    connection.send(connection.signed(user, blob, key, algorithm=algorithm))
    connection.expect(USERAUTH_SUCCESS)


def said(connection: RawSsh) -> bytes:
    """Return all that a channel's stderr says until it closes, having seen it say nothing on stdout."""
    text = b""
    while (payload := connection.receive()) is not None:
        assert payload[0] != CHANNEL_DATA
        if payload[0] == CHANNEL_EXTENDED_DATA:
            text += take(payload[9:])[0]
        if payload[0] == CHANNEL_CLOSE:
            break
    return text


# T2: before login, and out of order


def test_t2_nothing_but_login_is_served_before_login(
    world: World, bystander: Callable[[], None], sessions_before: None
) -> None:
    for payload in BEFORE_LOGIN.values():
        with RawSsh(world.stage.port) as before_keys:
            before_keys.send(payload)
            assert before_keys.hung_up()
        with RawSsh(world.stage.port) as before_service:
            before_service.exchange_keys()
            before_service.send(payload)
            assert before_service.hung_up()
        with RawSsh(world.stage.port) as before_login:
            before_login.ask_for_login()
            before_login.send(payload, execute("id"))
            assert before_login.hung_up()
        with RawSsh(world.stage.port) as behind_a_query:
            _, blob = a_key()
            behind_a_query.ask_for_login()
            behind_a_query.send(behind_a_query.query("login", blob), payload)
            assert behind_a_query.hung_up()
    bystander()


def test_t2_packets_out_of_order_end_their_own_connection_only(
    world: World, bystander: Callable[[], None], sessions_before: None
) -> None:
    for payload in OUT_OF_ORDER.values():
        with RawSsh(world.stage.port) as plain:
            plain.send(payload)
            assert plain.hung_up()
        with RawSsh(world.stage.port) as encrypted:
            encrypted.ask_for_login()
            encrypted.send(payload)
            # Whatever is passed over does not open the door to what follows.
            encrypted.send(open_session())
            assert encrypted.hung_up()
    bystander()


def test_t2_messages_in_clear_among_those_of_the_key_exchange_end_the_connection(world: World) -> None:
    for payload in (
        bytes([EXT_INFO]) + number(0),
        bytes([SERVICE_REQUEST]) + string("ssh-userauth"),
        bytes([NEWKEYS]),
    ):
        with RawSsh(world.stage.port) as connection:
            connection.send(connection.kexinit(), payload)
            assert connection.hung_up()


# T3: the name or the method changes on the way


@pytest.mark.usefixtures("sessions_before")
def test_t3_a_key_that_asked_as_login_does_not_get_in_as_another(world: World) -> None:
    key, blob = a_key()
    for user in ("orders-deployer", "on-call", "root", "Login", "login ", "log\u00adin", ""):
        with RawSsh(world.stage.port) as connection:
            connection.ask_for_login()
            connection.send(connection.query("login", blob))
            connection.expect(USERAUTH_PK_OK)
            connection.send(connection.signed(user, blob, key))
            if user == "log\u00adin":
                # The name is prepared (RFC 4252 section 5, RFC 4013) before it is looked at: this one is `login`.
                connection.expect(USERAUTH_SUCCESS)
                connection.send(open_direct("web-1", 22))
                connection.expect(CHANNEL_OPEN_FAILURE)
                continue
            connection.expect(USERAUTH_FAILURE)
            connection.send(open_session())
            assert connection.hung_up()


@pytest.mark.usefixtures("sessions_before")
def test_t3_a_signature_made_for_one_name_is_not_taken_for_another(world: World) -> None:
    key, blob = a_key()
    with RawSsh(world.stage.port) as connection:
        connection.ask_for_login()
        connection.send(connection.signed("login", blob, key, signed_user="orders-deployer"))
        connection.expect(USERAUTH_FAILURE)
        connection.send(open_session())
        assert connection.hung_up()


@pytest.mark.usefixtures("sessions_before")
def test_t3_who_ends_up_as_login_gets_a_login_and_nothing_else(world: World) -> None:
    job, certificate = job_key(world)
    key, blob = a_key()
    with RawSsh(world.stage.port) as connection:
        connection.ask_for_login()
        # The certificate is asked about, even signed with under another name; then a plain key logs in.
        connection.send(connection.query("bot", certificate, CERTIFICATE_ALGORITHM))
        connection.expect(USERAUTH_PK_OK)
        wrong = connection.signed(
            "bot", certificate, job, algorithm=CERTIFICATE_ALGORITHM, signed_user="other"
        )
        connection.send(wrong)
        connection.expect(USERAUTH_FAILURE)
        log_in(connection, "login", key, blob, "ssh-ed25519")
        connection.send(open_direct("web-1", 22))
        connection.expect(CHANNEL_OPEN_FAILURE)
        connection.send(open_session(1))
        connection.expect(CHANNEL_OPEN_CONFIRMATION)
        connection.send(execute("sessions", 0))
        assert b"login@ serves one request" in said(connection)


@pytest.mark.usefixtures("sessions_before")
def test_t3_a_login_is_not_traded_up_after_it_was_granted(world: World) -> None:
    job, certificate = job_key(world)
    key, blob = a_key()
    with RawSsh(world.stage.port) as connection:
        connection.ask_for_login()
        log_in(connection, "login", key, blob, "ssh-ed25519")
        connection.send(connection.signed("bot", certificate, job, algorithm=CERTIFICATE_ALGORITHM))
        connection.send(open_direct("web-1", 22))
        connection.expect(CHANNEL_OPEN_FAILURE)
        connection.send(connection.signed("bot", certificate, job, algorithm=CERTIFICATE_ALGORITHM))
        assert connection.hung_up()


@pytest.mark.usefixtures("sessions_before")
def test_t3_two_logins_in_one_write_do_not_lend_each_other_anything(world: World) -> None:
    job, certificate = job_key(world)
    key, blob = a_key()
    with RawSsh(world.stage.port) as connection:
        connection.ask_for_login()
        plain = connection.signed("login", blob, key)
        query = connection.query("bot", certificate, CERTIFICATE_ALGORITHM)
        borrowed = connection.signed("bot", certificate, key, algorithm=CERTIFICATE_ALGORITHM)
        connection.send(query, borrowed, plain, query)
        while connection.expect(USERAUTH_SUCCESS, USERAUTH_FAILURE, USERAUTH_PK_OK)[0] != USERAUTH_SUCCESS:
            pass
        connection.send(open_direct("web-1", 22))
        connection.expect(CHANNEL_OPEN_FAILURE)
    assert job.public_key() != key.public_key()


# T4 and T5: what proves possession


@pytest.mark.usefixtures("sessions_before")
def test_t4_a_key_that_is_only_asked_about_is_not_logged_in(world: World) -> None:
    _, certificate = job_key(world)
    _, blob = a_key()
    for user, data, algorithm in (
        ("login", blob, "ssh-ed25519"),
        ("bot", certificate, CERTIFICATE_ALGORITHM),
    ):
        with RawSsh(world.stage.port) as connection:
            connection.ask_for_login()
            for _ in range(3):
                connection.send(connection.query(user, data, algorithm))
                connection.expect(USERAUTH_PK_OK)
            connection.send(open_session())
            assert connection.hung_up()


@pytest.mark.usefixtures("sessions_before")
def test_t5_a_signature_of_another_connection_is_not_taken(world: World) -> None:
    job, certificate = job_key(world)
    key, blob = a_key()
    for user, signer, data, algorithm in (
        ("login", key, blob, "ssh-ed25519"),
        ("bot", job, certificate, CERTIFICATE_ALGORITHM),
    ):
        with RawSsh(world.stage.port) as first:
            first.ask_for_login()
            overheard = first.signed(user, data, signer, algorithm=algorithm)
            first.send(overheard)
            first.expect(USERAUTH_SUCCESS)
            with RawSsh(world.stage.port) as second:
                second.ask_for_login()
                assert second.session_id != first.session_id
                second.send(overheard)
                second.expect(USERAUTH_FAILURE)
                second.send(open_session())
                assert second.hung_up()


@pytest.mark.usefixtures("sessions_before")
def test_t5_a_signature_over_less_than_the_session_is_not_taken(world: World) -> None:
    key, blob = a_key()
    other, _ = a_key()
    job, certificate = job_key(world)
    with RawSsh(world.stage.port) as connection:
        connection.ask_for_login()
        sound = connection.signed("login", blob, key)
        for login in (
            connection.signed("login", blob, key, session_id=b""),
            connection.signed("login", blob, key, session_id=connection.session_id[:-1]),
            connection.signed("login", blob, other),
            connection.signed("bot", certificate, other, algorithm=CERTIFICATE_ALGORITHM),
            sound[:-1] + bytes([sound[-1] ^ 1]),
        ):
            connection.send(login)
            connection.expect(USERAUTH_FAILURE)
        connection.send(open_session())
        assert connection.hung_up()
    assert job.public_key() != other.public_key()


def test_the_raw_client_gets_in_where_it_should(world: World) -> None:
    """Without this, every refusal above could be the client's own fault."""
    job, certificate = job_key(world)
    with RawSsh(world.stage.port) as connection:
        connection.ask_for_login()
        log_in(connection, "anybody", job, certificate, CERTIFICATE_ALGORITHM)
        connection.send(open_session())
        connection.expect(CHANNEL_OPEN_CONFIRMATION)
        connection.send(execute("sessions"))
        assert b"may not read evidence" in said(connection)


# What is offered, and how often


@pytest.mark.usefixtures("sessions_before")
def test_only_public_keys_are_a_way_in(world: World) -> None:
    with RawSsh(world.stage.port) as connection:
        connection.ask_for_login()
        for login in (
            connection.none("bot"),
            connection.password("root", "root"),
            connection.interactive("login"),
        ):
            connection.send(login)
            methods, _ = take(connection.expect(USERAUTH_FAILURE)[1:])
            assert methods == b"publickey"


def test_keys_that_are_refused_are_not_tried_for_ever(world: World, bystander: Callable[[], None]) -> None:
    with RawSsh(world.stage.port) as connection:
        connection.ask_for_login()
        tries = 0
        _, blob = a_key()
        while tries < 50:
            connection.send(connection.query("orders-deployer", blob))
            if connection.receive() is None:
                break
            tries += 1
        assert 3 <= tries <= 20
    bystander()
