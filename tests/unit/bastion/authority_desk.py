"""An authority to ask, with everything behind it but the network: keyring, store, issuers' keys, a clock."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from bastion.authority import (
    Authority,
    CertificateRefused,
    fingerprint,
)
from bastion.config import load
from bastion.keyring import Keyring, open_keyring
from bastion.locks.book import Book
from bastion.register import OwnRegister
from bastion.settings import Config
from bastion.token import KeySet, KeysUnavailable
from recorder.audit import Entry
from recorder.evidence import Evidence
from recorder.past import issued_since
from recorder.store import Store
from tests.unit.bastion.certificate_forge import blob
from tests.unit.bastion.config_fixture import HOST_KEY
from tests.unit.bastion.token_forge import ALL_KEYS, AUDIENCE, ISSUER, NOW, claims_of, signed

PEER = "192.0.2.7"
DEPLOY = {"repository_id": "1296269", "environment": "production", "run_id": "8412"}

CONFIG = f"""
[bastion]
names = ["bastion.acme.example"]

[[issuer]]
name = "acme"
url = "{ISSUER.url}"
audience = "{AUDIENCE}"
groups_claim = "groups"

[[issuer]]
name = "loose"
url = "https://loose.acme.example"
audience = "{AUDIENCE}"
one_key_per_token = false

[[person]]
name = "dana@acme.example"

[[identity]]
name = "orders-deployer"
owner = "dana@acme.example"
issuer = "acme"
match = {{ repository_id = "1296269", environment = "production" }}
groups = ["ci"]
lifetime = "5m"

[[identity]]
name = "nightly"
owner = "dana@acme.example"
issuer = "loose"
match = {{ repository_id = "1296269" }}

[[target]]
name = "web-1"
address = "127.0.0.1:22"
host_key = "{HOST_KEY}"
logins = ["deploy"]

[policy]
files = ["policy.toml"]
"""


class Keys:
    """An issuer's keys in memory; counts how often, and for which kid, it was asked."""

    def __init__(self, keys: KeySet = ALL_KEYS) -> None:
        self.keys_now: KeySet | None = keys
        self.newer: KeySet | None = None
        self.asked: list[str | None] = []

    async def keys(self, *, kid: str | None, now: float) -> KeySet:
        self.asked.append(kid)
        await asyncio.sleep(0)
        if kid is not None and self.newer is not None:
            self.keys_now = self.newer
        if self.keys_now is None:
            raise KeysUnavailable("the keys of issuer acme are not available: it cannot be reached")
        return self.keys_now


class House:
    """An authority with its keyring, store, issuer and clock."""

    def __init__(self, folder: Path) -> None:
        (folder / "policy.toml").write_text('[[rule]]\nid = "all"\nverdict = "allow"\n')
        (folder / "bastion.toml").write_text(CONFIG)
        self.config: Config = load(folder / "bastion.toml")
        self.ring: Keyring = open_keyring(folder / "keys")
        self.database = folder / "recordings.sqlite"
        self.issuer = Keys()
        self.now = NOW
        self.open()

    def open(self) -> None:
        self.store = Store(self.database, self.ring.seal, now_us=lambda: int(self.now * 1_000_000))
        self.register = OwnRegister(lambda: self.now)
        self.book = Book(lambda: self.now)
        self.authority = Authority(
            keyring=self.ring,
            store=self.store,
            config=lambda: self.config,
            key_source=lambda _name: self.issuer,
            now=lambda: self.now,
            register=self.register,
            book=self.book,
        )

    def restart(self) -> None:
        """Come back with nothing but the evidence database, as a bastion does."""
        self.store.close()
        self.open()
        self.register.remember(self.store.run_now(lambda transaction: issued_since(transaction, self.now)))

    async def issue(self, token: str | bytes, *, key: bytes | None = None, peer: str = PEER) -> str:
        body = token.encode() if isinstance(token, str) else token
        return await self.authority.issue(body, blob("bot") if key is None else key, peer)

    async def refused(self, token: str | bytes, *, key: bytes | None = None) -> CertificateRefused:
        """Return the refusal, having seen that the audit chain says the same and holds no token."""
        before = len(self.audit())
        with pytest.raises(CertificateRefused) as caught:
            await self.issue(token, key=key)
        error = caught.value
        assert error.public.isprintable()
        (entry,) = self.audit()[before:]
        assert entry.kind == "certificate.refused"
        assert (entry.detail["reason"], entry.detail["code"]) == (error.public, error.code)
        assert entry.detail["peer"] == PEER
        assert entry.detail["key"] == fingerprint(blob("bot") if key is None else key)
        return error

    def audit(self) -> list[Entry]:
        evidence = Evidence(self.database, self.ring.seal_keys)
        try:
            return list(evidence.audit())
        finally:
            evidence.close()


def deploy_token(**changes: object) -> str:
    return signed(claims_of(**{**DEPLOY, **changes}))


def digest(token: str) -> str:
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()
