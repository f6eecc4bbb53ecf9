"""Feed what an issuer answers over HTTP: discovery documents, URLs, Cache-Control.

Source  OpenID Connect Discovery 1.0; RFC 9111; RFC 3986
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import yarl

from bastion.adapters.oidc_http import check_jwks_uri, check_url, fresh_for_s
from bastion.strict_json import read_object
from tests.fuzz.target import require
from tests.unit.bastion.token_forge import ISSUER

TEXT_CHARS = 600
URLS = (
    "https://a.example/k",
    "http://127.0.0.1:8080",
    "https://[::1]/",
    "https://127.1/",
    "https://a@b/",
    "https://a:b/",
    "HTTPS://A.EXAMPLE",
    "https://0x7f000001",
    "https://a.example?x",
    "https://[::ffff:127.0.0.1]/",
    "https://\u24d0.example",
    "max-age=60",
    'max-age="9999999999"',
    "no-store, max-age=5",
    "https://0177.0.0.1/",
    "https://127.0x1/",
    "https://127.0.0.1.",
    "https://0/",
    "https://[fe80::1%25eth0]/",
    "https://[::]/",
    "https://169.254.169.254/",
    "https://1.2.3.4:443/",
)


def answer(body: bytes) -> None:
    """Read an answer; an accepted URL must lead the client that fetches it where the check took it to lead."""
    texts = [body.decode("utf-8", "surrogateescape")]
    try:
        document = read_object(body)
    except ValueError as error:
        say_why(error)
    else:
        texts += [value for value in document.values() if isinstance(value, str)]
    for text in texts:
        require(60 <= fresh_for_s(text) <= 24 * 3600, "kept too long, or not at all")
        for judge in (check_url, _check_jwks_uri):
            try:
                judge(text)
            except ValueError as error:
                say_why(error)
            else:
                _same_place(text, outward=judge is _check_jwks_uri)


def _check_jwks_uri(url: str) -> None:
    check_jwks_uri(url, issuer_url=ISSUER.url)


def _same_place(url: str, *, outward: bool) -> None:
    """Demand that the client which fetches an accepted URL goes where the check took it to lead, and not inwards."""
    judged = urlsplit(url)
    try:
        fetched = yarl.URL(url)
    except ValueError:
        return  # not fetched at all
    host = fetched.raw_host or ""
    require(_plain(host) == _plain(judged.hostname or ""), f"another host: {url!r}")
    require(fetched.user is None and fetched.password is None, f"a user: {url!r}")
    require(
        fetched.scheme == judged.scheme and fetched.scheme in ("http", "https"), f"another scheme: {url!r}"
    )
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return  # a name, for the resolver
    for address in (ipaddress.ip_address(str(place[4][0]).partition("%")[0]) for place in found):
        seen = getattr(address, "ipv4_mapped", None) or address
        require(
            not outward or not (seen.is_loopback or seen.is_link_local or seen.is_unspecified),
            f"inwards: {url!r}",
        )


def _plain(host: str) -> str:
    """Return a host in one spelling, if it is an address."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def say_why(error: Exception) -> None:
    """Demand that a refusal is one line that a peer may read."""
    text = str(getattr(error, "public", error))
    require(
        text.isprintable() and len(text) <= TEXT_CHARS,
        f"a refusal that is no line for a peer: {text[:200]!r}",
    )
