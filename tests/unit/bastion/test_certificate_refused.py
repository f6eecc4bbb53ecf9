"""Which certificates open nothing: of others, nested, misnamed, with unknown conditions, out of time."""

from __future__ import annotations

import pytest

from bastion.certificate import (
    BASTION_ONLY_COMMAND,
    CLAIMS_EXTENSION,
    FORCED_COMMAND_OPTION,
    LONGEST_S,
    SKEW_S,
    is_certificate,
)
from tests.unit.bastion.certificate_forge import (
    ED25519_CERTIFICATE,
    FOREVER,
    HOST,
    NOW,
    blob,
    certificate,
    check,
    raw,
    refused,
    string,
)

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
    "name", [b"bastion-only@bastion", b"verify-required", b"no-such-thing@acme.example", b"\x1b\xff"]
)
def test_t8_an_unknown_critical_option_opens_nothing(name):
    options = sorted([(FORCED_COMMAND_OPTION, BASTION_ONLY_COMMAND), (name, b"x")])
    assert "critical option" in refused(certificate(critical=options))


@pytest.mark.parametrize(
    "critical", [(), ((FORCED_COMMAND_OPTION, b"/bin/sh"),), ((FORCED_COMMAND_OPTION, b""),)]
)
def test_t8_a_certificate_that_was_not_made_for_the_bastion_opens_nothing(critical):
    assert "not made for a login" in refused(certificate(critical=critical))


def test_t8_options_twice_or_out_of_order_open_nothing():
    refused(
        certificate(
            critical=(
                (FORCED_COMMAND_OPTION, BASTION_ONLY_COMMAND),
                (FORCED_COMMAND_OPTION, BASTION_ONLY_COMMAND),
            )
        )
    )
    refused(
        certificate(
            critical=((b"source-address", b"192.0.2.7"), (FORCED_COMMAND_OPTION, BASTION_ONLY_COMMAND))
        )
    )


def from_addresses(text: bytes) -> bytes:
    return certificate(critical=((FORCED_COMMAND_OPTION, BASTION_ONLY_COMMAND), (b"source-address", text)))


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
