"""Answer what waits for an approval, from the bastion's own machine: approvals, approve, deny.

The running bastion serves these itself, over SSH as well; here are only the words and what it prints.

In      command lines; a socket, by the configuration or by its path
Out     what the bastion says; its exit status
Errors  OperatorError: nobody answers at the socket
Source  docs/approvals.md
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bastion.cli.approval_history import history, history_objects, history_table
from bastion.cli.door import Door, config_option, open_evidence, read_config
from bastion.cli.times import since_us
from bastion.clock import Clock
from bastion.errors import OperatorError
from recorder.audit import AuditError

F = TypeVar("F", bound=Callable[..., Any])


def _socket_option(command: F) -> F:
    return click.option(
        "--socket",
        "socket_path",
        metavar="PATH",
        type=click.Path(path_type=Path),
        help="The bastion's socket, for users who may not read its configuration.",
    )(command)


@click.command(short_help="List the statements that wait for an approval.")
@config_option
@_socket_option
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
    _ask(door, config_file, socket_path, words)


@click.command(short_help="Let a statement run that waits.")
@click.argument("hold", metavar="ID")
@config_option
@_socket_option
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
    _ask(door, config_file, socket_path, words)


@click.command(short_help="Refuse a statement that waits.")
@click.argument("hold", metavar="ID")
@config_option
@_socket_option
@click.option("--reason", required=True, help="Why; the bot is told.")
@click.pass_obj
def deny(door: Door, hold: str, config_file: Path | None, socket_path: Path | None, reason: str) -> None:
    """Refuse a statement that waits, and tell the bot why."""
    _ask(door, config_file, socket_path, ["deny", f"--reason={reason}", "--", hold])


def _given(filters: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in filters.items() if value}


def _ask(door: Door, config_file: Path | None, given: Path | None, words: list[str]) -> None:
    """Have the bastion serve the words, print what it says, and end with its status."""
    if door.remote:
        raise click.UsageError("over SSH the running bastion serves this itself")
    path = given
    if path is None:
        path = read_config(door, config_file).bastion.socket
    if path is None:
        raise OperatorError(
            "this bastion has no socket for approvals: set bastion.socket, or use ssh BASTION approvals"
        )
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(json.dumps({"words": words}).encode() + b"\n")
            with sock.makefile("rb") as lines:
                for line in lines:
                    _print(json.loads(line))
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise OperatorError(f"{path}: the bastion does not answer: {said}") from error
    raise OperatorError(f"{path}: the bastion hung up without an answer")


def _print(said: dict[str, Any]) -> None:
    if "exit" in said:
        raise click.exceptions.Exit(said["exit"])
    click.echo(said.get("out", said.get("err", "")), nl=False, err="err" in said)


COMMANDS = (approvals, approve, deny)
