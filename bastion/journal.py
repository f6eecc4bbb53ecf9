"""Write the journal: one line per thing worth telling, to standard error, nothing in it acting on a terminal.

Out     `TIME LEVEL name: text`, TIME in UTC (RFC 3339), and `name[N]` for worker N; audit heads as
        `audit head=SEQ:HASH kind=KIND`
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from recorder.audit import Entry
from recorder.terminal import plain

log = logging.getLogger("bastion.audit")


class JournalFormatter(logging.Formatter):
    """Formats a record; control characters that came from outside are written as escapes."""

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._by = "" if worker is None else f"[{worker}]"

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = f"{at.replace('+00:00', 'Z')} {record.levelname.lower()} {record.name}{self._by}"
        text = f"{head}: {plain(record.getMessage())}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def open_journal(worker: int | None = None) -> None:
    """Send the journal to standard error, each line with the worker's number; libraries from warnings up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JournalFormatter(worker))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("bastion").setLevel(logging.INFO)
    logging.getLogger("asyncssh").setLevel(logging.ERROR)


def journal_entry(entry: Entry) -> None:
    """Tell of a new head of the audit chain: a witness outside the database (law L8)."""
    session = entry.detail.get("session")
    about = f" session={session}" if session else ""
    log.info("audit head=%s kind=%s%s", entry.head, entry.kind, about)
