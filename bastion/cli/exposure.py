"""Say what sensitive data sessions saw: what was masked of it, and what passed.

In      the counts that each session's row has (recorder.summary)
Out     a table for people, JSON for machines: hits masked and passed, sessions and bytes, by who, where or what
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from bastion.cli.door import Door
from bastion.cli.sources import config_option, open_evidence
from bastion.cli.tables import table
from bastion.cli.times import since_us
from bastion.clock import Clock
from recorder.evidence import Filter, SessionRow
from recorder.terminal import plain

PASSES = "detect"  # the action that lets a value through
CONTENTS = ("clean", "hit", "unread", "stopped")
BY = ("identity", "owner", "target", "detector", "session")


@dataclass(slots=True)
class Count:
    """What was counted for one identity, target, detector or session."""

    masked: int = 0
    passed: int = 0
    sessions: set[str] = field(default_factory=set)
    bytes_out: int = 0
    detectors: dict[str, dict[str, int]] = field(default_factory=dict)
    files: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, row: SessionRow, exposure: Mapping[str, Mapping[str, int]]) -> None:
        """Take one session in, with the hits that count here."""
        if row.id not in self.sessions:
            self.sessions.add(row.id)
            self.bytes_out += row.bytes_out
            for way, counts in row.files.items():
                added = self.files.setdefault(way, {})
                for content, count in counts.items():
                    added[content] = added.get(content, 0) + count
        for detector, actions in exposure.items():
            for action, hits in actions.items():
                passed = action == PASSES
                self.passed += hits if passed else 0
                self.masked += 0 if passed else hits
                found = self.detectors.setdefault(detector, {"masked": 0, "passed": 0})
                found["passed" if passed else "masked"] += hits


def counted(rows: Sequence[SessionRow], by: str) -> dict[str, Count]:
    """Return the counts by identity, owner, target, detector or session, the most passed first."""
    counts: dict[str, Count] = {}
    for row in rows:
        for key, exposure in _shares(row, by):
            counts.setdefault(key, Count()).add(row, exposure)
    return dict(sorted(counts.items(), key=lambda item: (-item[1].passed, -item[1].masked, item[0])))


def _shares(row: SessionRow, by: str) -> Iterator[tuple[str, Mapping[str, Mapping[str, int]]]]:
    if by == "detector":
        for detector, actions in row.exposure.items():
            yield detector, {detector: actions}
    else:
        yield row.id if by == "session" else getattr(row, by), row.exposure


@click.command(short_help="What sensitive data sessions saw: masked, and passed.")
@config_option
@click.option("--since", metavar="TIME", help="Only sessions begun since: 90m, 24h, 7d, or 2026-11-23T08:00.")
@click.option("--by", type=click.Choice(BY), default="identity", show_default=True, help="Add up by this.")
@click.option("--identity", help="Only sessions of this identity.")
@click.option("--target", help="Only sessions on this target.")
@click.option("--json", "as_json", is_flag=True, help="Print one array of objects.")
@click.pass_obj
def exposure(
    door: Door,
    config_file: Path | None,
    since: str | None,
    by: str,
    identity: str | None,
    target: str | None,
    as_json: bool,
) -> None:
    """Say what sensitive data sessions saw: how often something was masked, and how often it passed.

    What counts are the detectors that [[mask]] rules of the policy name for a session; where no rule named any,
    nothing was looked for, and a 0 says nothing. Files out are those by sftp and scp, and streams of rsync and git:
    clean, with a hit that may pass, unread (nothing was looked for, or it could not be read), or stopped.
    """
    wanted = Filter(
        identity=identity, target=target, since_us=since_us(since, Clock().now_us()) if since else None
    )
    filters = {"by": by, "since": since, "identity": identity, "target": target}
    evidence = open_evidence(door, config_file, "exposure", filters={k: v for k, v in filters.items() if v})
    counts = counted(evidence.sessions(wanted), by)
    if as_json:
        click.echo(json.dumps([_object(by, key, count) for key, count in counts.items()], indent=2))
    else:
        click.echo(_table(by, counts))


def _object(by: str, key: str, count: Count) -> dict[str, Any]:
    return {
        by: key,
        "masked": count.masked,
        "passed": count.passed,
        "sessions": len(count.sessions),
        "bytes_out": count.bytes_out,
        "detectors": count.detectors,
        "files": count.files,
    }


def _table(by: str, counts: Mapping[str, Count]) -> str:
    if not counts:
        return "no sessions"
    rows = [
        (
            plain(key),
            count.passed,
            count.masked,
            len(count.sessions),
            count.bytes_out,
            files_text(count.files.get("files out", {})),
            plain(", ".join(sorted(count.detectors))) if by != "detector" else "",
        )
        for key, count in counts.items()
    ]
    headers = (by, "passed", "masked", "sessions", "bytes out", "files out", "what")
    return table(rows, headers)


def exposure_text(exposure: Mapping[str, Mapping[str, int]]) -> str:
    """Return one session's exposure in words: `aws-access-key 2 masked; email 1 passed`."""
    parts = []
    for detector, actions in sorted(exposure.items()):
        passed = actions.get(PASSES, 0)
        masked = sum(actions.values()) - passed
        told = [f"{masked} masked"] if masked else []
        told += [f"{passed} passed"] if passed else []
        parts.append(f"{detector} {', '.join(told)}")
    return "; ".join(parts) or "nothing was found of what the policy looks for"


def limits_text(limits: Mapping[str, Mapping[str, int]]) -> str:
    """Return what limits have counted in one session: `no-bulk 1,048,576 bytes`."""
    counted = [
        f"{limit} {count:,} {measure}"
        for limit, counts in sorted(limits.items())
        for measure, count in counts.items()
    ]
    return "; ".join(counted)


def files_text(counts: Mapping[str, int]) -> str:
    """Return how many files went one way, by what their content was: `2 clean, 1 unread`."""
    told = [f"{counts[content]} {content}" for content in CONTENTS if counts.get(content)]
    return ", ".join(told) or "none"
