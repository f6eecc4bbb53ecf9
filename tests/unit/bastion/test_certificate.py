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
    BASTION_ONLY_OPTION,
    CLAIMS_EXTENSION,
    LONGEST_S,
    SKEW_S,
    UPSTREAM_S,
    CertificateError,
    Login,
    check_login,
    is_certificate,
    issue_host,
    issue_login,
    issue_upstream,
    key_line,
    sound_key,
)
from tests.unit.bastion.certificate_forge import (
    ED25519_CERTIFICATE,
    FOREVER,
    HOST,
    NOW,
    blob,
    blob_of,
    certificate,
    key,
    raw,
    rsa_key,
    sealed_evidence,
    string,
)

PEER = "192.0.2.7"
CURVES = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(), "nistp521": ec.SECP521R1()}


def check(data: bytes, *, now: float = NOW, peer: str = PEER) -> Login:
    return check_login(data, ca=key("login-ca").public_key(), now=now, peer=peer)


def refused(data: bytes, *, now: float = NOW, peer: str = PEER) -> str:
    with pytest.raises(CertificateError) as caught:
        check(data, now=now, peer=peer)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 300
    return text


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
    assert BASTION_ONLY_OPTION.decode() in text
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


# T6: who signed it, and what it is


def test_t6_a_host_certificate_opens_nothing():
    assert "host certificate" in refused(certificate(kind=HOST))


@pytest.mark.parametrize("kind", [0, 3, 2**32 - 1])
def test_t6_a_certificate_of_no_known_kind_opens_nothing(kind):
    assert "can be read" in refused(certificate(kind=kind))


@pytest.mark.parametrize("ca", ["user-ca", "host-ca", "another login-ca", "bot"])
def test_t6_a_certificate_of_another_authority_opens_nothing(ca):
    assert "login CA" in refused(certificate(ca=ca))


def test_t6_a_signature_of_another_key_under_our_name_opens_nothing():
    forged = certificate(ca="bot", signature_key=blob("login-ca"))
    assert "signature does not hold" in refused(forged)


def test_t6_a_certificate_changed_after_signing_opens_nothing():
    sound = certificate()
    changed = sound.replace(b"8412", b"8413", 1)
    assert changed != sound
    assert "signature does not hold" in refused(changed)


@pytest.mark.parametrize("signature_type", [b"ssh-ed25519", ED25519_CERTIFICATE])
def test_t6_a_nested_certificate_opens_nothing(signature_type):
    # A certificate of ours as the "CA": the key in it belongs to the bot, who then signs whatever it likes.
    nested = certificate(ca="bot", signature_key=certificate(), signature_type=signature_type)
    refused(nested)


def test_t6_a_ca_key_within_a_certificate_of_the_ca_opens_nothing():
    # The bytes of our CA's key under a certificate's type name, truly signed by the CA.
    for subject in ("login-ca", "bot"):
        ours = certificate(subject=subject)
        for signature_type in (b"ssh-ed25519", ED25519_CERTIFICATE):
            refused(certificate(signature_key=ours, signature_type=signature_type))


def test_t6_a_security_keys_name_for_our_ca_opens_nothing():
    name = b"sk-ssh-ed25519@openssh.com"
    odd = string(name) + string(raw("login-ca")) + string(b"ssh:")
    refused(certificate(signature_key=odd, signature_type=b"ssh-ed25519"))


@pytest.mark.parametrize(
    "type_name",
    [
        b"ssh-rsa-cert-v01@openssh.com",
        b"ecdsa-sha2-nistp256-cert-v01@openssh.com",
        b"ssh-ed25519",
        b"ssh-dss",
    ],
)
def test_t6_a_certificate_under_another_type_name_opens_nothing(type_name):
    refused(certificate(type_name=type_name))


def test_t6_a_plain_key_is_no_certificate():
    assert "ask login@" in refused(blob("bot"))
    assert not is_certificate(blob("bot"))
    assert is_certificate(certificate())


@pytest.mark.parametrize("cut", range(0, 430, 23))
def test_t6_a_cut_or_lengthened_certificate_opens_nothing(cut):
    sound = certificate()
    refused(sound[:cut])
    refused(sound + b"\0" * (cut + 1))


# T7: names


@pytest.mark.parametrize(
    "principals",
    [
        (),
        (b"orders-deployer", b"root"),
        (b"",),
        (b"orders-deployer,root",),
        (b"orders deployer",),
        (b"orders-deployer\n",),
        (b"orders-deployer\0root",),
        (b"orders-deployer\x1b[2J",),
        (b"*",),
        ("órders-deployer".encode(),),
        (b"orders-deployer\xff",),
    ],
)
def test_t7_only_one_plain_name_is_a_principal(principals):
    refused(certificate(principals=principals, key_id=(principals or (b"",))[0] + b"/8412"))


@pytest.mark.parametrize(
    "key_id",
    [
        b"",
        b"8412",
        b"orders-deployer",
        b"orders-deployer-2/8412",
        b"root/8412",
        b"orders-deployer/84\n12",
        b"orders-deployer/\x1b]0;x\x07",
        b"orders-deployer/\xff",
        "orders-deployer/8412\u202e".encode(),
    ],
)
def test_t7_a_key_id_is_printable_and_begins_with_its_identity(key_id):
    refused(certificate(key_id=key_id))


@pytest.mark.parametrize(
    "evidence",
    [
        b"",
        b"{}",
        b"[]",
        b'"claims"',
        b'{"claims": [], "groups": []}',
        b'{"claims": {}, "groups": 1}',
        b"\xff",
        b"[" * 100_000,
        b'{"claims": ' + b'{"a":' * 5_000,
    ],
)
def test_t7_a_certificate_whose_claims_cannot_be_read_opens_nothing(evidence):
    assert "content" in refused(certificate(extensions=((CLAIMS_EXTENSION, evidence),)))


# T8: options and time


@pytest.mark.parametrize(
    "name", [b"force-command", b"verify-required", b"no-such-thing@acme.example", b"\x1b\xff"]
)
def test_t8_an_unknown_critical_option_opens_nothing(name):
    options = sorted([(BASTION_ONLY_OPTION, b""), (name, b"x")])
    assert "critical option" in refused(certificate(critical=options))


def test_t8_a_certificate_that_was_not_made_for_the_bastion_opens_nothing():
    assert "not made for a login" in refused(certificate(critical=()))


def test_t8_options_twice_or_out_of_order_open_nothing():
    refused(certificate(critical=((BASTION_ONLY_OPTION, b""), (BASTION_ONLY_OPTION, b""))))
    refused(certificate(critical=((b"source-address", b"192.0.2.7"), (BASTION_ONLY_OPTION, b""))))


def from_addresses(text: bytes) -> bytes:
    return certificate(critical=((BASTION_ONLY_OPTION, b""), (b"source-address", text)))


@pytest.mark.parametrize(
    ("addresses", "peer"),
    [
        (b"192.0.2.7", "192.0.2.7"),
        (b"192.0.2.0/24", "192.0.2.200"),
        (b"10.0.0.0/8,192.0.2.0/24", "192.0.2.7"),
        (b"2001:db8::/32", "2001:db8::7"),
        (b"10.0.0.0/8,2001:db8::7", "2001:db8::7"),
    ],
)
def test_t8_a_source_address_that_holds_the_peer_lets_it_in(addresses, peer):
    assert check(from_addresses(addresses), peer=peer).identity == "orders-deployer"


@pytest.mark.parametrize(
    ("addresses", "peer"),
    [
        (b"192.0.2.8", "192.0.2.7"),
        (b"192.0.2.0/24", "192.0.3.1"),
        (b"2001:db8::/32", "192.0.2.7"),
        (b"2001:db8::/32", "2001:db9::7"),
        (b"0.0.0.0/0", "2001:db8::7"),
        (b"192.0.2.7", ""),
        (b"192.0.2.7", "not an address"),
        (b"", "192.0.2.7"),
        (b",", "192.0.2.7"),
        (b"anywhere", "192.0.2.7"),
        (b"192.0.2.7/99", "192.0.2.7"),
        (b"\xff", "192.0.2.7"),
    ],
)
def test_t8_a_source_address_that_does_not_hold_the_peer_opens_nothing(addresses, peer):
    refused(from_addresses(addresses), peer=peer)


def test_t8_a_certificate_holds_from_its_first_second_to_its_last():
    sound = certificate(valid_after=1_000, valid_before=2_000)
    assert "not valid yet" in refused(sound, now=999.999)
    assert check(sound, now=1_000.0).valid_after == 1_000
    assert check(sound, now=1_999.999).valid_before == 2_000
    assert "expired" in refused(sound, now=2_000.0)
    assert "login@" in refused(sound, now=2_000.0)


@pytest.mark.parametrize(
    ("valid_after", "valid_before"),
    [(0, FOREVER), (int(NOW) - 60, FOREVER), (int(NOW), int(NOW) + LONGEST_S + SKEW_S + 1)],
)
def test_t8_l6_a_certificate_that_outlives_every_token_opens_nothing(valid_after, valid_before):
    assert "24 hours" in refused(certificate(valid_after=valid_after, valid_before=valid_before))


def test_t8_a_certificate_that_ends_before_it_begins_opens_nothing():
    refused(certificate(valid_after=int(NOW) + 60, valid_before=int(NOW) - 60))


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
        st.one_of(st.just(BASTION_ONLY_OPTION), st.just(b"source-address"), st.binary(max_size=12)),
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
