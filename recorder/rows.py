"""Write and read the rows of the evidence database.

Errors  sqlite3.Error, which the store turns into StoreError
Source  docs/recording-format.md
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from recorder import audit
from recorder.chunk import Chunk
from recorder.store import Transaction
from recorder.summary import Summary

CHUNK_COLUMNS = "session, seq, segment, bytes_in, bytes_out, body, hash, signature"
_INSERT_CHUNK = f"INSERT INTO chunks ({CHUNK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - names are ours


def read_chunks(connection: sqlite3.Connection, session: str) -> Iterator[Chunk]:
    """Yield the chunks of a session in order."""
    rows = connection.execute(
        f"SELECT {CHUNK_COLUMNS} FROM chunks WHERE session = ? ORDER BY seq",  # noqa: S608 - names are ours
        (session,),
    )
    for name, seq, segment, bytes_in, bytes_out, body, digest, signature in rows:
        yield Chunk(
            session=name,
            seq=seq,
            segment=segment,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            body=body,
            hash=digest,
            signature=signature,
        )


def insert_chunk(transaction: Transaction, chunk: Chunk) -> None:
    """Write one chunk row."""
    transaction.connection.execute(
        _INSERT_CHUNK,
        (
            chunk.session,
            chunk.seq,
            chunk.segment,
            chunk.bytes_in,
            chunk.bytes_out,
            chunk.body,
            chunk.hash,
            chunk.signature,
        ),
    )
    transaction.written_bytes += len(chunk.body)


def write_row(transaction: Transaction, summary: Summary, *, seal: int | None) -> None:
    """Write the session's row."""
    row = {**summary.row(), "seal": seal}
    columns = ", ".join(row)
    places = ", ".join("?" for _ in row)
    transaction.connection.execute(
        f"INSERT OR REPLACE INTO sessions ({columns}) VALUES ({places})",  # noqa: S608 - names are ours
        list(row.values()),
    )


def is_sealed(transaction: Transaction, session: str) -> bool:
    """Say whether the session's end is on the audit chain already."""
    row = transaction.connection.execute("SELECT seal FROM sessions WHERE id = ?", (session,)).fetchone()
    return row is not None and row[0] is not None


def live_session(transaction: Transaction, prefix: str) -> list[str]:
    """Return the sessions that are not closed and whose ids begin so, and at most three of them."""
    rows = transaction.connection.execute(
        "SELECT id FROM sessions WHERE seal IS NULL AND substr(id, 1, length(?)) = upper(?) ORDER BY id LIMIT 3",
        (prefix, prefix),
    )
    return [name for (name,) in rows] if prefix else []


def seal_session(transaction: Transaction, summary: Summary, chunk: Chunk, **extra: Any) -> audit.Entry:
    """Put the end of a session on the audit chain and its row in the list."""
    entry = transaction.audit(
        "session.sealed",
        {
            "session": summary.id,
            "identity": summary.identity,
            "state": summary.state.value,
            "reason": summary.end_reason,
            "chunks": chunk.seq,
            "head": chunk.hash.hex(),
            "bytes_in": chunk.bytes_in,
            "bytes_out": chunk.bytes_out,
            **extra,
        },
    )
    write_row(transaction, summary, seal=entry.seq)
    return entry
