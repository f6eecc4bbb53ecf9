"""Ask an evidence store about its own past, when a bastion starts on it.

In      a transaction
Out     the date of the last entry; the certificates whose tokens still hold; what was locked and lifted; the holds that
        were lost, which it ends
Errors  ValueError, TypeError or LookupError for an entry that was altered, which the store turns into StoreError
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from recorder.audit import Entry, entry_hash
from recorder.seal import BadSignature, KeySet
from recorder.store import Transaction

TOKEN_LIFE_S = 24 * 3600  # no token is taken that lives longer


def latest_us(transaction: Transaction) -> int:
    """Return when the last audit entry was made, in microseconds since 1970; 0 without any."""
    row = transaction.connection.execute("SELECT max(at_us) FROM audit").fetchone()
    latest = row[0] or 0
    if not isinstance(latest, int):
        raise ValueError("an audit entry's date was altered; `bastion verify --all` says which")
    return latest


def issued_since(transaction: Transaction, now: float) -> list[Entry]:
    """Return the `certificate.issued` entries whose tokens may still be valid."""
    rows = transaction.connection.execute(
        "SELECT jws FROM audit WHERE kind = 'certificate.issued' AND at_us > ? ORDER BY seq",
        (int((now - TOKEN_LIFE_S) * 1_000_000),),
    )
    return [_entry(jws, unchecked_payload) for (jws,) in rows]


def locks_set_and_lifted(transaction: Transaction, keys: KeySet) -> list[Entry]:
    """Return the `lock.set` and `lock.lifted` entries in order, each with its signature checked."""
    rows = transaction.connection.execute(
        "SELECT jws FROM audit WHERE kind IN ('lock.set', 'lock.lifted') ORDER BY seq"
    )
    return [_entry(jws, keys.open_compact) for (jws,) in rows]


def _entry(jws: str, payload_of: Callable[[str], bytes]) -> Entry:
    try:
        payload = json.loads(payload_of(jws))
        return Entry(
            seq=payload["seq"],
            at_us=payload["at_us"],
            kind=payload["kind"],
            detail=payload["detail"],
            hash=entry_hash(jws),
        )
    except (BadSignature, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError("an audit entry was altered; `bastion verify --all` says which") from error


def end_lost_holds(transaction: Transaction, reason: str) -> list[dict[str, Any]]:
    """Record the end of each hold that the last service has left open; return what is known of them."""
    rows = transaction.connection.execute(
        "SELECT jws FROM audit WHERE kind IN ('hold.asked', 'hold.ended') AND seq >"
        " (SELECT seq FROM audit WHERE kind = 'service.started' ORDER BY seq DESC LIMIT 1) ORDER BY seq"
    )
    waiting: dict[tuple[str | None, str], dict[str, Any]] = {}
    for (jws,) in rows.fetchall():
        try:
            payload = json.loads(unchecked_payload(jws))
            detail = payload["detail"]
            key = (detail.get("session"), detail["hold"])
            if payload["kind"] == "hold.asked":
                waiting[key] = detail
            else:
                waiting.pop(key, None)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise ValueError("an audit entry was altered; `bastion verify --all` says which") from error
    lost = []
    for (session, hold), detail in waiting.items():
        whose = {} if session is None else {"session": session}  # one that was asked ahead has none
        ended = {"hold": hold, "binding": detail.get("binding"), "state": "cancelled", "reason": reason}
        transaction.audit("hold.ended", {**whose, **ended})
        lost.append({**detail, "reason": reason})
    return lost


def unchecked_payload(jws: str) -> bytes:
    """Return a compact JWS's payload without checking it: this store's own, which `verify` checks."""
    part = jws.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
