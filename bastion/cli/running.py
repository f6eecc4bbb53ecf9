"""Have the running bastion serve a command, over its socket on this machine.

In      words; a socket, by the configuration or by its path
Out     what the bastion says, printed; its exit status
Errors  NotRunning: nobody answers; OperatorError: somebody does, and hangs up
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bastion.cli.door import Door
from bastion.cli.sources import read_config
from bastion.errors import OperatorError

F = TypeVar("F", bound=Callable[..., Any])


class NotRunning(OperatorError):
    """Nobody answers at the socket."""


def socket_option(command: F) -> F:
    """Add --socket PATH."""
    return click.option(
        "--socket",
        "socket_path",
        metavar="PATH",
        type=click.Path(path_type=Path),
        help="The bastion's socket, for users who may not read its configuration.",
    )(command)


def ask(door: Door, config_file: Path | None, given: Path | None, words: list[str]) -> None:
    """Have the bastion serve the words, print what it says, and end with its status."""
    ask_at(_path(door, config_file, given, words), words)


def show(door: Door, config_file: Path | None, given: Path | None, words: list[str]) -> None:
    """Have the bastion serve the words on this terminal, by a live screen, and end with the screen's status."""
    from bastion.approval_screen.terminal import run  # takes its time, and no other command needs it

    path = _path(door, config_file, given, words)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(str(path))
        sock.sendall(json.dumps({"words": words, "terminal": True}).encode() + b"\n")
    except OSError as error:
        sock.close()
        raise NotRunning(f"{path}: the bastion does not answer: {error.strerror or error}") from error
    raise click.exceptions.Exit(run(sock))


def _path(door: Door, config_file: Path | None, given: Path | None, words: list[str]) -> Path:
    """Return the path of the bastion's socket; raise UsageError, OperatorError."""
    if door.remote:
        raise click.UsageError("over SSH the running bastion serves this itself")
    path = given if given is not None else read_config(door, config_file).bastion.socket
    if path is None:
        raise OperatorError(
            f"this bastion has no socket: set bastion.socket, or use ssh BASTION {words[0]}, as a person"
        )
    return path


def ask_at(path: Path, words: list[str]) -> None:
    """Do the same at this socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(path))
        except OSError as error:
            raise NotRunning(f"{path}: the bastion does not answer: {error.strerror or error}") from error
        try:
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
