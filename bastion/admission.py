"""Decide which connections are let in, by where they come from and by how many there are; without I/O.

A connection that has not logged in may be sent away for another's sake: when there are too many of them, the oldest of
the source that has the most goes, so that one source's silent clients keep nobody else out (T19). A source has a bucket
of tokens: each connection takes one, a login gives it back and more. A source whose bucket is empty is refused before
any cryptography, for seconds that double up to LONGEST_WAIT_S; the bucket fills while it waits, so that a broken job
slows, but never shuts out, the others behind its address.

In      the address of a socket, the time in seconds; later what became of that connection, by its ticket
Out     Admitted, with the tickets of connections that have to go for it; or Refusal
Holds   one entry for each open connection; SOURCES sources that have none open
Source  docs/security.md, Limits
"""

from __future__ import annotations

import ipaddress
import itertools
from collections import OrderedDict
from dataclasses import dataclass, field

from bastion.limits import Limits

REFILL_PER_S = 1.0
GIVEN_BACK = 10.0  # tokens, for a login: sound jobs outweigh a broken one behind the same address
FREE_TRIES = 4  # a stock client's `none` and the keys of an ordinary agent
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
SOURCES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A connection may come in; `evicted` are the tickets of those that the caller must drop for it."""

    ticket: int
    evicted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A connection may not come in: over which limit, and why, in words for the client."""

    source: str
    limit: str
    reason: str


@dataclass(slots=True, kw_only=True)
class _Source:
    tokens: float
    at: float
    open: int = 0
    strangers: OrderedDict[int, int] = field(
        default_factory=OrderedDict
    )  # ticket -> login tries, oldest first
    wait_s: float = 0.0
    refused_until: float = 0.0


class Admission:
    """The one who counts at the door; `limits` may be replaced at any time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._numbers = itertools.count(1)
        self._tickets: dict[int, str] = {}
        self._crowded: dict[str, _Source] = {}  # with connections
        self._quiet: OrderedDict[str, _Source] = OrderedDict()  # without, the one not heard of longest first
        self._strangers = 0

    @property
    def connections(self) -> int:
        """How many connections are in."""
        return len(self._tickets)

    @property
    def handshakes(self) -> int:
        """How many of them have not logged in."""
        return self._strangers

    @property
    def sources(self) -> int:
        """How many sources are remembered."""
        return len(self._crowded) + len(self._quiet)

    def admit(self, peer: str, now: float) -> Admitted | Refusal:
        """Let a connection in, or say why not."""
        name, limits = source_of(peer), self.limits
        source = self._crowded.get(name) or self._quiet.pop(name, None)
        if source is None:
            source = _Source(tokens=float(limits.failures_per_source), at=now)
        self._refill(source, now)
        refusal = self._refusal(name, source, now)
        if refusal is not None:
            self._keep(name, source)
            return refusal
        evicted = self._make_room(source)
        self._quiet.pop(name, None)
        self._crowded[name] = source
        ticket = next(self._numbers)
        self._tickets[ticket] = name
        source.tokens -= 1.0
        source.open += 1
        source.strangers[ticket] = 0
        self._strangers += 1
        return Admitted(ticket=ticket, evicted=evicted)

    def authenticated(self, ticket: int, now: float) -> None:
        """Take note that somebody has logged in with a certificate, or was given one."""
        source = self._stranger(ticket)
        if source is not None:
            source.strangers.pop(ticket)
            self._strangers -= 1
            self._refill(source, now)
            source.tokens = min(self.limits.failures_per_source, source.tokens + 1.0 + GIVEN_BACK)
            source.wait_s = source.refused_until = 0.0

    def failed(self, ticket: int, tries: int = 1) -> None:
        """Take note of login tries that failed; those that no stock client makes cost a token each."""
        source = self._stranger(ticket)
        if source is not None:
            before = source.strangers[ticket]
            source.strangers[ticket] = before + tries
            source.tokens -= max(0, before + tries - max(before, FREE_TRIES))
            source.tokens = max(0.0, source.tokens)

    def closed(self, ticket: int) -> None:
        """Take note that a connection has gone; one that was evicted, or closed before, is nothing new."""
        name = self._tickets.pop(ticket, None)
        if name is None:
            return
        source = self._crowded[name]
        if source.strangers.pop(ticket, None) is not None:
            self._strangers -= 1
        source.open -= 1
        self._keep(name, source)

    def _stranger(self, ticket: int) -> _Source | None:
        name = self._tickets.get(ticket)
        source = self._crowded[name] if name is not None else None
        return source if source is not None and ticket in source.strangers else None

    def _refill(self, source: _Source, now: float) -> None:
        full = float(self.limits.failures_per_source)
        source.tokens = min(full, source.tokens + max(0.0, now - source.at) * REFILL_PER_S)
        source.at = max(source.at, now)
        if source.tokens >= full / 2 and now >= source.refused_until:
            source.wait_s = 0.0

    def _refusal(self, name: str, source: _Source, now: float) -> Refusal | None:
        limits = self.limits
        if now >= source.refused_until and source.tokens < 1.0:
            source.wait_s = min(LONGEST_WAIT_S, max(FIRST_WAIT_S, 2 * source.wait_s))
            source.refused_until = now + source.wait_s
        if now < source.refused_until:
            wait_s = max(1, round(source.refused_until - now))
            reason = f"too many connections from {name} ended without a login; try again in {wait_s} s"
            return Refusal(source=name, limit="failures_per_source", reason=reason)
        if source.open >= limits.connections_per_source and not source.strangers:
            reason = f"{name} has {source.open} connections open already; close some first"
            return Refusal(source=name, limit="connections_per_source", reason=reason)
        if len(self._tickets) >= limits.connections and not self._strangers:
            reason = "this bastion has as many connections as it may have; try again later"
            return Refusal(source=name, limit="connections", reason=reason)
        return None

    def _make_room(self, source: _Source) -> tuple[int, ...]:
        """Take out connections that have not logged in until one more fits."""
        limits = self.limits
        evicted = []
        while source.strangers and (
            len(source.strangers) >= limits.handshakes_per_source
            or source.open >= limits.connections_per_source
        ):
            evicted.append(self._evict(source))
        while self._strangers and (
            self._strangers >= limits.handshakes or len(self._tickets) >= limits.connections
        ):
            most = max(len(each.strangers) for each in self._crowded.values())
            biggest = [each for each in self._crowded.values() if len(each.strangers) == most]
            evicted.append(self._evict(min(biggest, key=_oldest)))
        return tuple(evicted)

    def _evict(self, source: _Source) -> int:
        ticket = _oldest(source)
        self.closed(ticket)
        return ticket

    def _keep(self, name: str, source: _Source) -> None:
        """Remember a source: for as long as it has connections, and for a while after."""
        if source.open:
            self._crowded[name] = source
            return
        self._crowded.pop(name, None)
        self._quiet[name] = source
        self._quiet.move_to_end(name)
        if len(self._quiet) > SOURCES:
            self._quiet.popitem(last=False)


def _oldest(source: _Source) -> int:
    return next(iter(source.strangers))


def source_of(peer: str) -> str:
    """Return what counts as one source: an IPv4 address, or the 64 bits that one IPv6 customer is given (RFC 6177)."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
