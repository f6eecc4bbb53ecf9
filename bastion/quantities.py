"""Bound the sizes of packets.

In      sizes from a configuration, in bytes
Out     the same
Errors  ValueError, whose text says what was got and what was expected
Source  RFC 4253 section 6.1
"""

from __future__ import annotations

_PACKET_BYTES = (35_000, 1 << 20)  # RFC 4253 section 6.1 asks for at least the first


def check_packet_size(size_bytes: int) -> int:
    """Return a packet's greatest length if every peer can live with it, and we can."""
    low, high = _PACKET_BYTES
    if not low <= size_bytes <= high:
        raise ValueError(f"got {size_bytes}, expected a size from {low} to {high} bytes")
    return size_bytes
