"""Read evidence back: sessions, show, replay, export, verify; the same on the bastion and over SSH.

In      command lines
Out     tables for people, JSON for machines; whatever came from a session is escaped or filtered (T45)
Errors  RecorderError, OperatorError, turned into lines by cli.main
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from bastion.cli import present
from bastion.cli.door import Door
from bastion.cli.exposure import exposure
from bastion.cli.replay import play
from bastion.cli.sources import config_option, open_evidence, public_keys, read_config
from bastion.cli.times import since_us
from bastion.clock import Clock
from bastion.errors import OperatorError
from bastion.keyring import load_key_set
from recorder.cast import write_cast
from recorder.chunk import ChunkError
from recorder.errors import UnknownSession
from recorder.events import Event
from recorder.evidence import Evidence, Filter, SessionRow
from recorder.player import Player
from recorder.seal import KeySet
from recorder.transcript import transcript
from recorder.verify import Report, parse_head
from recorder.verify import verify as verify_evidence

ID_CHARS = 26  # of a whole ULID
FORMATS = ("asciicast-v2", "asciicast-v3", "text", "json")


@click.command(short_help="List sessions: who, where, when, what came of it.")
@config_option
@click.option("--identity", help="Only sessions of this identity.")
@click.option("--owner", help="Only sessions of identities that this person owns.")
@click.option("--target", help="Only sessions on this target.")
@click.option(
    "--claim", "claims", multiple=True, metavar="KEY=VALUE", help="Only with this claim, e.g. run_id=42."
)
@click.option("--since", metavar="TIME", help="Only begun since: 90m, 24h, 7d, or 2026-11-23T08:00.")
@click.option(
    "--state", type=click.Choice(["active", "closed", "interrupted", "damaged"]), help="Only in this state."
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print one array of objects.")
@click.pass_obj
def sessions(
    door: Door,
    config_file: Path | None,
    identity: str | None,
    owner: str | None,
    target: str | None,
    claims: tuple[str, ...],
    since: str | None,
    state: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List sessions: who, where, how, when, and what came of it."""
    wanted_claims: dict[str, str] = {}
    for claim in claims:
        key, equals, value = claim.partition("=")
        if not equals:
            raise click.UsageError(f"--claim {claim}: expected KEY=VALUE")
        wanted_claims[key] = value
    wanted = Filter(
        identity=identity,
        owner=owner,
        target=target,
        state=state,
        since_us=since_us(since, Clock().now_us()) if since else None,
        claims=wanted_claims,
        limit=limit,
    )
    filters = {
        "identity": identity,
        "owner": owner,
        "target": target,
        "claims": wanted_claims,
        "since": since,
    }
    evidence = open_evidence(door, config_file, "sessions", filters={k: v for k, v in filters.items() if v})
    found = evidence.sessions(wanted)
    if as_json:
        click.echo(json.dumps([present.session_object(row) for row in found], indent=2))
    else:
        click.echo(present.session_table(found))


@click.command(short_help="Show one session in detail.")
@click.argument("session", metavar="ID")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
@click.pass_obj
def show(door: Door, session: str, config_file: Path | None, as_json: bool) -> None:
    """Show one session: who, with which run and certificate; each request, its verdict, files and end.

    The beginning of an id is enough.
    """
    evidence, row = _session(door, config_file, "show", session)
    shown = present.session_details(row, _checked(evidence, row))
    click.echo(json.dumps(shown, indent=2) if as_json else present.details_text(shown))


@click.command(short_help="Play a session back in the terminal.")
@click.argument("session", metavar="ID")
@config_option
@click.option(
    "--speed",
    type=click.FloatRange(0, 64),
    help="1 is real time, 0 without waiting.  [default: 1 in a terminal, else 0]",
)
@click.option(
    "--idle-limit",
    type=click.FloatRange(0),
    default=2.0,
    show_default=True,
    help="Longest pause, in seconds.",
)
@click.option(
    "--from", "start", metavar="N|TEXT", help="Begin at the Nth command, or the first that has TEXT in it."
)
@click.pass_obj
def replay(
    door: Door,
    session: str,
    config_file: Path | None,
    speed: float | None,
    idle_limit: float,
    start: str | None,
) -> None:
    """Play a session back in the terminal.

    Keys: space pauses, . steps, n goes to the next command, + and - change the speed, q leaves. What would act
    on your terminal beyond drawing (clipboard, title, queries) is not played.
    """
    evidence, row = _session(door, config_file, "replay", session)
    terminal = door.terminal or sys.stdout.isatty()
    chosen = speed if speed is not None else (1.0 if terminal else 0.0)
    begin = int(start) if start is not None and re.fullmatch("[0-9]{1,9}", start) else start
    try:
        player = Player(
            _checked(evidence, row), speed=chosen, idle_limit_s=idle_limit, start=begin, styled=terminal
        )
    except ValueError as error:  # nan is in no range
        raise click.UsageError(str(error)) from error
    keys = door.terminal or (terminal and sys.stdin.isatty())
    play(player, keys=keys, terminal=terminal, raw=door.terminal)


@click.command(short_help="Write a session out: asciicast, text or JSON.")
@click.argument("session", metavar="ID")
@config_option
@click.option("--format", "form", type=click.Choice(FORMATS), default="asciicast-v2", show_default=True)
@click.option(
    "--output", "output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file."
)
@click.pass_obj
def export(door: Door, session: str, config_file: Path | None, form: str, output: Path | None) -> None:
    """Write a session out: for asciinema's players, as text to read, or as exact JSON events."""
    if door.remote and output is not None:
        raise click.UsageError("--output cannot be given over SSH; redirect the output instead")
    evidence, row = _session(door, config_file, "export", session, format=form)
    events = _checked(evidence, row)
    lines: Iterator[bytes]
    header = present.header(row)
    match form:
        case "text":
            lines = ((line + "\n").encode() for line in transcript(header, events))
        case "json":
            lines = present.event_lines(row, events)
        case _:
            lines = write_cast(header, events, version=2 if form == "asciicast-v2" else 3)
    try:
        with click.open_file(str(output) if output else "-", "wb") as file:
            for line in lines:
                file.write(line)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise OperatorError(f"{output or 'standard output'}: cannot be written: {error.strerror}") from error


@click.command(short_help="Check that the evidence is whole and genuine.")
@click.argument("session", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="Verify every session, and the database as a whole.")
@config_option
@click.option("--database", type=click.Path(path_type=Path), help="A database file, e.g. a copy; read only.")
@click.option(
    "--keys", "key_file", type=click.Path(path_type=Path), help="The auditors' JWK Set (`bastion keys seal`)."
)
@click.option(
    "--head", metavar="SEQ:HASH", help="An audit head that the journal showed: finds a database cut back."
)
@click.option("--json", "as_json", is_flag=True, help="Print one object: ok, problems, notes, counts, head.")
@click.pass_obj
def verify(
    door: Door,
    session: str | None,
    everything: bool,
    config_file: Path | None,
    database: Path | None,
    key_file: Path | None,
    head: str | None,
    as_json: bool,
) -> None:
    """Check that nothing was altered, removed or reordered; say what broke and where. Exit status 1 if so.

    Works offline on a copied file with public keys alone:

    \b
        bastion verify --all --database copy.sqlite --keys seal.jwks --head SEQ:HASH
    """
    if everything == (session is not None):
        raise click.UsageError("say which: a session's ID, or --all")
    if door.remote and (database is not None or key_file is not None):
        raise click.UsageError("--database and --keys cannot be given over SSH")
    live = database is None
    if database is None or key_file is None:
        config = read_config(door, config_file)
        database = database or config.bastion.database
        keys = load_key_set(key_file) if key_file else public_keys(config)
    else:
        keys = load_key_set(key_file)
    report = verify_evidence(
        database,
        keys,
        session=_named(database, keys, session, live=live) if session is not None else None,
        head=parse_head(head) if head else None,
        live=live,
        progress=_progress(as_json),
    )
    _tell(report, as_json)


def _named(database: Path, keys: KeySet, session: str, *, live: bool) -> str:
    """Return the id that begins so; of a session whose row is gone, the audit chain knows the whole id."""
    evidence = Evidence(database, keys, live=live)
    try:
        return evidence.session(session).id
    except UnknownSession:
        if len(session) < ID_CHARS:
            raise
        return session.upper()
    finally:
        evidence.close()


def _session(
    door: Door, config_file: Path | None, command: str, session: str, **detail: Any
) -> tuple[Evidence, SessionRow]:
    """Find a session by the beginning of its id, and record that it is read."""
    evidence = open_evidence(door, config_file, command, asked_for=session[:64], **detail)
    return evidence, evidence.session(session)


def _checked(evidence: Evidence, row: SessionRow) -> Iterator[Event]:
    """Yield the events of a session; where the recording does not hold, say so and stop."""
    try:
        yield from evidence.events(row.id)
    except ChunkError as error:
        raise OperatorError(
            f"session {row.id}: {error}; what came before it is genuine, nothing after it is shown"
        ) from error


def _progress(as_json: bool) -> Any:
    """Return something that shows how far a long verification is, to a person only."""

    def show(done: int, of: int) -> None:
        if of > 20 and not as_json and sys.stderr.isatty():
            click.echo(f"\r{done}/{of} sessions" + ("\n" if done == of else ""), nl=False, err=True)

    return show


def _tell(report: Report, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(present.report_object(report), indent=2))
    else:
        click.echo(present.report_text(report))
    if report.problems:
        raise click.exceptions.Exit(1)


COMMANDS = (sessions, show, exposure, replay, export, verify)
