"""Name what a peer may make of us, and how long it may take.

Out     constants, used by the SSH adapters
"""

from __future__ import annotations

MAXIMUM_AUTH_TRIES = 12  # of any method, with the client's first `none` and its queries
MAXIMUM_CHANNELS = 64  # open at once on one connection; a `login@` connection has one
MAXIMUM_REQUESTS = 64  # waiting on one channel or connection while an earlier one is decided
MINIMUM_PACKET_BYTES = 1024  # a peer that takes less makes many packets of few bytes in one step
REKEY_S = 20.0  # how long a key exchange may hold output back
MAXIMUM_ENVIRONMENT = 64
MAXIMUM_ENVIRONMENT_BYTES = 4096
