"""Read and show times as people write them.

Source  RFC 3339
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

_AGO = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def since_us(text: str, now_us: int) -> int:
    """Return microseconds since 1970 for `24h` (ago) or an RFC 3339 date or time; raise UsageError."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now_us - int(ago[1]) * _SECONDS[ago[2]] * 1_000_000
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(
            f"--since {text}: expected 90m, 24h, 7d, or a time like 2026-11-23T08:00"
        ) from error
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def iso(us: int | None) -> str | None:
    """Return a time in microseconds since 1970 as RFC 3339, in UTC."""
    if us is None:
        return None
    return (
        datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{us % 1_000_000:06d}Z"
    )


def short(us: int | None) -> str:
    """Return a time for a table: to the second, in UTC."""
    return "" if us is None else datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def lasted(started_us: int, ended_us: int | None) -> str:
    """Return how long a session took, for a table."""
    if ended_us is None:
        return ""
    seconds = (ended_us - started_us) / 1_000_000
    if seconds < 60:
        return f"{seconds:.1f}s"
    return f"{int(seconds) // 60}m{int(seconds) % 60:02d}s"
