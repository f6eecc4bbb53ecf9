"""Fetch, keep and refresh the public keys of OIDC issuers over HTTP, or read them from a file.

In      an issuer's URL; `now` in unix seconds with each question
Out     KeySet, from the cache wherever that is sound
Holds   per issuer: one key set, one fetch under way (512 KiB at most, 10 s at most)
Errors  KeysUnavailable; ValueError for an issuer URL that must not be fetched
Source  OpenID Connect Discovery 1.0 section 4; RFC 7517 section 5; RFC 9111 section 5.2
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bastion.strict_json import read_object, shown
from bastion.token import KeySet, KeysUnavailable, TokenError

MIN_FRESH_S = 60
MAX_FRESH_S = 24 * 3600
DEFAULT_FRESH_S = 3600  # where the issuer does not say
STALE_GRACE_S = 6 * 3600  # how long after that the keys still serve while the issuer cannot be reached
FETCH_INTERVAL_S = 10  # at most one fetch per issuer in this time, however many unknown kids are asked for
FETCH_TIMEOUT_S = 10.0
MAX_BODY_BYTES = 512 * 1024

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_IPV4_WITHIN = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("64:ff9b::/96"))
_MAX_AGE = re.compile(r"max-age\s*=\s*\"?([0-9]{1,10})\"?", re.ASCII)

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[Any]"]  # bastion.tasks.Tasks.start


class StaticKeys:
    """The keys of an issuer that cannot be reached, as the operator wrote them to a file (`jwks_file`)."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    @classmethod
    def read(cls, path: Path) -> StaticKeys:
        """Read a JWK Set file; raise KeysUnavailable, naming the file, if it cannot be used."""
        return cls.parse(read_key_file(path), path)

    @classmethod
    def parse(cls, text: bytes, path: Path) -> StaticKeys:
        """Take what was read from a JWK Set file; raise KeysUnavailable, naming the file."""
        try:
            return cls(KeySet.parse(text))
        except TokenError as error:
            raise KeysUnavailable(f"{path}: {error.public}") from error

    async def keys(self, *, kid: str | None, now: float) -> KeySet:
        """Return the keys; a file has no newer ones to offer for an unknown `kid`."""
        return self._keys


def read_key_file(path: Path) -> bytes:
    """Return what is in a JWK Set file; raise KeysUnavailable, naming the file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeysUnavailable(f"{path}: the key set cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cached:
    keys: KeySet
    fresh_until: float


class IssuerKeys:
    """The keys of one issuer, found by discovery.

    They are fetched when there are none, when they are no longer fresh, or when none has the `kid` asked for;
    never twice within FETCH_INTERVAL_S, and callers who ask meanwhile share the fetch that is under way.
    A fetch belongs to none of them: `spawn` (the application's own tasks) runs it, so that a bot which hangs
    up cannot cancel it and use up the interval for all others.
    """

    def __init__(self, *, name: str, url: str, spawn: Spawn, timeout_s: float = FETCH_TIMEOUT_S) -> None:
        check_url(url)
        self._name = name
        self._url = url
        self._spawn = spawn
        self._timeout_s = timeout_s
        self._cached: _Cached | None = None
        self._flight: asyncio.Task[Any] | None = None
        self._asked_at: float | None = None
        self._trouble = ""

    async def keys(self, *, kid: str | None, now: float) -> KeySet:
        """Return the issuer's keys; raise KeysUnavailable if there are none that may be used at `now`."""
        if not self._satisfies(kid, now):
            if self._flight is None and self._may_ask(now):
                self._asked_at = now
                self._flight = self._spawn(self._refresh(now), f"keys of issuer {self._name}")
            if self._flight is not None:
                await asyncio.shield(self._flight)
        if self._cached is not None and now < self._cached.fresh_until + STALE_GRACE_S:
            return self._cached.keys
        raise KeysUnavailable(f"the keys of issuer {self._name} are not available: {self._trouble}")

    def _satisfies(self, kid: str | None, now: float) -> bool:
        if self._cached is None or now >= self._cached.fresh_until:
            return False
        return kid is None or self._cached.keys.has(kid)

    def _may_ask(self, now: float) -> bool:
        return self._asked_at is None or now - self._asked_at >= FETCH_INTERVAL_S

    async def _refresh(self, now: float) -> None:
        # What goes wrong is kept for those who wait, and not raised in a task that is nobody's.
        try:
            async with asyncio.timeout(self._timeout_s):
                keys, fresh_s = await self._fetch()
            self._cached = _Cached(keys=keys, fresh_until=now + fresh_s)
            self._trouble = ""
        except TimeoutError:
            self._trouble = f"it did not answer within {self._timeout_s:g} s"
        except (aiohttp.ClientError, OSError) as error:
            self._trouble = f"it cannot be reached: {shown(str(error) or type(error).__name__)}"
        except (TokenError, ValueError) as error:
            self._trouble = str(error)
        finally:
            self._flight = None

    async def _fetch(self) -> tuple[KeySet, int]:
        # trust_env=False: no proxy and no .netrc. A fresh session each time: this happens about once an hour.
        async with aiohttp.ClientSession(
            trust_env=False,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        ) as session:
            # Discovery 4.1: a terminating slash of the issuer is dropped before the well-known path is added.
            address = self._url.removesuffix("/") + "/.well-known/openid-configuration"
            document, _ = await _get(session, address)
            try:
                configuration = read_object(document)
            except ValueError as error:
                raise ValueError(f"its discovery document is not strict JSON: {error}") from error
            if configuration.get("issuer") != self._url:  # Discovery 4.3: exactly equal
                issuer = shown(configuration.get("issuer"))
                raise ValueError(f"its discovery document names the issuer {issuer}, not {shown(self._url)}")
            jwks_uri = configuration.get("jwks_uri")
            if not isinstance(jwks_uri, str):
                raise ValueError(f"its discovery document has the jwks_uri {shown(jwks_uri)}, not a URL")
            check_jwks_uri(jwks_uri, issuer_url=self._url)
            body, cache_control = await _get(session, jwks_uri)
            return KeySet.parse(body), fresh_for_s(cache_control)


def fresh_for_s(cache_control: str) -> int:
    """Return for how many seconds a key set is fresh: its `max-age` within 60 s and 24 h; 1 h without one."""
    directives = [part.strip().lower() for part in cache_control.split(",")]
    if "no-store" in directives or "no-cache" in directives:
        return MIN_FRESH_S
    for directive in directives:
        stated = _MAX_AGE.fullmatch(directive)
        if stated:
            return min(max(int(stated[1]), MIN_FRESH_S), MAX_FRESH_S)
    return DEFAULT_FRESH_S


def check_url(url: str) -> None:
    """Raise ValueError unless `url` may be an issuer: https, or loopback; no query, fragment or user."""
    host, scheme = _host(url)
    if scheme != "https" and not (scheme == "http" and host in _LOOPBACK):
        raise ValueError(f"the issuer URL {shown(url)} must begin with https:// (http:// on loopback only)")
    if "?" in url:  # Discovery 2: no query in an issuer identifier
        raise ValueError(f"the issuer URL {shown(url)} must have no query")


def check_jwks_uri(uri: str, *, issuer_url: str) -> None:
    """Raise ValueError unless the issuer may send us to `uri`: https, or loopback if it is there itself."""
    # T10: the document may send us to another host, as some large issuers do, but never inwards or in clear.
    host, scheme = _host(uri)
    issuer_is_loopback = _host(issuer_url)[0] in _LOOPBACK
    if scheme == "https" and (issuer_is_loopback or not _is_inward(host)):
        return
    if scheme == "http" and issuer_is_loopback and host in _LOOPBACK:
        return
    raise ValueError(f"its jwks_uri {shown(uri)} must begin with https:// and not lead to loopback")


def _is_inward(host: str) -> bool:
    """Say whether a host is this machine or its link, in any of the spellings that resolvers take."""
    name = host.rstrip(".").lower()
    if name in _LOOPBACK or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:  # 127.1, 2130706433, 0x7f000001, 127.0x1: resolvers read all of these as an address
        return _NUMBER.fullmatch(name.rpartition(".")[2]) is not None
    seen = _within(address) if isinstance(address, ipaddress.IPv6Address) else address
    return seen.is_loopback or seen.is_link_local or seen.is_unspecified or seen.is_multicast


def _within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 one stands for, or itself (RFC 4291 section 2.5.5; 6052; 3056)."""
    if any(address in net for net in _IPV4_WITHIN) and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{shown(url)} is not a URL: {shown(str(error))}") from None
    if not host or "%" in host or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError(f"{shown(url)} is not an absolute URL of printable ASCII")
    if ":" not in host and not _NAME.fullmatch(host):  # `*` is this machine to resolvers
        raise ValueError(f"{shown(url)} names no host: letters, digits, '.', '-' and '_' only")
    if parts.username is not None or parts.password is not None or "#" in url:
        raise ValueError(f"the URL {shown(url)} must have no user name and no fragment")
    return host, parts.scheme


async def _get(session: aiohttp.ClientSession, url: str) -> tuple[bytes, str]:
    async with session.get(url, allow_redirects=False) as response:
        if 300 <= response.status < 400:
            raise ValueError(f"{shown(url)} redirects (status {response.status}), which is not followed")
        if response.status != 200:
            raise ValueError(f"{shown(url)} answered with status {response.status}")
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise ValueError(f"{shown(url)} answered with more than {MAX_BODY_BYTES} bytes")
        return bytes(body), response.headers.get("Cache-Control", "")
