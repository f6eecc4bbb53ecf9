"""Which certificates open the bastion, and that those it makes say what they should."""

from __future__ import annotations

import base64
import contextlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.certificate import (
    CLAIMS_EXTENSION,
    FORCED_COMMAND_OPTION,
    SKEW_S,
    UPSTREAM_S,
    CertificateError,
    Login,
    is_certificate,
    issue_host,
    issue_login,
    issue_upstream,
    key_line,
    sound_key,
)
from tests.unit.bastion.certificate_forge import (
    FOREVER,
    NOW,
    PEER,
    blob,
    blob_of,
    certificate,
    check,
    key,
    raw,
    refused,
    rsa_key,
    sealed_evidence,
    string,
)

CURVES = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(), "nistp521": ec.SECP521R1()}


def issued(key_blob: bytes, *, now: float = NOW, valid_before: int = int(NOW) + 600) -> bytes:
    line, _ = issue_login(
        key_blob,
        ca=key("login-ca"),
        identity="orders-deployer",
        key_id="orders-deployer/8412",
        claims={"run_id": "8412", "actor": "sam"},
        groups=("github/dba",),
        now=now,
        valid_before=valid_before,
    )
    return base64.b64decode(line.split()[1])


def keygen_reads(folder: Path, line: str) -> str:
    path = folder / "key-cert.pub"
    path.write_text(line + "\n")
    done = subprocess.run(["ssh-keygen", "-L", "-f", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# What is made


@pytest.mark.parametrize("kind", ["ed25519", "rsa3072", "rsa4096", *CURVES])
def test_a_sound_key_gets_a_certificate_that_is_then_accepted(kind, tmp_path):
    if kind.startswith("rsa"):
        public = blob_of(rsa_key(int(kind[3:])).public_key())
    elif kind == "ed25519":
        public = blob("bot")
    else:
        public = blob_of(ec.generate_private_key(CURVES[kind]).public_key())
    sound_key(public)
    made = issued(public)
    login = check(made)
    assert (login.identity, login.key_id, login.key) == ("orders-deployer", "orders-deployer/8412", public)
    assert login.claims == {"run_id": "8412", "actor": "sam"}
    assert login.groups == ("github/dba",)
    assert login.source_addresses is None
    assert (login.valid_after, login.valid_before) == (int(NOW) - SKEW_S, int(NOW) + 600)
    text = keygen_reads(tmp_path, key_line(made).decode())
    assert 'Key ID: "orders-deployer/8412"' in text
    assert "user certificate" in text
    assert f"Serial: {login.serial}" in text
    assert text.index("Principals:") < text.index("orders-deployer\n") < text.index("Critical Options:")
    assert FORCED_COMMAND_OPTION.decode() in text
    assert CLAIMS_EXTENSION.decode() in text


def test_two_certificates_have_two_serials():
    assert check(issued(blob("bot"))).serial != check(issued(blob("bot"))).serial


def test_an_upstream_certificate_is_of_one_login_one_address_and_one_minute(tmp_path):
    line = issue_upstream(
        blob("session"),
        ca=key("user-ca"),
        login="deploy",
        key_id="orders-deployer/8412/01J",
        now=NOW,
        source_address="192.0.2.1/32",
        pty=False,
    )
    text = keygen_reads(tmp_path, line)
    assert "source-address 192.0.2.1/32" in text
    assert "Extensions: (none)" in text
    assert 'Key ID: "orders-deployer/8412/01J"' in text
    with_terminal = issue_upstream(
        blob("session"),
        ca=key("user-ca"),
        login="deploy",
        key_id="k",
        now=NOW,
        source_address="192.0.2.1",
        pty=True,
    )
    text = keygen_reads(tmp_path, with_terminal)
    assert "permit-pty" in text
    assert "forwarding" not in text
    assert UPSTREAM_S <= 60
    # The bastion itself takes no such certificate.
    assert "login CA" in refused(base64.b64decode(line.split()[1]))


def test_a_host_certificate_says_its_names_and_no_other(tmp_path):
    line = issue_host(
        blob("host"), ca=key("host-ca"), names=("bastion.example.com", "web-1"), now=NOW, lifetime_s=60
    )
    text = keygen_reads(tmp_path, line)
    assert "host certificate" in text
    named = text[text.index("Principals:") : text.index("Critical")].split()[1:]
    assert named == ["bastion.example.com", "web-1"]


# Keys


def weak_keys() -> dict[str, bytes]:
    modulus = b"\0" + b"\xff" * 2500
    return {
        "RSA 2048": blob_of(rsa_key(2048).public_key()),
        "DSA": string(b"ssh-dss") + string(modulus) * 4,
        "security key": string(b"sk-ssh-ed25519@openssh.com") + string(raw("bot")) + string(b"ssh:"),
        "security key ECDSA": string(b"sk-ecdsa-sha2-nistp256@openssh.com")
        + string(b"nistp256")
        + blob_of(ec.generate_private_key(CURVES["nistp256"]).public_key())[-69:]
        + string(b"ssh:"),
        "certificate": certificate(),
        "RSA of 20000 bits": string(b"ssh-rsa") + string(b"\x01\x00\x01") + string(modulus),
        "RSA certificate name": string(b"ssh-rsa-cert-v01@openssh.com") + string(b"n"),
        "Ed25519 of 31 bytes": string(b"ssh-ed25519") + string(raw("bot")[:31]),
        "Ed25519 with a tail": blob("bot") + b"\0",
        "ECDSA off its curve": string(b"ecdsa-sha2-nistp256")
        + string(b"nistp256")
        + string(b"\x04" + b"\x01" * 64),
        "unknown type": string(b"ssh-quantum") + string(b"x"),
        "empty": b"",
        "a length alone": b"\xff\xff\xff\xff",
        "a name with a key in it": string(b"ssh-ed25519 AAAA") + string(b"x"),
        "a name with a line end": string(b"ssh-ed25519\n") + string(raw("bot")),
    }


@pytest.mark.parametrize("name", weak_keys())
def test_an_unsound_key_gets_no_certificate(name):
    with pytest.raises(CertificateError) as caught:
        sound_key(weak_keys()[name])
    assert str(caught.value).isprintable()
    with pytest.raises(CertificateError):
        issued(weak_keys()[name])


def test_the_refusal_of_a_short_rsa_key_says_how_long_it_must_be():
    with pytest.raises(CertificateError, match="3072 to 16384 bits, this one has 2048; or use ed25519"):
        sound_key(blob_of(rsa_key(2048).public_key()))


# Totality: any bytes give a Login or a CertificateError


def outcome(data: bytes) -> Login | None:
    for judge in (sound_key, key_line):
        with contextlib.suppress(CertificateError):
            judge(data)
    is_certificate(data)
    try:
        return check(data)
    except CertificateError:
        return None


@given(st.binary(max_size=400))
def test_any_bytes_give_a_refusal(data):
    assert outcome(data) is None


@given(st.data())
@settings(max_examples=300)
def test_any_change_of_a_certificate_gives_a_refusal(data):
    sound = bytearray(certificate())
    at = data.draw(st.integers(0, len(sound) - 1))
    sound[at] ^= data.draw(st.integers(1, 255))
    # Its own signature is over all that stands before it, so that no single change can be one of ours.
    assert outcome(bytes(sound)) is None


@given(
    key_id=st.binary(max_size=60),
    principals=st.lists(st.binary(max_size=30), max_size=3),
    after=st.integers(0, FOREVER),
    before=st.integers(0, FOREVER),
    critical=st.dictionaries(
        st.one_of(st.just(FORCED_COMMAND_OPTION), st.just(b"source-address"), st.binary(max_size=12)),
        st.binary(max_size=20),
        max_size=3,
    ),
    evidence=st.binary(max_size=60),
    peer=st.one_of(st.just(PEER), st.text(max_size=10)),
)
@settings(max_examples=300)
def test_anything_that_our_own_ca_signs_gives_a_login_or_a_refusal(
    key_id, principals, after, before, critical, evidence, peer
):
    signed = certificate(
        key_id=key_id,
        principals=principals,
        valid_after=after,
        valid_before=before,
        critical=sorted(critical.items()),
        extensions=((CLAIMS_EXTENSION, evidence),),
    )
    with contextlib.suppress(CertificateError):
        assert check(signed, peer=peer).key == blob("bot")


def test_the_forgers_own_certificate_is_sound_by_default():
    login = check(certificate(extensions=((CLAIMS_EXTENSION, sealed_evidence(groups=["github/dba"])),)))
    assert (login.identity, login.serial, login.groups) == ("orders-deployer", 7, ("github/dba",))
    assert login.key == blob("bot")
