"""Turn what evidence says into tables, text and JSON; text from a session never acts on the reader's terminal.

In      SessionRow, events, Report
Out     str for people, plain objects for JSON
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

from bastion.cli.exposure import exposure_text, files_text, limits_text
from bastion.cli.tables import table
from bastion.cli.times import iso, lasted, short
from recorder.events import Event, Kind
from recorder.evidence import SessionRow
from recorder.output import streamed
from recorder.terminal import plain
from recorder.verify import Problem, Report

RUN_CHARS = 40


def session_object(row: SessionRow) -> dict[str, Any]:
    """Return one session as `sessions --json` prints it: these fields, which others rely on."""
    return {
        "id": row.id,
        "state": row.state,
        "identity": row.identity,
        "owner": row.owner,
        "target": row.target,
        "login": row.login,
        "access": row.access,
        "started_at": iso(row.started_us),
        "ended_at": iso(row.ended_us),
        "exit_status": row.exit_status,
        "bytes_in": row.bytes_in,
        "bytes_out": row.bytes_out,
        "claims": dict(row.claims),
        "exposure": {name: dict(counts) for name, counts in row.exposure.items()},
        "limits": {name: dict(counts) for name, counts in row.limits.items()},
        "file_counts": {way: dict(counts) for way, counts in row.files.items()},
        "sealed": row.sealed,
    }


def session_table(rows: list[SessionRow]) -> str:
    """Return the sessions as a table for people."""
    if not rows:
        return "no sessions"
    cells = [
        (
            plain(row.id),
            short(row.started_us),
            lasted(row.started_us, row.ended_us),
            plain(row.identity),
            plain(f"{row.login}@{row.target}"),
            plain(row.access),
            _result(row),
            _size(row.bytes_in),
            _size(row.bytes_out),
            plain(_run(row))[:RUN_CHARS],
        )
        for row in rows
    ]
    headers = ("session", "started (UTC)", "took", "identity", "on", "access", "result", "in", "out", "run")
    return table(cells, headers)


def header(row: SessionRow) -> dict[str, Any]:
    """Return what an export says of the session as a whole."""
    return {**whole_object(row), "started_us": row.started_us}


def whole_object(row: SessionRow) -> dict[str, Any]:
    """Return all that is known of a session without its events."""
    return {**session_object(row), "exit_signal": row.exit_signal, "end_reason": row.end_reason}


def session_details(row: SessionRow, events: Iterable[Event]) -> dict[str, Any]:
    """Return one session with its requests, verdicts, files and refusals."""
    certificate: dict[str, Any] = {}
    peer = ""
    told: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    streams: dict[tuple[int, str], dict[str, Any]] = {}
    for event in events:
        at = f"{event.at_us / 1_000_000:.6f}"
        if event.kind is Kind.OPEN:
            certificate, peer = event.detail["certificate"], event.detail["peer"]
        elif event.kind is Kind.REQUEST:
            text = event.data.decode("utf-8", "backslashreplace")
            told.append({"at_s": at, "channel": event.channel, "request": text, **event.detail})
        elif event.kind in (Kind.VERDICT, Kind.HOLD, Kind.EXIT, Kind.REFUSED):
            told.append({"at_s": at, "channel": event.channel, "event": event.kind.value, **event.detail})
        elif event.kind is Kind.STATEMENT and (
            event.detail.get("verdict") != "allow" or event.detail.get("warn")
        ):
            text = event.data.decode("utf-8", "backslashreplace").strip()
            judged = {
                key: event.detail.get(key) for key in ("verdict", "rules", "reason", "severity", "attack")
            }
            told.append(
                {"at_s": at, "channel": event.channel, "event": "statement", "statement": text, **judged}
            )
        elif event.kind is Kind.NOTICE:
            text = event.data.decode("utf-8", "backslashreplace").strip()
            told.append({"at_s": at, "channel": event.channel, "event": "notice", "text": text})
        elif event.kind is Kind.FILE and event.detail.get("op") not in ("progress", "open", "list"):
            files.append({"at_s": at, "channel": event.channel, **event.detail})
        elif event.kind is Kind.DIGEST:  # of the running ones only the last counts
            streams[event.channel, event.detail["stream"]] = {"at_s": at, **_stream(event)}
    files += streams.values()
    shown = whole_object(row)
    return {**shown, "peer": peer, "certificate": certificate, "events": told, "files": files}


def details_text(shown: dict[str, Any]) -> str:
    """Return session_details for people."""
    sealed = "sealed" if shown["sealed"] else "not sealed"
    lines = [f"session   {plain(shown['id'])}   {shown['state']}, {sealed}"]
    pairs = [
        ("who", f"{shown['identity']}, owned by {shown['owner']}"),
        ("where", f"{shown['login']}@{shown['target']}, from {shown['peer']}"),
        ("when", f"{shown['started_at']} to {shown['ended_at'] or 'now'}"),
        ("ended", shown["end_reason"] or "not yet"),
        ("moved", f"{shown['bytes_in']} bytes in, {shown['bytes_out']} bytes out"),
        ("exposed", exposure_text(shown["exposure"])),
        *([("limits", limits_text(shown["limits"]))] if shown["limits"] else []),
        *(
            (way, f"{files_text(counts)}; {counts['bytes']} bytes")
            for way, counts in shown["file_counts"].items()
        ),
        ("key", f"{shown['certificate'].get('key')}, certificate {shown['certificate'].get('key_id')}"),
    ]
    lines += [f"{name:<9} {plain(str(value))}" for name, value in pairs]
    lines += ["claims"] + [
        f"  {plain(key):<14} {plain(value)}" for key, value in sorted(shown["claims"].items())
    ]
    lines += ["what happened"] + [f"  {_happening(entry)}" for entry in shown["events"]]
    if shown["files"]:
        lines += ["files"] + [f"  {_file(entry)}" for entry in shown["files"]]
    return "\n".join(lines)


def event_lines(row: SessionRow, events: Iterable[Event]) -> Iterator[bytes]:
    """Yield an exact export: a line with the session, then a line for each event (data as UTF-8 or base64)."""
    yield json.dumps({"session": whole_object(row)}).encode() + b"\n"
    for event in events:
        line: dict[str, Any] = {"at_us": event.at_us, "kind": event.kind.value, "channel": event.channel}
        if event.data:
            try:
                line["text"] = event.data.decode("utf-8")
            except UnicodeDecodeError:
                line["base64"] = base64.b64encode(event.data).decode()
        if event.detail:
            line["detail"] = event.detail
        yield json.dumps(line).encode() + b"\n"


def report_object(report: Report) -> dict[str, Any]:
    """Return a verification as `verify --json` prints it."""

    def listed(found: list[Problem]) -> list[dict[str, str]]:
        return [{"where": problem.where, "what": problem.what} for problem in found]

    return {
        "ok": not report.problems,
        "problems": listed(report.problems),
        "notes": listed(report.notes),
        "sessions": report.sessions,
        "chunks": report.chunks,
        "events": report.events,
        "audit_entries": report.entries,
        "head": report.head,
    }


def report_text(report: Report) -> str:
    """Return a verification for people."""
    lines = [f"BROKEN {plain(problem.where)}: {plain(problem.what)}" for problem in report.problems]
    lines += [f"note   {plain(problem.where)}: {plain(problem.what)}" for problem in report.notes]
    lines.append(
        f"{report.sessions} sessions, {report.chunks} chunks, {report.events} events,"
        f" {report.entries} audit entries checked; head {report.head}"
    )
    broken = len(report.problems)
    lines.append("everything holds" if not broken else f"{broken} problem{'s' if broken > 1 else ''} found")
    return "\n".join(lines)


def _result(row: SessionRow) -> str:
    if row.state != "closed":
        return row.state
    if row.exit_signal is not None:
        return plain(f"SIG{row.exit_signal}")
    return "no status" if row.exit_status is None else f"exit {row.exit_status}"


def _run(row: SessionRow) -> str:
    claims = row.claims
    return claims.get("run_id") or claims.get("pod") or claims.get("sub") or ""


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f}{unit}" if unit == "B" else f"{size:.1f}{unit}"
        size /= 1024
    return f"{size:.1f}GiB"


def _happening(entry: dict[str, Any]) -> str:
    start = f"+{entry['at_s']}s #{entry['channel']}"
    if "request" in entry:
        pty = f" with a terminal {entry['cols']}x{entry['rows']}" if entry["pty"] else ""
        return f"{start} {entry['type']}{pty}: {plain(entry['request'])}"
    detail = {key: value for key, value in entry.items() if key not in ("at_s", "channel", "event")}
    said = ", ".join(f"{key} {_value(value)}" for key, value in detail.items() if value not in (None, "", []))
    return f"{start} {entry['event']}: {said}"


def _file(entry: dict[str, Any]) -> str:
    if entry["op"] == "stream":
        return f"+{entry['at_s']}s #{entry['channel']} {entry['what']} sha256 {entry['sha256']}"
    if entry["op"] == "close":
        whole = "" if entry.get("complete", True) else ", NOT COMPLETE"
        content = str(entry.get("content", ""))
        if content == "unread":
            content += f" ({entry.get('unread', '')})"
        whole += f", {plain(content)}" if content else ""
        return (
            f"+{entry['at_s']}s #{entry['channel']} {entry['direction']} {plain(str(entry['path']))}"
            f" {entry['length']} bytes sha256 {entry['sha256']}{whole}"
        )
    to = f" to {plain(str(entry['to']))}" if entry.get("to") else ""
    path = plain(str(entry.get("path", "")))
    return f"+{entry['at_s']}s #{entry['channel']} {entry['op']} {path}{to}: {entry.get('status')}"


def _stream(event: Event) -> dict[str, Any]:
    detail = event.detail
    told = {"channel": event.channel, "op": "stream", "what": streamed(event)}
    return {**told, **detail}


def _value(value: Any) -> str:
    return plain(", ".join(map(str, value)) if isinstance(value, list) else str(value))
