"""`ssh login@bastion certificate < token` gives a certificate or one clear reason, and serves nothing else."""

from __future__ import annotations

import base64
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bastion.certificate import BASTION_ONLY_COMMAND
from bastion.certifying import TOKEN_WAIT_S
from tests.integration.conftest import Finished, World
from tests.integration.raw_ssh import USERAUTH_FAILURE, USERAUTH_SUCCESS, RawSsh

FORCED = f"force-command={BASTION_ONLY_COMMAND.decode()}"


@pytest.fixture(scope="module")
def silent_login(world: World) -> Iterator[subprocess.Popen[bytes]]:
    """A login that never ends its input; it is started first and looked at last."""
    make_key(world, "silent")
    with world.start("ssh", "-F", "ssh_config", "-i", "silent", "login@bastion", "certificate") as process:
        assert process.stdin is not None
        process.stdin.write(b"a token that goes on and")
        process.stdin.flush()
        yield process
        process.kill()


def make_key(world: World, name: str, *kind: str) -> None:
    """Make a key of a kind (Ed25519 unless said otherwise) if there is none of this name."""
    if not (world.job / name).exists():
        world.run("ssh-keygen", "-q", *(kind or ("-t", "ed25519")), "-N", "", "-f", name, check=True)


def refused(world: World, done: Finished) -> str:
    """Return what was said, having seen that there is no certificate, a status, and an entry on the chain."""
    said = done.stderr.decode()
    assert done.stdout == b""
    assert done.returncode != 0
    assert "bastion: no certificate: " in said
    entry = [entry for entry in world.audit() if entry["kind"] == "certificate.refused"][-1]
    assert entry["detail"]["reason"] in said
    return said


def works(world: World, key: str) -> None:
    """See that a certificate opens a session under the job's identity."""
    done = world.ssh_as(key, "-J", "bastion", f"{world.login}@web-1", "echo in")
    assert (done.returncode, done.stdout) == (0, b"in\n"), done.stderr


def signed_with_login_ca(world: World, key: str, *options: str) -> None:
    """Put a certificate beside a key that the operator's own ssh-keygen made with the login CA."""
    ca = world.folder / "keys" / "login-ca"
    identity = (
        "-I",
        "orders-deployer/1",
        "-n",
        "orders-deployer",
        "-O",
        FORCED,
    )
    world.run("ssh-keygen", "-q", "-s", str(ca), *identity, *options, f"{key}.pub", check=True)


# What is refused, and why


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"repository_id": "99"}, "claim repository_id"),
        ({"repository_id": 1296269}, "claim repository_id"),
        ({"ref": "refs/heads/main"}, "claim ref"),
        ({"environment": None}, "claim environment"),
        ({"aud": "ssh://other.example.com"}, "claim aud"),
        ({"exp": 1_700_000_000}, "claim exp"),
        ({"iss": "https://token.actions.githubusercontent.com"}, "claim iss"),
        ({"actor": ["sam", "dana"]}, "claim actor"),
    ],
)
@pytest.mark.usefixtures("silent_login")
def test_t11_t12_a_refusal_names_the_claim_that_did_not_match(
    world: World, claims: dict[str, Any], named: str
) -> None:
    make_key(world, "refused")
    token = world.stage.issuer.issuer.token("deploy", **claims)
    said = refused(world, world.certify_with("refused", token.encode()))
    assert named in said
    assert not any(part in said for part in token.split("."))
    assert len(said.splitlines()) == 1
    assert not (world.job / "refused-cert.pub").exists()


def test_a_token_of_an_unknown_repository_says_which_identity_came_closest(world: World) -> None:
    make_key(world, "refused")
    said = refused(world, world.certify("refused", "unknown"))
    assert "the closest is orders-deployer" in said
    assert 'claim repository_id expects "1296269", the token has "99"' in said


def test_a_token_that_was_altered_on_the_way_is_refused(world: World) -> None:
    make_key(world, "refused")
    head, _, signature = world.stage.issuer.issuer.token("deploy").rpartition(".")
    other = world.stage.issuer.issuer.token("deploy", actor="mallory").rpartition(".")[0]
    assert "signature" in refused(world, world.certify_with("refused", f"{other}.{signature}".encode()))
    assert "base64url" in refused(world, world.certify_with("refused", f"{head}.!".encode()))


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (b"", "no token on standard input"),
        (b"\n", "no token on standard input"),
        (b"x" * 17 * 1024, "longer than 16384"),
    ],
)
def test_an_empty_and_an_endless_token_are_refused(world: World, token: bytes, said: str) -> None:
    make_key(world, "refused")
    assert said in refused(world, world.certify_with("refused", token))


def test_t16_a_token_serves_one_key(world: World) -> None:
    token = world.stage.issuer.issuer.token("deploy").encode()
    for name in ("first", "second"):
        make_key(world, name)
    assert world.certify_with("first", token).returncode == 0
    assert world.certify_with("first", token).returncode == 0
    assert "already used with another key" in refused(world, world.certify_with("second", token))


# Which keys


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("rsa3072", ("-t", "rsa", "-b", "3072")),
        ("ecdsa256", ("-t", "ecdsa", "-b", "256")),
        ("ecdsa521", ("-t", "ecdsa", "-b", "521")),
    ],
)
def test_rsa_and_ecdsa_keys_get_certificates_that_work(
    world: World, name: str, kind: tuple[str, ...]
) -> None:
    make_key(world, name, *kind)
    assert world.certify(name).returncode == 0
    works(world, name)


def test_a_short_rsa_key_is_refused_with_the_reason(world: World) -> None:
    make_key(world, "rsa2048", "-t", "rsa", "-b", "2048")
    token = world.stage.issuer.issuer.token("deploy").encode()
    done = world.ssh_as("rsa2048", "login@bastion", "certificate", stdin=token)
    assert (done.stdout, done.returncode) == (b"", 255)
    assert b"RSA keys need 3072 to 16384 bits, this one has 2048; or use ed25519" in done.stderr


def test_sha1_signatures_are_refused(world: World) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    blob = base64.b64decode(line.split()[1])
    digests: dict[str, hashes.HashAlgorithm] = {"ssh-rsa": hashes.SHA1(), "rsa-sha2-256": hashes.SHA256()}
    with RawSsh(world.stage.port) as connection:
        connection.ask_for_login()

        def login(algorithm: str, signature: str) -> bytes:
            digest = digests[signature]
            return connection.signed_by(
                "login",
                blob,
                lambda data: key.sign(data, padding.PKCS1v15(), digest),
                algorithm=algorithm,
                signature=signature,
            )

        for algorithm in ("ssh-rsa", "rsa-sha2-256"):
            connection.send(login(algorithm, "ssh-rsa"))
            connection.expect(USERAUTH_FAILURE)
        connection.send(login("rsa-sha2-256", "rsa-sha2-256"))
        connection.expect(USERAUTH_SUCCESS)


# What lies beside the key


@pytest.mark.parametrize(
    "options",
    [("-V", "19990101:20000101"), ("-V", "always:forever"), ("-h",), ("-O", "critical:unknown@acme.example")],
    ids=["expired", "forever", "host", "unknown option"],
)
def test_t6_t8_a_useless_certificate_opens_nothing_and_does_not_stand_in_the_way(
    world: World, options: tuple[str, ...]
) -> None:
    name = "beside" + "".join(filter(str.isalpha, "".join(options)))
    make_key(world, name)
    signed_with_login_ca(world, name, *options)
    done = world.ssh_as(name, "-J", "bastion", f"{world.login}@web-1", "true")
    assert done.returncode == 255
    assert b"Permission denied" in done.stderr
    assert world.certify(name).returncode == 0
    works(world, name)


def test_t6_a_certificate_of_another_ca_opens_nothing_and_does_not_stand_in_the_way(world: World) -> None:
    make_key(world, "stranger")
    for ca in ("user-ca", "host-ca", "seal-nobody"):
        authority = world.folder / "keys" / ca if ca != "seal-nobody" else world.job / "own-ca"
        if not authority.exists():
            make_key(world, authority.name)
        identity = ("-I", "orders-deployer/1", "-n", "orders-deployer", "-V", "+5m")
        critical = ("-O", FORCED)
        world.run("ssh-keygen", "-q", "-s", str(authority), *identity, *critical, "stranger.pub", check=True)
        done = world.ssh_as("stranger", "bastion", "sessions")
        assert done.returncode == 255
        assert b"not one of this bastion's login CA" in done.stderr
    assert world.certify("stranger").returncode == 0
    works(world, "stranger")


def test_t8_l6_an_expired_certificate_says_so_and_opens_nothing(world: World) -> None:
    make_key(world, "brief")
    assert world.certify("brief", exp=int(time.time()) + 3).returncode == 0
    works(world, "brief")

    def expired() -> Finished | None:
        done = world.ssh_as("brief", "-J", "bastion", f"{world.login}@web-1", "true")
        return done if done.returncode else None

    done = world.until(expired)
    assert b"the certificate has expired: ask login@ for a new one" in done.stderr


# How long


@pytest.mark.parametrize(("token_s", "certificate_s"), [(120, 120), (3600, 600)])
def test_l6_a_certificate_ends_with_its_token_or_its_policy_whichever_is_first(
    world: World, token_s: int, certificate_s: int
) -> None:
    now = int(time.time())
    make_key(world, "timed")
    assert world.certify("timed", exp=now + token_s).returncode == 0
    listed = world.run("ssh-keygen", "-L", "-f", "timed-cert.pub", check=True).stdout.decode()
    (valid,) = (line.split() for line in listed.splitlines() if "Valid: from" in line)
    ends = int(datetime.fromisoformat(valid[4]).timestamp())
    entry = [entry for entry in world.audit() if entry["kind"] == "certificate.issued"][-1]
    assert ends == entry["detail"]["valid_before"]
    if token_s < certificate_s + 1:
        assert ends == now + token_s
    else:
        issued = ends - certificate_s
        assert now <= issued <= int(time.time())


# Nothing else


@pytest.mark.parametrize(
    "words",
    [
        ("login@bastion",),
        ("login@bastion", "sessions"),
        ("login@bastion", "certificate", "--for", "root"),
        ("login@bastion", "certificate; id"),
        ("-s", "login@bastion", "sftp"),
        ("-s", "login@bastion", "certificate"),
        ("-s", "login@bastion", "shell:web-1"),
        ("-W", "web-1:22", "login@bastion"),
        ("-tt", "login@bastion"),
    ],
)
def test_login_serves_certificates_and_nothing_else(world: World, words: tuple[str, ...]) -> None:
    make_key(world, "plain")
    done = world.ssh("-i", "plain", *words)
    assert done.stdout == b""
    assert done.returncode != 0
    assert b"login@ serves" in done.stderr
    refusals = [entry["detail"] for entry in world.audit() if entry["kind"] == "request.refused"]
    assert "login@ serves" in refusals[-1]["reason"]


def test_login_serves_one_request_on_a_connection(world: World) -> None:
    make_key(world, "twice")
    shared = ("-F", "ssh_config", "-i", "twice", "-S", str(world.job / "twice.socket"))
    with world.start("ssh", *shared, "-M", "-N", "login@bastion") as master:
        world.until(lambda: (world.job / "twice.socket").exists())
        token = world.stage.issuer.issuer.token("deploy").encode()
        first = world.run("ssh", *shared, "login@bastion", "certificate", stdin=token)
        assert first.stdout.startswith(b"ssh-ed25519-cert-v01@openssh.com ")
        second = world.run("ssh", *shared, "login@bastion", "certificate", stdin=token)
        assert (second.stdout, second.returncode) == (b"", 126)
        assert b"login@ serves one request" in second.stderr
        master.kill()


def test_t22_login_forwards_nothing(world: World) -> None:
    make_key(world, "plain")
    before = len(world.audit())
    forwarding = ("-o", "ExitOnForwardFailure=yes", "-R", "4040:127.0.0.1:1")
    done = world.ssh("-i", "plain", *forwarding, "login@bastion", "certificate")
    assert (done.stdout, done.returncode) == (b"", 255)
    assert b"remote port forwarding failed" in done.stderr

    def recorded() -> list[str]:
        entries = world.audit()[before:]
        return [entry["detail"]["what"] for entry in entries if entry["kind"] == "request.refused"]

    assert world.until(recorded) == ["-R localhost:4040"]


def test_sftp_to_login_is_refused(world: World) -> None:
    make_key(world, "plain")
    done = world.run("sftp", "-F", "ssh_config", "-i", "plain", "-b", "-", "login@bastion", stdin=b"ls\n")
    assert done.returncode != 0
    assert b"login@ serves" in done.stderr


# Other ways in


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-o", "PreferredAuthentications=none"),
        ("-o", "PreferredAuthentications=password"),
        ("-o", "PreferredAuthentications=keyboard-interactive"),
        ("-o", "PubkeyAuthentication=no"),
    ],
    ids=["plain key", "none", "password", "keyboard-interactive", "no key"],
)
@pytest.mark.parametrize("user", ["orders-deployer", "root"])
def test_without_a_certificate_nobody_gets_in(world: World, user: str, options: tuple[str, ...]) -> None:
    shutil.copy(world.job / "key", world.job / "bare")
    done = world.ssh_as("bare", "-o", "BatchMode=yes", *options, f"{user}@bastion", "sessions")
    assert (done.stdout, done.returncode) == (b"", 255)
    assert b"Permission denied (publickey)" in done.stderr


def test_a_login_that_never_ends_its_input_is_ended(
    world: World, silent_login: subprocess.Popen[bytes]
) -> None:
    assert silent_login.wait(timeout=TOKEN_WAIT_S + 30) == 1  # its stdin is open all the while
    assert silent_login.stdout is not None
    assert silent_login.stderr is not None
    assert silent_login.stdout.read() == b""
    assert b"no token arrived within 20 s" in silent_login.stderr.read()
