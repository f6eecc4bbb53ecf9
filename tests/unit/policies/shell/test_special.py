"""Programs with ways of their own to start others: what they start is seen."""

from __future__ import annotations

import pytest

from policies.shell import analyse


@pytest.mark.parametrize(
    ("line", "started"),
    [
        (b"ip netns exec blue rm -rf /srv", ["rm", "-rf", "/srv"]),
        (b"ip -6 netn e blue rm x", ["rm", "x"]),
        (b"ip -all netns exec rm x", ["rm", "x"]),
        (b"ip vrf exec mgmt curl https://a", ["curl", "https://a"]),
        (b"sudo ip netns exec blue bash -c 'rm x'", ["rm", "x"]),
    ],
)
def test_t31_what_ip_starts_elsewhere_is_seen(line: bytes, started: list[str]) -> None:
    assert started in [[word.text for word in one.words] for one in analyse(line).commands]


@pytest.mark.parametrize(
    "line", [b"ip addr show", b"ip n show", b"ip link set dev eth0 netns blue", b"ip netns list"]
)
def test_t34_ip_alone_starts_nothing(line: bytes) -> None:
    assert len(analyse(line).commands) == 1
