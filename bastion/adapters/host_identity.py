"""Answer in a name: server options whose host certificate, signed by host-ca, says that name and no other.

Only the bastion's own names and names that resolved to a target are ever signed. The bare host key is offered too,
for clients that have no `@cert-authority` line yet.

Holds   the options of the names in use, renewed long before their certificates end
Source  OpenSSH PROTOCOL.certkeys; RFC 4253 section 7.1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncssh

from bastion import certificate
from bastion.adapters.ciphers import KEY_EXCHANGES, MACS, offered_ciphers
from bastion.adapters.ssh_options import server_options
from bastion.keyring import Keyring, private_pem

VERSION = "OpenSSH_compatible_Bastion"  # its first word makes OpenSSH's client say eow@openssh.com: ADR 1
LIFETIME_S = 24 * 3600
RENEW_S = 3600
MAXIMUM_NAMES = 1024


class HostIdentity:
    """Makes and keeps the server options of each name."""

    def __init__(self, keyring: Keyring, now: Callable[[], float]) -> None:
        self._host_ca = keyring.host_ca
        self._key = asyncssh.import_private_key(private_pem(keyring.host))
        self._now = now
        self._made: dict[tuple[str, ...], tuple[float, Any]] = {}

    def __call__(self, names: tuple[str, ...]) -> Any:
        """Return server options under which the bastion answers in these names."""
        now = self._now()
        known = self._made.get(names)
        if known is not None and now - known[0] < RENEW_S:
            return known[1]
        line = certificate.issue_host(
            self._key.public_data, ca=self._host_ca, names=names, now=now, lifetime_s=LIFETIME_S
        )
        options = server_options(
            (self._key, asyncssh.import_certificate(line)),
            server_version=VERSION,
            kex_algs=KEY_EXCHANGES,
            encryption_algs=offered_ciphers(),
            mac_algs=MACS,
            login_timeout=0,  # the limits of each connection say how long it may take
        )
        if len(self._made) >= MAXIMUM_NAMES:
            self._made.clear()
        self._made[names] = (now, options)
        return options
