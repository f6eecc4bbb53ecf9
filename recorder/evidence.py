"""Read sessions, their events and their audit entries from an evidence database, checking as it reads.

In      the database file, opened read-only, and the auditor's public keys
Out     rows for lists; events in order
Errors  StoreError, UnknownSession; ChunkError when a recording fails its own chain while it is read
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.audit import AuditReader, Entry
from recorder.chunk import ChunkReader
from recorder.errors import StoreError, UnknownSession
from recorder.events import Event
from recorder.rows import read_chunks
from recorder.seal import KeySet
from recorder.store_schema import check_ours

_SESSIONS = """\
SELECT s.id, s.state, s.identity, s.owner, s.target, s.login, s.access, s.started_us, s.ended_us,
  s.exit_status, s.exit_signal, s.end_reason,
  coalesce((SELECT bytes_in FROM chunks c WHERE c.session = s.id ORDER BY seq DESC LIMIT 1), 0),
  coalesce((SELECT bytes_out FROM chunks c WHERE c.session = s.id ORDER BY seq DESC LIMIT 1), 0),
  s.claims, s.seal,
  EXISTS (SELECT 1 FROM audit a WHERE a.session = s.id AND a.kind = 'session.damaged')
FROM sessions s"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which sessions to list; every field that is set must fit. `claims` are exact key-value pairs."""

    identity: str | None = None
    owner: str | None = None
    target: str | None = None
    state: str | None = None
    since_us: int | None = None
    claims: Mapping[str, str] | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session as lists show it; times are microseconds since 1970."""

    id: str
    state: str
    identity: str
    owner: str
    target: str
    login: str
    access: str
    started_us: int
    ended_us: int | None
    exit_status: int | None
    exit_signal: str | None
    end_reason: str | None
    bytes_in: int
    bytes_out: int
    claims: Mapping[str, str]
    sealed: bool


def open_readonly(path: Path) -> sqlite3.Connection:
    """Open an evidence database for reading only, a lone copy on read-only media included; raise StoreError."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file")
    beside = path.with_name(path.name + "-wal")
    mode = "mode=ro" if beside.exists() else "mode=ro&immutable=1"
    try:
        uri = path.resolve().as_uri()
        connection = sqlite3.connect(f"{uri}?{mode}", uri=True, isolation_level=None)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA busy_timeout = 5000")
        check_ours(connection, path)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read: {error}") from error
    return connection


class Evidence:
    """An evidence database, for reading."""

    def __init__(self, path: Path, keys: KeySet) -> None:
        """Open the file; raise StoreError."""
        self.path = path
        self._keys = keys
        self._connection = open_readonly(path)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def sessions(self, wanted: Filter) -> list[SessionRow]:
        """Return the sessions that fit, the newest first."""
        terms: list[str] = []
        values: list[Any] = []
        for column in ("identity", "owner", "target"):
            value = getattr(wanted, column)
            if value is not None:
                terms.append(f"s.{column} = ?")
                values.append(value)
        if wanted.since_us is not None:
            terms.append("s.started_us >= ?")
            values.append(wanted.since_us)
        for key, value in (wanted.claims or {}).items():
            terms.append("EXISTS (SELECT 1 FROM json_each(s.claims) WHERE key = ? AND value = ?)")
            values += [key, value]
        where = " AND ".join(terms) or "1"
        found = self._rows(where, values)
        chosen = [row for row in found if wanted.state in (None, row.state)]
        return chosen[: wanted.limit] if wanted.limit is not None else chosen

    def session(self, prefix: str) -> SessionRow:
        """Return the session whose id is, or alone begins with, this text; raise UnknownSession."""
        rows = self._rows("substr(s.id, 1, length(?)) = upper(?)", [prefix, prefix]) if prefix else []
        if not rows:
            raise UnknownSession(f"there is no session {prefix}; `bastion sessions` lists those there are")
        if len(rows) > 1:
            raise UnknownSession(f"{len(rows)} sessions begin with {prefix}; give more of the id")
        return rows[0]

    def events(self, session: str) -> Iterator[Event]:
        """Yield the events of a session in order, each chunk checked first; raise ChunkError."""
        reader = ChunkReader(session, self._keys)
        try:
            for chunk in read_chunks(self._connection, session):
                yield from reader.unpack(chunk)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be read: {error}") from error

    def audit(self) -> Iterator[Entry]:
        """Yield every entry of the audit chain in order, checked; raise AuditError."""
        reader = AuditReader(self._keys)
        for row in self._connection.execute("SELECT seq, at_us, kind, session, jws FROM audit ORDER BY seq"):
            yield reader.read(row)

    def _rows(self, where: str, values: Sequence[Any]) -> list[SessionRow]:
        query = f"{_SESSIONS} WHERE {where} ORDER BY s.started_us DESC, s.id DESC"
        try:
            found = self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be read: {error}") from error
        return [
            SessionRow(
                id=row[0],
                state="damaged" if row[16] and row[15] is None else row[1],
                identity=row[2],
                owner=row[3],
                target=row[4],
                login=row[5],
                access=row[6],
                started_us=row[7],
                ended_us=row[8],
                exit_status=row[9],
                exit_signal=row[10],
                end_reason=row[11],
                bytes_in=row[12],
                bytes_out=row[13],
                claims=json.loads(row[14]),
                sealed=row[15] is not None,
            )
            for row in found
        ]
