"""Keep the key sources of the issuers in the configuration in force.

In      configurations, and the key files that they name, read once for all processes (`read_key_files`)
Out     a key source for each issuer, kept where nothing changed
Errors  TokenError, ValueError: a key file or a URL that cannot be used
"""

from __future__ import annotations

from collections.abc import Mapping

from bastion.adapters.oidc_http import IssuerKeys, StaticKeys, read_key_file
from bastion.settings import Config, IssuerSettings
from bastion.tasks import Tasks
from bastion.token import KeySource

Sources = dict[str, tuple[IssuerSettings, KeySource]]


def read_key_files(config: Config) -> dict[str, bytes]:
    """Return what is in the key file of each issuer that has one; raise TokenError."""
    return {
        issuer.name: read_key_file(issuer.jwks_file)
        for issuer in config.issuers
        if issuer.jwks_file is not None
    }


class Issuers:
    """The key sources in force."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._sources: Sources = {}

    def prepare(self, config: Config, key_files: Mapping[str, bytes]) -> Sources:
        """Return the sources a configuration needs, old ones kept where nothing changed; raise TokenError."""
        sources: Sources = {}
        for issuer in config.issuers:
            known = self._sources.get(issuer.name)
            if known is not None and (known[0].url, known[0].jwks_file) == (issuer.url, None):
                sources[issuer.name] = known
            elif issuer.jwks_file is not None:
                static = StaticKeys.parse(key_files[issuer.name], issuer.jwks_file)
                sources[issuer.name] = (issuer, static)
            else:
                fetched = IssuerKeys(name=issuer.name, url=issuer.url, spawn=self._tasks.start)
                sources[issuer.name] = (issuer, fetched)
        return sources

    def adopt(self, sources: Sources) -> None:
        """Use these from now on."""
        self._sources = sources

    def source(self, name: str) -> KeySource:
        """Return the key source of an issuer."""
        return self._sources[name][1]
