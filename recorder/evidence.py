"""Read sessions, their events and their audit entries from an evidence database, checking as it reads.

In      the database file, opened read-only, and the auditor's public keys
Out     rows for lists; events in order
Errors  StoreError, UnknownSession; ChunkError when a recording fails its own chain while it is read
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from recorder.audit import AuditReader, Entry
from recorder.chunk import ChunkError, ChunkReader
from recorder.errors import StoreError, UnknownSession
from recorder.events import Event, Kind
from recorder.rows import read_chunks
from recorder.seal import KeySet
from recorder.store import BUSY_MS
from recorder.store_schema import check_ours, schema_of
from recorder.summary import split_exposure
from recorder.terminal import plain

NAME_CHARS = 64  # of what was asked for, in an error

State = Literal["active", "closed", "interrupted", "damaged"]
At = Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800_000_000)]  # to the end of the year 9999

_SESSIONS = """\
SELECT s.id, s.state, s.identity, s.owner, s.target, s.login, s.access, s.started_us, s.ended_us,
  s.exit_status, s.exit_signal, s.end_reason,
  coalesce((SELECT bytes_in FROM chunks c WHERE c.session = s.id ORDER BY seq DESC LIMIT 1), 0),
  coalesce((SELECT bytes_out FROM chunks c WHERE c.session = s.id ORDER BY seq DESC LIMIT 1), 0),
  s.claims, s.seal, s.exposure,
  EXISTS (SELECT 1 FROM audit a WHERE a.session = s.id AND a.kind = 'session.damaged')
FROM sessions s"""
_COLUMNS = (
    *("id", "state", "identity", "owner", "target", "login", "access", "started_us", "ended_us"),
    *("exit_status", "exit_signal", "end_reason", "bytes_in", "bytes_out"),
)
_CLAIM = """\
EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(s.claims) THEN s.claims ELSE '{}' END)
  WHERE key = ? AND value = ?)"""


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
    """One session as lists show it; times are microseconds since 1970.

    `exposure` is hits by detector and action, `limits` what each limit has counted, by measure, `files` how many went
    which way by what their content was.
    """

    id: str
    state: State
    identity: str
    owner: str
    target: str
    login: str
    access: str
    started_us: At
    ended_us: At | None
    exit_status: int | None
    exit_signal: str | None
    end_reason: str | None
    bytes_in: int
    bytes_out: int
    claims: Mapping[str, str]
    exposure: Mapping[str, Mapping[str, int]]
    limits: Mapping[str, Mapping[str, int]]
    files: Mapping[str, Mapping[str, int]]
    sealed: bool


def open_readonly(path: Path, *, live: bool = False) -> sqlite3.Connection:
    """Open an evidence database for reading only; raise StoreError.

    `live` is for the file where it grows: others may write it meanwhile, which SQLite can only sort out for a reader
    who may make its lock files. Without, nothing is written beside a copy, which may lie on read-only media.
    """
    if not path.is_file():
        raise StoreError(f"{path}: {'is not a file' if path.exists() else 'there is no such file'}")
    wal = path.with_name(path.name + "-wal").exists()
    modes = ["mode=rw"] if live and os.access(path, os.W_OK) else []
    modes.append("mode=ro" if wal else "mode=ro&immutable=1")
    for place, mode in enumerate(modes, start=1):
        try:
            return _open(path, mode)
        except sqlite3.Error as error:
            if place == len(modes):
                raise StoreError(f"{path}: cannot be read: {error}") from error
    raise AssertionError("there is always a last mode")


def _open(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, isolation_level=None)
    # Text that is no UTF-8 any more is compared and shown, not stumbled over.
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        check_ours(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


class Evidence:
    """An evidence database, for reading."""

    def __init__(self, path: Path, keys: KeySet, *, live: bool = False) -> None:
        """Open the file, as `open_readonly` does; raise StoreError."""
        self.path = path
        self._keys = keys
        self._connection = open_readonly(path, live=live)
        try:
            schema_of(self._connection)
        except sqlite3.Error as error:
            raise StoreError(f"{path}: cannot be read: {error}") from error

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
            terms.append(_CLAIM)
            values += [key, value]
        where = " AND ".join(terms) or "1"
        found = self._rows(where, values)
        chosen = [row for row in found if wanted.state in (None, row.state)]
        return chosen[: wanted.limit] if wanted.limit is not None else chosen

    def session(self, prefix: str) -> SessionRow:
        """Return the session whose id is, or alone begins with, this text; raise UnknownSession."""
        rows = self._rows("substr(s.id, 1, length(?)) = upper(?)", [prefix, prefix]) if prefix else []
        name = plain(prefix[:NAME_CHARS])
        if not rows:
            raise UnknownSession(f"there is no session {name}; `bastion sessions` lists those there are")
        if len(rows) > 1:
            raise UnknownSession(f"{len(rows)} sessions begin with {name}; give more of the id")
        return rows[0]

    def events(self, session: str) -> Iterator[Event]:
        """Yield the events of a session in order, each chunk checked first; raise ChunkError."""
        reader = ChunkReader(session, self._keys)
        kind = None
        try:
            sealed = self._connection.execute(
                "SELECT 1 FROM sessions WHERE id = ? AND seal IS NOT NULL", (session,)
            ).fetchone()
            for chunk in read_chunks(self._connection, session):
                for event in reader.unpack(chunk):
                    kind = event.kind
                    yield event
            if sealed and kind is not Kind.CLOSE:
                raise ChunkError(f"chunk {reader.seq + 1} is missing: it ends before its seal")
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
        except UnicodeEncodeError:
            return []  # nothing is called by what is no text
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be read: {error}") from error
        return [_session_row(row) for row in found]


def _session_row(row: Sequence[Any]) -> SessionRow:
    """Return one row of a list; what was altered beyond recognition is shown as damaged, and hides no other row."""
    try:
        exposure, limits, files = split_exposure(json.loads(row[16]))
        return msgspec.convert(
            {
                **dict(zip(_COLUMNS, row, strict=False)),
                "state": "damaged" if row[17] and row[15] is None else row[1],
                "claims": json.loads(row[14]),
                "exposure": exposure,
                "limits": limits,
                "files": files,
                "sealed": row[15] is not None,
            },
            SessionRow,
        )
    except (msgspec.ValidationError, ValueError, TypeError, AttributeError, RecursionError):
        shown = {name: str(value) for name, value in zip(_COLUMNS[:7], row, strict=False)}
        return SessionRow(
            id=shown["id"],
            state="damaged",
            identity=shown["identity"],
            owner=shown["owner"],
            target=shown["target"],
            login=shown["login"],
            access=shown["access"],
            started_us=0,
            ended_us=None,
            exit_status=None,
            exit_signal=None,
            end_reason="the row was altered",
            bytes_in=0,
            bytes_out=0,
            claims={},
            exposure={},
            limits={},
            files={},
            sealed=False,
        )
