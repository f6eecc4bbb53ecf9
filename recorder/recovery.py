"""Close the sessions that were cut off, saying how far their record is proven.

A session whose bastion died (or whose store failed) has chunks but no seal. Its chain and its signatures prove
every chunk that is there, but not that none followed: so it is sealed as interrupted, with the last checkpoint
that vouches for it, and never as whole. A chain that does not hold, or that ends before a checkpoint, is left
as it is and named on the audit chain.

In      a transaction on the store, before the server takes connections; or, of one session whose process died while
        others go on, first a survey on a connection that keeps nobody waiting
Out     audit entries `session.sealed` (state interrupted) or `session.damaged`
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from recorder.chunk import ChunkError, ChunkReader, ChunkWriter
from recorder.events import Event, Kind
from recorder.rows import insert_chunk, is_sealed, read_chunks, seal_session
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


def witnessed(connection: sqlite3.Connection, session: str, keys: KeySet) -> tuple[int, str] | None:
    """Return the last checkpoint of a session, as (chunks, head in hex); raise ChunkError.

    A checkpoint that was altered may have vouched for more than is there: then nothing can be said of the end.
    """
    rows = connection.execute(
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is on disk of a session that nobody writes to any more; `problem` forbids to seal it."""

    summary: Summary
    chunks: int
    head: bytes
    bytes_in: int
    bytes_out: int
    last_at_us: int
    witnessed_chunks: int
    problem: str = ""


def survey(connection: sqlite3.Connection, session: str, keys: KeySet) -> Survey | None:
    """Read one session to its end, which may take a while; None when it is not there or sealed already."""
    row = connection.execute("SELECT seal FROM sessions WHERE id = ?", (session,)).fetchone()
    if row is None or row[0] is not None:
        return None
    return _survey(connection, session, keys)


def close_surveyed(transaction: Transaction, found: Survey, reason: str) -> None:
    """Seal as interrupted what a survey has found, or name the damage that forbids it."""
    session = found.summary.id
    if is_sealed(transaction, session):
        return
    if found.problem:
        transaction.audit("session.damaged", {"session": session, "problem": found.problem})
        return
    writer = ChunkWriter(session, transaction.signer, seq=found.chunks, head=found.head)
    event = Event(
        found.last_at_us,
        Kind.CLOSE,
        detail={
            "state": State.INTERRUPTED.value,
            "reason": reason,
            "bytes_in": found.bytes_in,
            "bytes_out": found.bytes_out,
        },
    )
    found.summary.apply(event)
    chunk = writer.pack([event], bytes_in=found.bytes_in, bytes_out=found.bytes_out)
    insert_chunk(transaction, chunk)
    seal_session(transaction, found.summary, chunk, witnessed_chunks=found.witnessed_chunks)


def close_interrupted(
    transaction: Transaction, session: str, reason: str, *, keys: KeySet | None = None
) -> None:
    """Seal what is on disk of one session as interrupted, or name the damage that forbids it."""
    found = _survey(transaction.connection, session, keys or KeySet.of(transaction.signer))
    close_surveyed(transaction, found, reason)


def _survey(connection: sqlite3.Connection, session: str, keys: KeySet) -> Survey:
    reader = ChunkReader(session, keys)
    summary = Summary(id=session)
    last_at_us = 0
    problem = ""
    last: tuple[int, str] | None = None
    try:
        last = witnessed(connection, session, keys)
        for chunk in read_chunks(connection, session):
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
        problem = str(error)
    return Survey(
        summary=summary,
        chunks=reader.seq,
        head=reader.head,
        bytes_in=reader.bytes_in,
        bytes_out=reader.bytes_out,
        last_at_us=last_at_us,
        witnessed_chunks=last[0] if last else 0,
        problem=problem,
    )
