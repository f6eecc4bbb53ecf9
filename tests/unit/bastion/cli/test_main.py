"""Every command is found where the table of commands says, and none is loaded before it is asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest

from bastion.cli.main import MODULES, cli


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_the_commands_that_are_looked_for_in_it(module: str) -> None:
    commands = import_module(f"bastion.cli.{module}").COMMANDS
    assert tuple(command.name for command in commands) == MODULES[module]
    context = click.Context(cli)
    assert [cli.get_command(context, name) for name in MODULES[module]] == list(commands)


def test_help_lists_every_command_by_name() -> None:
    names = cli.list_commands(click.Context(cli))
    assert names == sorted({name for commands in MODULES.values() for name in commands})
    assert cli.get_command(click.Context(cli), "session") is None


def test_no_command_is_loaded_before_it_is_asked_for() -> None:
    program = "import sys, bastion.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    heavy = {"pydantic", "sqlite_utils", "policies.masking", "tabulate", "asyncssh"}
    assert "click" in loaded.stdout.split()
    assert not heavy & set(loaded.stdout.split())
