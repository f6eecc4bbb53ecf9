"""Keep what is to be sent until it is: in a file beside the evidence, so that it survives a restart.

It holds no secret, and no more of a statement than people are told. It is no evidence: whoever deletes it loses what
was not delivered yet.

In      notices, each for one channel
Out     the oldest of a channel; what had to give way
Holds   MAX_ROWS for each channel: past that the oldest give way
Errors  OutboxFault: the file cannot be used
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bastion.errors import OperatorError
from bastion.notices.notice import Notice

T = TypeVar("T")

FILE = "outbox.sqlite"
MAX_ROWS = 1000
BUSY_S = 5.0
SCHEMA = """\
CREATE TABLE IF NOT EXISTS outbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  channel TEXT NOT NULL,
  queued_at REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  notice TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS outbox_channel ON outbox (channel, number);
"""


class OutboxFault(OperatorError):
    """The file of what is to be sent cannot be used."""

    code = "outbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notice on its way to one channel; its id stays the same however often it is tried."""

    id: str
    channel: str
    queued_at: float
    attempts: int
    notice: Notice


class Outbox:
    """The file; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make it; raise OutboxFault."""
        self._path = path
        try:
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=BUSY_S
            )
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise OutboxFault(
                f"{path}: cannot be used ({error}); moved away, it is made anew, and what was not delivered is lost"
            ) from error

    def put(self, delivery: Delivery) -> list[Delivery]:
        """Add one, and return those of its channel that gave way to it; raise OutboxFault."""

        def work() -> list[Delivery]:
            self._connection.execute(
                "INSERT INTO outbox (id, channel, queued_at, attempts, notice) VALUES (?, ?, ?, ?, ?)",
                (
                    delivery.id,
                    delivery.channel,
                    delivery.queued_at,
                    delivery.attempts,
                    json.dumps(delivery.notice.to_json()),
                ),
            )
            past = "SELECT number FROM outbox WHERE channel = ? ORDER BY number DESC LIMIT -1 OFFSET ?"
            gone = self._select(f"number IN ({past})", delivery.channel, MAX_ROWS)
            for one in gone:
                self._connection.execute("DELETE FROM outbox WHERE id = ?", (one.id,))
            return gone

        return self._do(work)

    def oldest(self, channel: str) -> Delivery | None:
        """Return what is next for a channel; raise OutboxFault."""
        found = self._do(lambda: self._select("channel = ? ORDER BY number LIMIT 1", channel))
        return found[0] if found else None

    def tried(self, delivery: Delivery) -> None:
        """Note one more attempt without success; raise OutboxFault."""
        self._do(
            lambda: self._connection.execute(
                "UPDATE outbox SET attempts = attempts + 1 WHERE id = ?", (delivery.id,)
            )
        )

    def done(self, delivery: Delivery) -> None:
        """Forget one; raise OutboxFault."""
        self._do(lambda: self._connection.execute("DELETE FROM outbox WHERE id = ?", (delivery.id,)))

    def waiting(self) -> dict[str, int]:
        """Return how many wait for each channel that any wait for; raise OutboxFault."""
        counted = "SELECT channel, count(*) FROM outbox GROUP BY channel"
        return self._do(lambda: dict(self._connection.execute(counted).fetchall()))

    def keep_only(self, channels: Collection[str]) -> list[Delivery]:
        """Forget what is for channels that are no more, and return it; raise OutboxFault."""

        def work() -> list[Delivery]:
            gone = [one for one in self._select("true") if one.channel not in channels]
            for one in gone:
                self._connection.execute("DELETE FROM outbox WHERE id = ?", (one.id,))
            return gone

        return self._do(work)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _select(self, where: str, *values: object) -> list[Delivery]:
        rows = self._connection.execute(
            f"SELECT id, channel, queued_at, attempts, notice FROM outbox WHERE {where}",  # noqa: S608 - ours
            values,
        )
        return [
            Delivery(
                id=row[0],
                channel=row[1],
                queued_at=row[2],
                attempts=row[3],
                notice=Notice.from_json(json.loads(row[4])),
            )
            for row in rows
        ]

    def _do(self, work: Callable[[], T]) -> T:
        """Run something in a transaction of its own."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            result = work()
            self._connection.execute("COMMIT")
        except (sqlite3.Error, ValueError, TypeError, LookupError) as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise OutboxFault(f"{self._path}: cannot be used: {error}") from error
        return result
