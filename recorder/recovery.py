"""Close the sessions that were cut off, saying how far their record is proven.

A session whose bastion died (or whose store failed) has chunks but no seal. Its chain and its signatures prove
every chunk that is there, but not that none followed: so it is sealed as interrupted, with the last checkpoint
that vouches for it, and never as whole. A chain that does not hold, or that ends before a checkpoint, is left
as it is and named on the audit chain.

In      a transaction on the store, before the server takes connections
Out     audit entries `session.sealed` (state interrupted) or `session.damaged`
"""

from __future__ import annotations

import json

from recorder.chunk import ChunkError, ChunkReader, ChunkWriter
from recorder.events import Event, Kind
from recorder.rows import insert_chunk, read_chunks, seal_session
from recorder.seal import BadSignature, KeySet
from recorder.store import Transaction
from recorder.summary import State, Summary


def recover(transaction: Transaction, keys: KeySet, reason: str) -> list[str]:
    """Close every session that is still open in a store that nobody else serves; return their ids."""
    rows = transaction.connection.execute("SELECT id FROM sessions WHERE seal IS NULL ORDER BY id")
    damaged = {
        row[0]
        for row in transaction.connection.execute(
            "SELECT session FROM audit WHERE kind = 'session.damaged' AND session IS NOT NULL"
        )
    }
    found = [row[0] for row in rows if row[0] not in damaged]
    for session in found:
        close_interrupted(transaction, session, reason, keys=keys)
    return found


def witnessed(transaction: Transaction, session: str, keys: KeySet) -> tuple[int, str] | None:
    """Return the last checkpoint of a session, as (chunks, head in hex); raise ChunkError.

    A checkpoint that was altered may have vouched for more than is there: then nothing can be said of the end.
    """
    rows = transaction.connection.execute(
        "SELECT seq, jws FROM audit WHERE kind = 'recording.checkpoint' AND seq >"
        " (SELECT min(seq) FROM audit WHERE session = ?) ORDER BY seq DESC",
        (session,),
    )
    for seq, jws in rows:
        try:
            heads = json.loads(keys.open_compact(jws))["detail"]["heads"]
        except (BadSignature, ValueError, LookupError) as error:
            raise ChunkError(f"audit entry {seq}, which may vouch for more of it, was altered") from error
        if session in heads:
            chunks, head = heads[session]
            return chunks, head
    return None


def checkpoint(transaction: Transaction, sessions: list[str], known: dict[str, int]) -> dict[str, int]:
    """Put the heads of live sessions that have grown since `known` on the audit chain; return the new counts."""
    heads: dict[str, tuple[int, str]] = {}
    for session in sessions:
        row = transaction.connection.execute(
            "SELECT seq, hash FROM chunks WHERE session = ? ORDER BY seq DESC LIMIT 1", (session,)
        ).fetchone()
        if row is not None and known.get(session) != row[0]:
            heads[session] = (row[0], row[1].hex())
    if heads:
        transaction.audit("recording.checkpoint", {"heads": heads})
    return {**known, **{session: seq for session, (seq, _head) in heads.items()}}


def close_interrupted(
    transaction: Transaction, session: str, reason: str, *, keys: KeySet | None = None
) -> None:
    """Seal what is on disk of one session as interrupted, or name the damage that forbids it."""
    keys = keys or KeySet.of(transaction.signer)
    reader = ChunkReader(session, keys)
    summary = Summary(id=session)
    last_at_us = 0
    try:
        last = witnessed(transaction, session, keys)
        for chunk in read_chunks(transaction.connection, session):
            for event in reader.unpack(chunk):
                summary.apply(event)
                last_at_us = event.at_us
            if last is not None and chunk.seq == last[0] and chunk.hash.hex() != last[1]:
                raise ChunkError(f"chunk {chunk.seq} is not the one that a checkpoint saw")
        if last is not None and reader.seq < last[0]:
            raise ChunkError(f"it ends at chunk {reader.seq}, but a checkpoint saw chunk {last[0]}")
        if reader.seq == 0:
            raise ChunkError("it has no chunks")
    except ChunkError as error:
        transaction.audit("session.damaged", {"session": session, "problem": str(error)})
        return
    writer = ChunkWriter(session, transaction.signer, seq=reader.seq, head=reader.head)
    event = Event(
        last_at_us,
        Kind.CLOSE,
        detail={
            "state": State.INTERRUPTED.value,
            "reason": reason,
            "bytes_in": reader.bytes_in,
            "bytes_out": reader.bytes_out,
        },
    )
    summary.apply(event)
    chunk = writer.pack([event], bytes_in=reader.bytes_in, bytes_out=reader.bytes_out)
    insert_chunk(transaction, chunk)
    seal_session(transaction, summary, chunk, witnessed_chunks=last[0] if last else 0)
