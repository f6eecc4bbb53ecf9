"""Write and read the one signed chain of administrative acts, reads and seals.

In      a kind and its detail
Out     entries: JWS compact strings whose payload holds seq, at_us, kind, prev (hex) and detail
Errors  AuditError, which names the entry
Source  RFC 7515; docs/recording-format.md
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recorder.seal import BadSignature, KeySet, Signer

FIRST_PREVIOUS = hashlib.sha256(b"bastion-audit-v1\0").hexdigest()


class AuditError(ValueError):
    """An entry of the audit chain is not what the chain says it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One act on the chain; `head` is SEQ:HASH as the journal shows it and `verify --head` takes it."""

    seq: int
    at_us: int
    kind: str
    detail: Mapping[str, Any]
    hash: str

    @property
    def head(self) -> str:
        return f"{self.seq}:{self.hash}"


def entry_hash(jws: str) -> str:
    """Return the hash that the next entry carries as `prev`."""
    return hashlib.sha256(jws.encode("utf-8", "surrogateescape")).hexdigest()


def append(
    connection: sqlite3.Connection, signer: Signer, kind: str, detail: Mapping[str, Any], now_us: int
) -> Entry:
    """Add one entry inside the caller's transaction (BEGIN IMMEDIATE: other processes append too)."""
    last = connection.execute("SELECT seq, at_us, jws FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    seq, previous = (last[0] + 1, entry_hash(last[2])) if last else (1, FIRST_PREVIOUS)
    at_us = max(now_us, last[1]) if last else now_us
    payload = {"seq": seq, "at_us": at_us, "kind": kind, "prev": previous, "detail": dict(detail)}
    jws = signer.sign_compact(json.dumps(payload, separators=(",", ":"), sort_keys=True).encode())
    connection.execute(
        "INSERT INTO audit (seq, at_us, kind, session, jws) VALUES (?, ?, ?, ?, ?)",
        (seq, at_us, kind, detail.get("session"), jws),
    )
    return Entry(seq=seq, at_us=at_us, kind=kind, detail=detail, hash=entry_hash(jws))


Row = tuple[int, int, str, str | None, str]  # seq, at_us, kind, session, jws


class AuditReader:
    """Checks the chain entry by entry."""

    def __init__(self, keys: KeySet) -> None:
        self.seq = 0
        self.previous = FIRST_PREVIOUS
        self._keys = keys
        self._at_us = 0

    def read(self, row: Row) -> Entry:
        """Return the next entry of an unbroken chain; raise AuditError."""
        entry, faults = self.look(row)
        if entry is None or faults:
            raise AuditError(faults[0])
        return entry

    def look(self, row: Row) -> tuple[Entry | None, list[str]]:
        """Return what the next row holds, None when that is not genuine, and what is wrong with it or its place.

        Goes on behind a row that does not hold, so that later breaks are found too.
        """
        seq, at_us, kind, session, jws = row
        name = f"audit entry {seq}"
        faults: list[str] = []
        if seq != self.seq + 1:
            faults.append(f"audit entry {self.seq + 1} is missing (found {name} in its place)")
        entry: Entry | None = None
        try:
            payload = json.loads(self._keys.open_compact(jws))
            stated = (payload["seq"], payload["at_us"], payload["kind"], payload["detail"].get("session"))
            if stated != (seq, at_us, kind, session):
                faults.append(f"{name} was altered: its columns do not say what its signature says")
            else:
                entry = Entry(seq=seq, at_us=at_us, kind=kind, detail=payload["detail"], hash=entry_hash(jws))
            if payload["prev"] != self.previous and self.previous and not faults:
                faults.append(f"{name} does not follow the entry before it: the chain was cut or reordered")
            if payload["at_us"] < self._at_us and not faults:
                faults.append(f"{name} is dated before the entry it follows")
            self._at_us = payload["at_us"]
        except (BadSignature, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            faults.append(f"{name} was altered: {error}")
        # Nothing can be said to follow text that was altered: that would blame the next entry too.
        self.seq, self.previous = seq, entry_hash(jws) if entry is not None else ""
        return entry, faults
