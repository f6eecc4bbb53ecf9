"""Say who is at the door: what the certificate proved, read against the configuration in force.

In      a Login (what the certificate says) and the configuration
Out     Principal; its groups are those the identity has now, plus those that the token claimed
Errors  Refused when the identity is gone or has no owner (law L7)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bastion.certificate import Login
from bastion.errors import Refused
from bastion.identity import Identity, resolve_owner
from bastion.settings import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A bot or person with a certificate that was valid at login. `peer` is the address of its socket."""

    identity: Identity
    owner: str
    groups: frozenset[str]
    login: Login
    peer: str

    @property
    def name(self) -> str:
        return self.identity.name

    @property
    def claims(self) -> Mapping[str, str]:
        return self.login.claims


def principal_of(login: Login, config: Config, peer: str) -> Principal:
    """Return who a certificate stands for under this configuration; raise Refused."""
    identity = find_identity(config, login.identity)
    if identity is None:
        raise Refused(f"identity {login.identity} is no longer declared at this bastion")
    owner = resolve_owner(identity, config.persons)
    if owner is None:
        raise Refused(f"identity {identity.name} has no owner any more, so it opens nothing")
    groups = frozenset(identity.groups) | frozenset(login.groups)
    return Principal(identity=identity, owner=owner, groups=groups, login=login, peer=peer)


def find_identity(config: Config, name: str) -> Identity | None:
    """Return the declared identity of this name."""
    return next((identity for identity in config.identities if identity.name == name), None)
