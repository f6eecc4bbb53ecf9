"""Check an evidence database with public keys alone, and say what broke and where.

In      a database file (read-only), the auditor's key set, and optionally an audit head seen elsewhere
Out     a Report: problems (something was altered or is gone), notes (what cannot be proven), counts
Errors  StoreError when the file is no recording database at all
Source  docs/recording-format.md; law L8
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.audit import AuditReader, Entry
from recorder.chunk import Chunk, ChunkError, ChunkReader
from recorder.errors import StoreError, UnknownSession
from recorder.events import Event, Kind
from recorder.evidence import open_readonly
from recorder.rows import read_chunks
from recorder.seal import KeySet
from recorder.store_schema import expected_schema, schema_of
from recorder.summary import State, Summary

SHOWN_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that does not hold; `where` is `session ID`, `audit` or `database`."""

    where: str
    what: str


@dataclass(slots=True)
class Report:
    """What verification found."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    sessions: int = 0
    chunks: int = 0
    events: int = 0
    entries: int = 0
    head: str = "0:"

    def problem(self, where: str, what: str) -> None:
        self.problems.append(Problem(where=where, what=what))

    def note(self, where: str, what: str) -> None:
        self.notes.append(Problem(where=where, what=what))


@dataclass(slots=True)
class _Witness:
    """What the audit chain says of one session."""

    opened: Entry | None = None
    sealed: Entry | None = None
    damaged: Entry | None = None
    checkpoints: dict[int, str] = field(default_factory=dict)


def verify(
    path: Path,
    keys: KeySet,
    *,
    session: str | None = None,
    head: tuple[int, str] | None = None,
    live: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Report:
    """Verify one session (and the audit chain that seals it), or everything in the file.

    `live` says that the file is in use here and may be written. Raise StoreError, or UnknownSession for a session
    that nothing in the file speaks of.
    """
    report = Report()
    connection = open_readonly(path, live=live)
    try:
        connection.execute("BEGIN")
        journal = path.with_name(path.name + "-journal")
        if not live and journal.exists() and journal.stat().st_size:
            report.problem(
                "database",
                f"{journal.name} lies beside it: readers that obey it see other content than was checked;"
                " copy a database whole (docs/getting-started.md, Backup)",
            )
        if not _check_tables(connection, report):
            return report
        if session is None:
            _check_whole(connection, report)
        witnesses = _check_audit(connection, keys, report, head)
        known = [row[0] for row in connection.execute("SELECT id FROM sessions ORDER BY id")]
        if not report.entries:
            report.problem("audit", "the chain is empty: even a new database has an entry")
        if session is None:
            _check_presence(connection, report, witnesses, known)
        elif session not in known:
            opened = witnesses.get(session, _Witness()).opened
            if opened is None:
                raise UnknownSession(
                    f"there is no session {session}; `bastion sessions` lists those there are"
                )
            _tell_gone(report, session, opened)
        chosen = [name for name in known if session in (None, name)]
        for done, name in enumerate(chosen):
            progress(done, len(chosen))
            _check_session(connection, keys, report, name, witnesses.get(name, _Witness()))
        progress(len(chosen), len(chosen))
    except sqlite3.DatabaseError as error:
        report.problem("database", f"the file is damaged: {error}")
    finally:
        connection.close()
    return report


def _check_tables(connection: sqlite3.Connection, report: Report) -> bool:
    """Compare the schema with ours; false means that a table is not ours, so nothing else is asked of it."""
    found, expected = schema_of(connection), expected_schema()
    for kind, name, *_rest in sorted(found - expected, key=repr):
        report.problem("database", f"{kind} {name} is not part of a recording database, or was altered")
    missing = sorted(expected - found, key=repr)
    for kind, name, *_rest in missing:
        report.problem("database", f"{kind} {name} is missing, or was altered")
    return not any(kind == "table" for kind, *_rest in missing)


def _check_whole(connection: sqlite3.Connection, report: Report) -> None:
    """Let SQLite check the file's own structure, indices included."""
    for (line,) in connection.execute("PRAGMA integrity_check(10)"):
        if line != "ok":
            report.problem("database", f"the file is damaged: {line}")


def _check_audit(
    connection: sqlite3.Connection, keys: KeySet, report: Report, head: tuple[int, str] | None
) -> dict[str, _Witness]:
    witnesses: dict[str, _Witness] = {}
    reader = AuditReader(keys)
    seen_head: str | None = None
    for row in connection.execute("SELECT seq, at_us, kind, session, jws FROM audit ORDER BY seq"):
        report.entries += 1
        entry, faults = reader.look(row)
        for fault in faults:
            report.problem("audit", fault)
        if head is not None and row[0] == head[0]:
            seen_head = entry.hash if entry is not None else "altered"
        if entry is None:
            continue
        report.head = entry.head
        name = entry.detail.get("session")
        witness = witnesses.setdefault(name, _Witness()) if isinstance(name, str) else None
        if witness is not None and entry.kind == "session.opened":
            witness.opened = entry
        elif witness is not None and entry.kind == "session.sealed":
            witness.sealed = entry
        elif witness is not None and entry.kind == "session.damaged":
            witness.damaged = entry
        elif entry.kind == "recording.checkpoint":
            for of, (chunks, digest) in entry.detail["heads"].items():
                witnesses.setdefault(of, _Witness()).checkpoints[chunks] = digest
    if head is not None and seen_head is None:
        report.problem(
            "audit",
            f"the database was cut back: entry {head[0]} was witnessed, but the chain ends at {reader.seq}",
        )
    elif head is not None and seen_head != head[1]:
        report.problem("audit", f"entry {head[0]} is not the one that was witnessed: the chain was rewritten")
    return witnesses


def _check_presence(
    connection: sqlite3.Connection, report: Report, witnesses: dict[str, _Witness], known: list[str]
) -> None:
    """Every session opened has its row, every row was opened, every chunk has a session."""
    there = set(known)
    for name, witness in witnesses.items():
        if witness.opened is not None and name not in there:
            _tell_gone(report, name, witness.opened)
    orphans = connection.execute(
        "SELECT DISTINCT session FROM chunks"
        " WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = chunks.session)"
    )
    for (name,) in orphans:
        report.problem(f"session {name}", "has chunks, but its row is gone")


def _tell_gone(report: Report, name: str, opened: Entry) -> None:
    who, where = opened.detail.get("identity"), opened.detail.get("target")
    report.problem(
        f"session {name}", f"is gone: audit entry {opened.seq} says that {who} opened it on {where}"
    )


def _check_session(
    connection: sqlite3.Connection, keys: KeySet, report: Report, name: str, witness: _Witness
) -> None:
    where = f"session {name}"
    report.sessions += 1
    if not isinstance(name, str):
        report.problem(where, "was altered: its id is no text")
        return
    if witness.opened is None:
        report.problem(where, "no audit entry says that it was opened")
    if witness.damaged is not None:
        report.problem(
            where,
            f"was found damaged at audit entry {witness.damaged.seq}: {witness.damaged.detail.get('problem')}",
        )
    reader = ChunkReader(name, keys)
    summary = Summary(id=name)
    last: Event | None = None
    try:
        for chunk in read_chunks(connection, name):
            events = reader.unpack(chunk)
            _check_witnessed(chunk, witness)
            for event in events:
                _check_order(last, event, name)
                summary.apply(event)
                last = event
                report.events += 1
            report.chunks += 1
    except (KeyError, TypeError, ValueError) as error:
        what = (
            str(error) if isinstance(error, ChunkError) else f"holds an event that makes no sense: {error!r}"
        )
        report.problem(where, what)
        return  # the row is made of the events: with these in doubt there is nothing to compare it with
    if last is None:
        report.problem(where, "has no chunks left")
        return
    most = max(witness.checkpoints, default=0)
    if reader.seq < most:
        report.problem(where, f"was cut short: it ends at chunk {reader.seq}, a checkpoint saw chunk {most}")
    _check_seal(report, where, reader, summary, last, witness)
    _check_row(connection, report, where, summary, witness)


def _check_witnessed(chunk: Chunk, witness: _Witness) -> None:
    """Compare a chunk with what the audit chain says of it."""
    head = chunk.hash.hex()
    if witness.checkpoints.get(chunk.seq, head) != head:
        raise ChunkError(f"chunk {chunk.seq} is not the one that a checkpoint saw")
    if chunk.seq == 1 and witness.opened is not None and witness.opened.detail.get("first") != head:
        raise ChunkError("chunk 1 is not the one that the audit chain says the session began with")


def _check_order(last: Event | None, event: Event, name: str) -> None:
    if last is None:
        if event.kind is not Kind.OPEN or event.detail.get("id") != name:
            raise ChunkError("does not begin with its own header")
    elif event.at_us < last.at_us:
        raise ChunkError(f"an event at {event.at_us} us is dated before the one it follows")
    elif last.kind is Kind.CLOSE:
        raise ChunkError("goes on after its last event")


def _check_seal(
    report: Report, where: str, reader: ChunkReader, summary: Summary, last: Event | None, witness: _Witness
) -> None:
    if witness.sealed is None:
        if last is not None and last.kind is Kind.CLOSE:
            report.problem(where, "has ended, but no seal on the audit chain says so")
        elif witness.damaged is None:
            report.note(where, f"is open: {reader.seq} chunks are signed, and no seal says that they are all")
        return
    sealed = witness.sealed.detail
    if (sealed.get("chunks"), sealed.get("head")) != (reader.seq, reader.head.hex()):
        report.problem(
            where,
            f"does not end as sealed: {reader.seq} chunks, but audit entry {witness.sealed.seq}"
            f" sealed {sealed.get('chunks')}",
        )
    elif summary.state is State.INTERRUPTED:
        report.note(
            where,
            f"was interrupted: its {reader.seq} chunks are genuine, and the last"
            f" {reader.seq - int(sealed.get('witnessed_chunks', 0)) - 1} before the end were seen by no checkpoint,"
            " so nothing proves that no others followed them",
        )


def _check_row(
    connection: sqlite3.Connection, report: Report, where: str, summary: Summary, witness: _Witness
) -> None:
    cursor = connection.execute("SELECT * FROM sessions WHERE id = ?", (summary.id,))
    columns = [column[0] for column in cursor.description]
    row = cursor.fetchone()
    if row is None:  # it was listed, so an index lies
        report.problem(where, "its row is not found by its id: the file is damaged")
        return
    found: dict[str, Any] = dict(zip(columns, row, strict=True))
    expected = {**summary.row(), "seal": witness.sealed.seq if witness.sealed else None}
    for column in sorted(found.keys() | expected.keys()):
        was, is_ = expected.get(column), found.get(column)
        if type(was) is not type(is_) or was != is_:  # 7 is not 7.0
            report.problem(
                where,
                f"was altered: its row says {column} {_short(is_)}, but its recording says {_short(was)}",
            )


def _short(value: object) -> str:
    """Return a value for a message, however long it is."""
    if isinstance(value, str | bytes) and len(value) > SHOWN_CHARS:
        return f"{value[:SHOWN_CHARS]!r}… ({len(value)} long)"
    return repr(value)


def parse_head(text: str) -> tuple[int, str]:
    """Return (seq, hash) of `SEQ:HASH`; raise StoreError."""
    seq, _colon, digest = text.partition(":")
    if (
        not (seq.isascii() and seq.isdecimal() and len(seq) <= 18)
        or len(digest) != 64
        or set(digest) - set("0123456789abcdef")
    ):
        raise StoreError(
            f"--head {text[:80]!r}: expected SEQ:HASH, as the journal prints it (hash: 64 hex digits)"
        )
    return int(seq), digest
