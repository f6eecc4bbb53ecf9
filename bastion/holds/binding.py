"""Bind an approval to the very thing that was shown: session, target, login, policy, each byte and each fact.

A plain hash of a line with a weak password in it could be guessed by whoever reads the record, so it is keyed; the key
lives in the memory of the process that holds the statement, and an approval is good in that process only. For what is
asked ahead the processes of a service share one.

In      what a hold is about
Out     a binding, in hex
Source  RFC 2104 (HMAC), FIPS 180-4
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any

KEY_BYTES = 32


class Binder:
    """Makes bindings, and tells whether one is of this very statement."""

    def __init__(self, key: bytes | None = None) -> None:
        """Bind under a key that others have as well, or under one of its own."""
        self._key = key if key is not None else secrets.token_bytes(KEY_BYTES)

    def bind(
        self,
        *,
        session: str,
        target: str,
        login: str,
        policy: str,
        statement: bytes,
        facts: Mapping[str, Any],
    ) -> str:
        """Return the binding of one statement."""
        mac = hmac.new(self._key, digestmod=hashlib.sha256)
        told = json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
        for part in (session.encode(), target.encode(), login.encode(), policy.encode(), statement, told):
            mac.update(len(part).to_bytes(8, "big"))
            mac.update(part)
        return mac.hexdigest()

    @staticmethod
    def same(one: str, other: str) -> bool:
        """Say whether two bindings are the same."""
        return hmac.compare_digest(one.encode(), other.encode())
