"""Put on the record what strangers do wrong, as much of it as the register lets through.

In      a source, what it did, why that was wrong
Out     a journal line and an audit entry, with how many before it were left out
Errors  none: what cannot be recorded is told to the journal
"""

from __future__ import annotations

import logging

from bastion.register import Register
from recorder.errors import RecorderError
from recorder.store import Store

log = logging.getLogger("bastion.house")


async def note_broken(
    store: Store, register: Register, peer: str, what: str, reason: str, limit: str = ""
) -> None:
    """Record a login or connection that was refused or broke, with its limit if it was over one."""
    try:
        left_out = await register.may_note(peer, what)
        if left_out is None:
            return
        log.warning("%s peer=%s: %s", what, peer, reason)
        over = {"limit": limit} if limit else {}
        await store.audit(what, {"peer": peer, "reason": reason[:512], **over, **mention(left_out)})
    except RecorderError as error:
        log.error("could not record that a login was refused: %s", error)


def mention(count: int) -> dict[str, int]:
    return {"left_out": count} if count else {}
