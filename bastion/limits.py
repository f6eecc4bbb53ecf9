"""Name what a peer may make of us, and how long it may take: the operator's limits, and those that no one needs to set.

Out     Limits, as `[limits]` in the configuration has them; constants
Source  docs/configuration.md says what each is for and why its default is what it is
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the operator may set. A source is an address, or an IPv6 network of 64 bits."""

    connections: int = 2000
    connections_per_source: int = 1000
    handshakes: int = 200  # connections at once that have not logged in with a certificate
    handshakes_per_source: int = 100
    failures_per_source: int = 200  # connections that may end without a login before their source is slowed
    auth_tries: int = 12  # of any method, with the client's first `none` and its queries
    handshake_s: int = 30
    rekey_s: int = 60
    keepalive_s: int = 30
    idle_connection_s: int = 900
    idle_session_s: int = 3600
    channels: int = 64  # of one connection; a `login@` connection has one
    requests: int = 64  # waiting on one channel or connection while an earlier one is decided
    packet_before_login_bytes: int = 35_000  # RFC 4253 section 6.1: what everybody must be able to take
    packet_bytes: int = 256 * 1024


KEEPALIVES = 3  # without an answer, then the other side is taken to be gone
MINIMUM_PACKET_BYTES = 1024  # a peer that takes less makes many packets of few bytes in one step
PACKETS_AT_ONCE = 64  # of one connection in one step of the loop
UNREAD_REPLIES = 1000  # answers, other than data, that wait for a peer that does not read
REKEYS = 16  # key exchanges at once that a peer may ask for, then as below
REKEYS_PER_S = 1.0
REKEY_BYTES = 256 * 1024  # that move give reason for another: a client may well say RekeyLimit=1M
REFUSED_CHANNELS = 64  # at once; a client that multiplexes may meet its bound now and then
REFUSED_CHANNELS_PER_S = 1.0
BANNERS = 100  # of a target, before it lets us in
JOINED_BYTES = 4096  # data that a channel holds back is kept in pieces of about this
HELD_PIECES = 65_536
MAXIMUM_ENVIRONMENT = 128  # as many as OpenSSH's sshd takes
MAXIMUM_ENVIRONMENT_BYTES = 4096
