"""Read network addresses and host names.

In      values from a TOML file: "host:port", "[v6]:port", host names
Out     Address; host names as they were written
Errors  ValueError, whose text says what was got and what was expected
Source  RFC 1123 section 2.1 (host names); RFC 3986 section 3.2.2 (brackets round IPv6)
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from policies.problem import shown

SSH_PORT = 22

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_DNS_LABEL = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
)  # names in private DNS have underscores


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host (name or IP address, without brackets) and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(value: object) -> Address:
    """Return where to listen; port 0 lets the system choose one."""
    expected = 'expected "HOST:PORT" or "[IPV6]:PORT", port 0 to 65535'
    address = _parse(value, default_port=None)
    if address is None:
        raise ValueError(f"got {shown(value)}, {expected}")
    return address


def parse_address(value: object) -> Address:
    """Return where a target is; the port is 22 if it is left out."""
    address = _parse(value, default_port=SSH_PORT)
    if address is None or address.port == 0:
        raise ValueError(
            f'got {shown(value)}, expected "HOST:PORT" or "[IPV6]:PORT", port 1 to 65535 (22 if left out)'
        )
    return address


def check_host_name(text: str) -> str:
    """Return a host name or an IP address that a certificate may bear."""
    if is_ip(text) or _is_name(text, _LABEL):
        return text
    raise ValueError(
        f'got {shown(text)}, expected a host name such as "bastion.example.com" or an IP address'
    )


def is_ip(host: str) -> bool:
    """Say whether this is an IPv4 or IPv6 address, without brackets or zone."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def is_loopback(host: str) -> bool:
    """Say whether this host is this machine by its very name."""
    return host == "localhost" or (is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _parse(value: object, default_port: int | None) -> Address | None:
    if not isinstance(value, str):
        return None
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?", value)
    plain = re.fullmatch(r"([^:\[\]]+)(?::([0-9]{1,5}))?", value)
    found = bracketed or plain
    if found is None:
        return None
    host, digits = found.groups()
    port = int(digits) if digits else default_port
    sound = is_ip(host) if bracketed else is_ip(host) or _is_name(host, _DNS_LABEL)
    if port is None or port > 0xFFFF or not sound:
        return None
    return Address(host=host, port=port)


def _is_name(text: str, label: re.Pattern[str]) -> bool:
    # All-digit last labels would be read as an IPv4 address by some resolvers (RFC 1123 section 2.1).
    labels = text.split(".")
    return len(text) <= 253 and all(map(label.fullmatch, labels)) and not labels[-1].isdecimal()
