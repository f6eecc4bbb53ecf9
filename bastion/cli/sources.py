"""Find the configuration and the evidence that a command reads.

In      --config or BASTION_CONFIG; who asks
Out     the configuration, the evidence, the auditor's keys
Errors  click.UsageError, OperatorError, StoreError
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bastion.cli.door import Door
from bastion.clock import Clock
from bastion.config import load
from bastion.environment import configuration_path
from bastion.keyring import SEAL_SET, load_key_set, load_signer
from bastion.settings import Config
from recorder.evidence import Evidence
from recorder.seal import KeySet
from recorder.store import append_now

F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """Add --config FILE."""
    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The configuration file (or the variable BASTION_CONFIG).",
    )(command)


def config_path(given: Path | None) -> Path:
    """Return the configuration file's path; raise UsageError when nothing names it."""
    found = str(given) if given is not None else configuration_path()
    if found is None:
        raise click.UsageError("which configuration? give --config FILE or set BASTION_CONFIG")
    return Path(found)


def read_config(door: Door, given: Path | None) -> Config:
    """Load the configuration; a caller from afar may not choose it."""
    if door.remote and given is not None:
        raise click.UsageError("--config cannot be given over SSH")
    return load(config_path(given))


def open_evidence(door: Door, given: Path | None, command: str, **detail: Any) -> Evidence:
    """Record that evidence is read, and by whom (law L9), then open it; raise OperatorError or StoreError."""
    config = read_config(door, given)
    database = config.bastion.database
    signer = load_signer(config.bastion.keys)
    append_now(
        database,
        signer,
        "evidence.read",
        {"by": door.who(), "command": command, **{key: value for key, value in detail.items() if value}},
        Clock().now_us(),
    )
    return Evidence(database, public_keys(config), live=True)


def public_keys(config: Config) -> KeySet:
    """Return the auditor's keys of this configuration."""
    return load_key_set(config.bastion.keys / SEAL_SET)
