"""Lay out the evidence database and recognise one that is ours.

Source  docs/recording-format.md; SQLite file format, sections 1.3.14 (user version) and 1.3.17 (application id)
"""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path

from sqlite_utils import Database

from recorder.errors import StoreError

APPLICATION_ID = 0x62617374  # "bast"
FORMAT = 1


def create_schema(connection: sqlite3.Connection) -> None:
    """Create the tables of an empty database; the caller commits."""
    database = Database(connection, execute_plugins=False)
    database.table("sessions").create(
        {
            "id": str,
            "state": str,
            "identity": str,
            "owner": str,
            "target": str,
            "login": str,
            "access": str,
            "started_us": int,
            "ended_us": int,
            "exit_status": int,
            "exit_signal": str,
            "end_reason": str,
            "bytes_in": int,
            "bytes_out": int,
            "claims": str,
            "exposure": str,
            "seal": int,
        },
        pk="id",
        not_null={"state", "identity", "owner", "target", "login", "started_us", "claims", "exposure"},
    )
    database.table("chunks").create(
        {
            "session": str,
            "seq": int,
            "segment": int,
            "bytes_in": int,
            "bytes_out": int,
            "body": bytes,
            "hash": bytes,
            "signature": bytes,
        },
        pk=("session", "seq"),
        not_null={"segment", "bytes_in", "bytes_out", "body", "hash", "signature"},
    )
    database.table("audit").create(
        {"seq": int, "at_us": int, "kind": str, "session": str, "jws": str},
        pk="seq",
        not_null={"at_us", "kind", "jws"},
    )
    database.table("audit").create_index(["session"])
    database.table("sessions").create_index(["started_us"])
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def schema_of(connection: sqlite3.Connection) -> set[tuple[str, str, str, str]]:
    """Return (type, name, table, sql) of everything in the database's schema; raise sqlite3.Error."""
    try:
        rows = connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")
        return {(kind, name, table, sql) for kind, name, table, sql in rows}
    except UnicodeDecodeError as error:  # SQLite's own complaint quotes what is no text any more
        raise sqlite3.DatabaseError("the schema is damaged") from error


@cache
def expected_schema() -> frozenset[tuple[str, str, str, str]]:
    """Return what `schema_of` gives for a database of ours."""
    connection = sqlite3.connect(":memory:")
    try:
        create_schema(connection)
        return frozenset(schema_of(connection))
    finally:
        connection.close()


def is_blank(connection: sqlite3.Connection, path: Path) -> bool:
    """Say whether nothing was ever created in the file; raise StoreError when it is no database at all."""
    application, version = _marks(connection, path)
    return (application, version) == (0, 0) and not schema_of(connection)


def check_ours(connection: sqlite3.Connection, path: Path, *, whole: bool = False) -> None:
    """Raise StoreError unless the file is an evidence database of this format.

    `whole` asks for its schema as well: who writes must not set off a trigger that somebody else has put there.
    """
    application, version = _marks(connection, path)
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: not a recording database (application id {application:#x})")
    if version != FORMAT:
        raise StoreError(f"{path}: recording format {version}, but this program reads format {FORMAT}")
    if whole and schema_of(connection) != expected_schema():
        raise StoreError(f"{path}: its tables were altered; `bastion verify --all` says which")


def _marks(connection: sqlite3.Connection, path: Path) -> tuple[int, int]:
    """Return the application id and the format; raise StoreError."""
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(
            error, sqlite3.OperationalError
        ):  # locked, or cannot be opened: not the content's fault
            raise
        raise StoreError(f"{path}: not a recording database: {error}") from error
    return application, version
