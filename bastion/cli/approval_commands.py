"""Answer what waits for an approval, from the bastion's own machine: approvals, approve, deny.

The running bastion serves these itself, over SSH as well; here are only the words and what it prints.

In      command lines; a socket, by the configuration or by its path
Out     what the bastion says; its exit status
Errors  OperatorError: nobody answers at the socket
Source  docs/approvals.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from bastion.cli import running
from bastion.cli.approval_history import history, history_objects, history_table
from bastion.cli.door import Door
from bastion.cli.sources import config_option, open_evidence
from bastion.cli.times import since_us
from bastion.clock import Clock
from bastion.errors import OperatorError
from recorder.audit import AuditError


@click.command(short_help="List the statements that wait for an approval.")
@config_option
@running.socket_option
@click.option("--json", "as_json", is_flag=True, help="Print one array of objects.")
@click.option("--follow", is_flag=True, help="Go on with a line for each step; with --json an object.")
@click.option(
    "--history", "past", is_flag=True, help="Those that have waited, from the audit chain; see below."
)
@click.option(
    "--since", metavar="TIME", help="With --history: asked since 90m, 24h, 7d, or 2026-11-23T08:00."
)
@click.option("--identity", help="With --history: of this identity.")
@click.option("--person", help="With --history: answered by this person.")
@click.pass_obj
def approvals(
    door: Door,
    config_file: Path | None,
    socket_path: Path | None,
    as_json: bool,
    follow: bool,
    past: bool,
    since: str | None,
    identity: str | None,
    person: str | None,
) -> None:
    """List the statements that wait for an approval, the newest last; with --history what became of them.

    On a terminal, without --json, --follow or --history, this is a live screen on which to answer as well.

    The history is evidence: reading it takes what reading sessions takes, and is recorded.

    \b
    Over SSH, with the certificate of a person:
      ssh bastion approvals
    """
    if past:
        filters = {"since": since, "identity": identity, "person": person}
        evidence = open_evidence(door, config_file, "approvals --history", filters=_given(filters))
        since_at = since_us(since, Clock().now_us()) if since else None
        try:
            found = history(evidence.audit(), since_us=since_at, identity=identity, person=person)
        except AuditError as error:
            raise OperatorError(f"{error}; `bastion verify --all` says more") from error
        click.echo(json.dumps(history_objects(found), indent=2) if as_json else history_table(found))
        return
    if since or identity or person:
        raise click.UsageError("--since, --identity and --person go with --history")
    words = ["approvals", *(["--json"] if as_json else []), *(["--follow"] if follow else [])]
    if not as_json and not follow and not door.remote and sys.stdin.isatty() and sys.stdout.isatty():
        running.show(door, config_file, socket_path, words)
    running.ask(door, config_file, socket_path, words)


@click.command(short_help="Let a statement run that waits.")
@click.argument("hold", metavar="ID")
@config_option
@running.socket_option
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--for-session", is_flag=True, help="Let the same statement run until its session ends.")
@click.pass_obj
def approve(
    door: Door,
    hold: str,
    config_file: Path | None,
    socket_path: Path | None,
    reason: str,
    for_session: bool,
) -> None:
    """Let a statement run that waits: once, and exactly it."""
    words = ["approve", *(["--for-session"] if for_session else []), f"--reason={reason}", "--", hold]
    running.ask(door, config_file, socket_path, words)


@click.command(short_help="Refuse a statement that waits.")
@click.argument("hold", metavar="ID")
@config_option
@running.socket_option
@click.option("--reason", required=True, help="Why; the bot is told.")
@click.pass_obj
def deny(door: Door, hold: str, config_file: Path | None, socket_path: Path | None, reason: str) -> None:
    """Refuse a statement that waits, and tell the bot why."""
    running.ask(door, config_file, socket_path, ["deny", f"--reason={reason}", "--", hold])


def _given(filters: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in filters.items() if value}


COMMANDS = (approvals, approve, deny)
