"""Gather the commands, and turn every foreseen error into one line and an exit status.

Out     exit status 0: done; 1: done, and the answer is no (verify found damage); 2: could not be done
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from importlib import import_module
from types import ModuleType

import click

from bastion.cli.door import Door
from bastion.errors import BastionError
from recorder.errors import RecorderError
from recorder.terminal import plain

# The module of bastion.cli that each command stands in: it is loaded when the command is asked for.
MODULES = {
    "operator_commands": ("init", "check", "serve", "keys", "demo"),
    "policy_commands": ("policy",),
    "evidence_commands": ("sessions", "show", "exposure", "replay", "export", "verify"),
    "approval_commands": ("approvals", "approve", "deny"),
    "lock_commands": ("lock", "unlock", "locks"),
    "masking_commands": ("redact", "hash-value"),
    "notify_commands": ("notify",),
}
READERS = frozenset((*MODULES["evidence_commands"], *MODULES["masking_commands"]))


class Commands(click.Group):
    """The commands, each loaded by its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all, in order."""
        return sorted(name for names in MODULES.values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None when there is none of that name."""
        for module, names in MODULES.items():
            if cmd_name in names:
                loaded: tuple[click.Command, ...] = _loaded(f"bastion.cli.{module}").COMMANDS
                return next(command for command in loaded if command.name == cmd_name)
        return None


def _loaded(name: str) -> ModuleType:
    """Load a module. Nothing it makes is garbage: to look for some meanwhile takes a tenth of the time."""
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.enable()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--door", "door", hidden=True, default=None, help="Who asks, when the bastion runs this for them."
)
@click.option("--terminal", hidden=True, is_flag=True, help="The asker has a raw terminal at the other end.")
@click.version_option(package_name="bastion", message="bastion %(version)s")
@click.pass_context
def cli(context: click.Context, door: str | None, terminal: bool) -> None:
    """An SSH bastion and session recorder for CI jobs, bots and service accounts.

    To begin: `bastion init DIR`, edit DIR/bastion.toml, `bastion check`, `bastion serve`.
    To see it work: `bastion demo`.

    Commands find the configuration by --config FILE or by the variable BASTION_CONFIG.
    """
    if context.invoked_subcommand in READERS:
        # A reader who has seen enough (`| head`) ends the command as it would any other: silently, and not with a
        # status that means something else.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    context.obj = Door(asker=door, terminal=terminal)


def main() -> None:
    """Run the command line."""
    try:
        status = cli.main(standalone_mode=False)  # click returns the status of an Exit instead of raising it
        sys.stdout.flush()
        sys.exit(status if isinstance(status, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except (BastionError, RecorderError) as error:
        for line in str(error).splitlines():
            click.echo(f"bastion: {plain(line)}", err=True)
        _flush()
        sys.exit(2)
    except OSError as error:  # no room for the output, or nobody to read it
        with contextlib.suppress(OSError):
            click.echo(f"bastion: {error.strerror or error}", err=True)
        _flush()
        sys.exit(2)


def _flush() -> None:
    """Write out what is buffered, or let go of it: it would fail again when Python ends, with a trace."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
