"""Addresses and host names."""

import pytest

from bastion.addresses import Address, check_host_name, is_loopback, parse_address, parse_listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:2222", "127.0.0.1", 2222),
        ("[::1]:0", "::1", 0),
        ("bastion.example.com:22", "bastion.example.com", 22),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
    ],
)
def test_listen_address_reads_and_writes_back(text: str, host: str, port: int) -> None:
    address = parse_listen(text)
    assert (address, str(address)) == (Address(host=host, port=port), text)


@pytest.mark.parametrize(
    "value",
    [
        *(
            22,
            None,
            "",
            "127.0.0.1",
            ":22",
            "127.0.0.1:",
            "127.0.0.1:65536",
            "127.0.0.1:-1",
            "a:22\n",
            "a:+2",
            "a:٣",
        ),
        *(
            "1.2.3.4.5:22",
            "256.0.0.1:22",
            "::1:22",
            "[::1]",
            "[::1:22",
            "[web]:22",
            "a b:22",
            "-a:22",
            "a..b:22",
        ),
        *("tcp://a:22", "[::1]:22x", "fe80::1%eth0:22"),
    ],
)
def test_what_is_no_listen_address_is_refused(value: object) -> None:
    with pytest.raises(
        ValueError, match=r'^got .*, expected "HOST:PORT" or "\[IPV6\]:PORT", port 0 to 65535$'
    ):
        parse_listen(value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10.0.0.5", "10.0.0.5:22"),
        ("[fe80::1]", "[fe80::1]:22"),
        ("db_1.internal:2200", "db_1.internal:2200"),
    ],
)
def test_target_address_has_port_22_unless_it_says_another(text: str, shown: str) -> None:
    assert str(parse_address(text)) == shown


@pytest.mark.parametrize("value", ["10.0.0.5:0", "10.0.0.5:99999", "fe80::1", "", "*:22", 22])
def test_what_is_no_target_address_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^got .*, expected .*port 1 to 65535 \(22 if left out\)$"):
        parse_address(value)


@pytest.mark.parametrize(
    "name", ["bastion.example.com", "localhost", "B-1", "127.0.0.1", "::1", "a" * 63 + ".b"]
)
def test_host_name_or_address_may_stand_in_a_certificate(name: str) -> None:
    assert check_host_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        "*.example.com",
        "a_b",
        "-a",
        "a-",
        "a.",
        "a b",
        "a,b",
        "a" * 64,
        "a." * 127 + "b",
        "1.2.3",
        "fe80::1%eth0",
        "é",
    ],
)
def test_t7_what_is_no_host_name_may_not_stand_in_a_certificate(name: str) -> None:
    with pytest.raises(ValueError, match=r"^got .*, expected a host name such as"):
        check_host_name(name)


def test_loopback_is_known_by_name_and_number_only() -> None:
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.9.9.9", "::1"]))
    assert not any(map(is_loopback, ["localhost.example.com", "10.0.0.1", "127.0.0.1.example.com", ""]))
