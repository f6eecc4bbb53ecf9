"""Which addresses an issuer may have, and where it may send us for its keys."""

from __future__ import annotations

import pytest

from bastion.adapters.oidc_http import check_jwks_uri, check_url


@pytest.mark.parametrize(
    "url",
    [
        "https://token.actions.githubusercontent.com",
        "https://gitlab.acme.example:8443/tenant/",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://localhost:8080/realms/acme",
    ],
)
def test_issuer_urls_are_https_or_loopback(url):
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.acme.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "https://",
        "https:issuer.acme.example",
        "issuer.acme.example",
        "https://user:secret@issuer.acme.example",
        "https://issuer.acme.example?x=1",
        "https://issuer.acme.example#x",
        "https://issuer.acme.example\\@127.0.0.1",
        "https://issuer acme.example",
        "https://issuer.acme.example:port",
        "https://iss\u0443er.example",
        "https://127%2E0.0.1",
        "https://[fe80::1%25eth0]",
        "",
    ],
)
def test_other_issuer_urls_are_refused(url):
    with pytest.raises(ValueError):
        check_url(url)


def test_t10_an_issuer_that_is_not_local_cannot_send_us_inwards():
    outside = "https://issuer.acme.example"
    for outwards in ("keys.other.example", "0x1.example", "1.2.3.4", "[2001:db8::1]", "[64:ff9b::102:304]"):
        check_jwks_uri(f"https://{outwards}/jwks", issuer_url=outside)
    for inwards in ("http://127.0.0.1/keys", "https://localhost/keys", "https://[::1]/keys"):
        with pytest.raises(ValueError, match="loopback"):
            check_jwks_uri(inwards, issuer_url=outside)


@pytest.mark.parametrize("host", ["*", "a*.example", "a,b", "(x)"])
def test_t10_what_is_no_name_is_no_host(host: str) -> None:
    with pytest.raises(ValueError, match="names no host"):
        check_jwks_uri(f"https://{host}/jwks", issuer_url="https://issuer.example")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.2", "127.1", "localhost.", "LOCALHOST", "x.localhost", "[::ffff:127.0.0.1]", "[::1]",
        "169.254.169.254", "0.0.0.0", "2130706433", "0x7f000001", "[fe80::1]",
        "127.0x1", "1.0x7f", "127.0X1", "[64:ff9b::7f00:1]", "[::7f00:1]", "[2002:7f00:1::]",
    ],
)  # fmt: skip
def test_t10_a_public_issuer_cannot_send_us_inwards(host: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        check_jwks_uri(f"https://{host}/jwks", issuer_url="https://issuer.example")
