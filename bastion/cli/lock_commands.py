"""Lock and unlock from the bastion's own machine: lock, unlock, locks.

The running bastion serves these itself, over SSH as well. Where none runs they are served here, on the evidence store,
so that the next one begins with the locks.

In      command lines; a socket; or the configuration of a bastion that does not run
Out     what is said; the exit status
Errors  OperatorError
Source  docs/locks.md
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from bastion.cli import running
from bastion.cli.door import Door, user
from bastion.cli.sources import config_option, read_config
from bastion.errors import OperatorError, ServeError
from bastion.holds.callers import Caller
from bastion.locks.lock import Kind
from bastion.settings import Config


@click.command(short_help="Stop an identity, a person, a target, a session or a run, now.")
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@click.argument("name")
@config_option
@running.socket_option
@click.option("--reason", required=True, help="Why, for the record; who runs into the lock is not told.")
@click.option("--for", "for_time", metavar="TIME", help="How long, such as 2h; else until unlocked.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
@click.pass_obj
def lock(
    door: Door,
    kind: str,
    name: str,
    config_file: Path | None,
    socket_path: Path | None,
    reason: str,
    for_time: str | None,
    as_json: bool,
) -> None:
    """Stop an identity, a person with all that they own, a target, a session or a run, now.

    A session is named by its id or how that begins, a run as in its certificate: IDENTITY/RUN.

    \b
    Over SSH, with the certificate of a responder:
      ssh bastion lock identity orders-deployer --reason "'token in a public log'"
    """
    options = [*([f"--for={for_time}"] if for_time else []), *(["--json"] if as_json else [])]
    _serve(door, config_file, socket_path, ["lock", f"--reason={reason}", *options, "--", kind, name])


@click.command(short_help="Lift a lock.")
@click.argument("name", metavar="ID")
@config_option
@running.socket_option
@click.option("--reason", default="", help="Why, for the record.")
@click.pass_obj
def unlock(door: Door, name: str, config_file: Path | None, socket_path: Path | None, reason: str) -> None:
    """Lift a lock: what it stopped may start again.

    `bastion locks` lists the ids. What the lock ended stays ended.
    """
    _serve(door, config_file, socket_path, ["unlock", f"--reason={reason}", "--", name])


@click.command(short_help="List the locks in force.")
@config_option
@running.socket_option
@click.option("--json", "as_json", is_flag=True, help="Print one array of objects.")
@click.pass_obj
def locks(door: Door, config_file: Path | None, socket_path: Path | None, as_json: bool) -> None:
    """List the locks in force, the newest last."""
    _serve(door, config_file, socket_path, ["locks", *(["--json"] if as_json else [])])


def _serve(door: Door, config_file: Path | None, given: Path | None, words: list[str]) -> None:
    """Have the running bastion serve the words, or do it here where none runs; end with the exit status."""
    if door.remote or given is not None:
        running.ask(door, config_file, given, words)
    config = read_config(door, config_file)
    if config.bastion.socket is not None:
        try:
            running.ask_at(config.bastion.socket, words)
        except running.NotRunning as error:
            click.echo(f"bastion: {error}; the locks are read and written without it", err=True)
    try:
        status = asyncio.run(_serve_here(config, words))
    except ServeError as error:
        if config.bastion.socket is None:
            raise OperatorError(
                f"{error}, and it has no socket: set bastion.socket, or use ssh BASTION {words[0]}"
            ) from error
        raise
    raise click.exceptions.Exit(status)


async def _serve_here(config: Config, words: list[str]) -> int:
    from bastion.premises import Premises  # takes its time, and only this needs it

    premises = Premises(config)
    try:
        premises.recover()
        uid = os.getuid()
        caller = Caller(how=f"{user()} on the bastion itself, which did not run", uid=uid)
        return await premises.tree().serve(caller, words, _Terminal())
    finally:
        await premises.close()


class _Terminal:
    """Whoever runs the command."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def write(self, text: str, *, error: bool = False) -> None:
        click.echo(text, nl=False, err=error)

    async def live(self) -> None:
        return None  # nothing waits where nothing runs


COMMANDS = (lock, unlock, locks)
