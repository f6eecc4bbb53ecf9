"""Ask an evidence store about its own past, when a bastion starts on it.

In      a transaction
Out     the date of the last entry; the certificates whose tokens still hold; what was locked and lifted; the holds that
        were lost, which it ends
Errors  ValueError, TypeError or LookupError for an entry that was altered, which the store turns into StoreError
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
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


def end_lost_holds(transaction: Transaction, sessions: Sequence[str], reason: str) -> list[dict[str, Any]]:
    """Record the end of each hold that these sessions, which were cut off, left open; return what is known of them.

    Those that were asked ahead have no session: they are looked for since the last start.
    """
    lost = []
    query = "SELECT jws FROM audit WHERE {} AND kind IN ('hold.asked', 'hold.ended') ORDER BY seq"
    started = "(SELECT seq FROM audit WHERE kind = 'service.started' ORDER BY seq DESC LIMIT 1)"
    for where, session in (
        *(("session = ?", session) for session in sessions),
        (f"session IS ? AND seq > {started}", None),
    ):
        rows = transaction.connection.execute(query.format(where), (session,)).fetchall()
        waiting: dict[str, dict[str, Any]] = {}
        for (jws,) in rows:
            try:
                payload = json.loads(unchecked_payload(jws))
                detail = payload["detail"]
                if payload["kind"] == "hold.asked":
                    waiting[detail["hold"]] = detail
                else:
                    waiting.pop(detail["hold"], None)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
                raise ValueError("an audit entry was altered; `bastion verify --all` says which") from error
        for hold, detail in waiting.items():
            whose = {} if session is None else {"session": session}
            ended = {"hold": hold, "binding": detail.get("binding"), "state": "cancelled", "reason": reason}
            transaction.audit("hold.ended", {**whose, **ended})
            lost.append({**detail, "reason": reason})
    return lost


def unchecked_payload(jws: str) -> bytes:
    """Return a compact JWS's payload without checking it: this store's own, which `verify` checks."""
    part = jws.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
