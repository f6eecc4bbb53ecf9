"""Read what limits have counted in the sessions of one identity lately, from the rows that lists show.

In      the evidence database, while others write to it; whose sessions, and since when
Out     Counted, one for each limit of each session
Errors  StoreError
Source  recorder.summary
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.errors import StoreError
from recorder.evidence import open_readonly
from recorder.summary import LIMIT_PREFIX, split_exposure

_ROWS = """\
SELECT id, exposure FROM sessions
WHERE identity = ? AND started_us >= ? AND (ended_us IS NULL OR ended_us >= ?) AND instr(exposure, ?) > 0"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one limit has counted in one session so far, by measure."""

    session: str
    limit: str
    counts: dict[str, int]


def counted(path: Path, identity: str, *, begun_us: int, since_us: int) -> Iterator[Counted]:
    """Yield what limits counted in sessions that began after `begun_us` and had not ended by `since_us`."""
    connection = open_readonly(path, live=True)
    try:
        rows = connection.execute(_ROWS, (identity, begun_us, since_us, f'"{LIMIT_PREFIX}')).fetchall()
        for session, exposure in rows:
            _detectors, limits, _files = split_exposure(json.loads(exposure))
            for limit, counts in limits.items():
                yield Counted(
                    session=session, limit=limit, counts={measure: int(n) for measure, n in counts.items()}
                )
    except (sqlite3.Error, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"{path}: what limits have counted cannot be read: {error}") from error
    finally:
        connection.close()
