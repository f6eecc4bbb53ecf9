"""Set up and run a bastion: init, check, serve, keys, demo.

In      command lines
Out     what the operator asked for on standard output, the journal and problems on standard error
Errors  OperatorError, StoreError, turned into lines by cli.main
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from bastion.addresses import parse_listen
from bastion.cli.door import Door
from bastion.cli.sources import config_option, config_path, read_config
from bastion.clock import Clock
from bastion.config import load
from bastion.errors import OperatorError
from bastion.journal import open_journal
from bastion.keyring import SEAL_SET, Keyring, open_keyring, public_line, rotate_seal
from bastion.settings import Config
from bastion.starter import CONFIG_NAME, POLICY_NAME, starter_config, starter_policy
from recorder.seal import Signer
from recorder.store import append_now, connect

KEY_KINDS = ("host-ca", "user-ca", "login-ca", "seal")


def _local(door: Door) -> None:
    if door.remote:
        raise click.UsageError("this command runs on the bastion itself only")


@click.command(short_help="Write a starter configuration and make the keys.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:2222",
    show_default=True,
    help="Address to listen on.",
)
@click.option(
    "--name",
    "names",
    metavar="NAME",
    multiple=True,
    help="A name that clients know the bastion by; may be repeated.",
)
@click.pass_obj
def init(door: Door, folder: Path, listen: str, names: tuple[str, ...]) -> None:
    """Write a commented starter configuration and policy into DIR, and make the keys.

    Nothing that is there already is overwritten.

    \b
    Example:
      bastion init ./bastion --listen 0.0.0.0:2222 --name bastion.example.com
    """
    _local(door)
    try:
        address = parse_listen(listen)
    except ValueError as error:
        raise click.UsageError(f"--listen {listen}: {error}") from error
    config, policy = folder / CONFIG_NAME, folder / POLICY_NAME
    for path in (config, policy):
        if path.exists():
            raise OperatorError(f"{path}: is there already; nothing was changed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config.write_text(starter_config(listen=[address], names=list(names) or ["bastion.example.com"]))
        policy.write_text(starter_policy())
    except OSError as error:
        raise OperatorError(f"{folder}: cannot be written: {error.strerror}") from error
    try:
        loaded = load(config)
    except OperatorError:  # a name that cannot be one: what was written for it must not stand in the way
        config.unlink()
        policy.unlink()
        raise
    _keyring(loaded)
    click.echo(f"{config}\n{policy}\n{loaded.bastion.keys}/")
    given = shlex.quote(str(config))
    click.echo(
        f"Next: edit {given}, then `bastion check --config {given}`, then `bastion serve --config {given}`.",
        err=True,
    )


@click.command(short_help="Validate the configuration and policies.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, problems, warnings.")
@click.pass_obj
def check(door: Door, config_file: Path | None, as_json: bool) -> None:
    """Validate the configuration and its policies, and say file, key and what was expected.

    Each mistake is one line on stderr and the exit status is 2; warnings do not change the status.

    \b
    Example:
      bastion check --config bastion.toml
    """
    from bastion.notifying import check_channels  # with what sends, which takes its time to load

    _local(door)
    path = config_path(config_file)
    try:
        config = load(path)
        check_channels(config)
    except OperatorError as error:
        if as_json:
            lines = str(error).splitlines()
            click.echo(json.dumps({"ok": False, "problems": lines, "warnings": []}, indent=2))
            raise click.exceptions.Exit(2) from error
        raise
    if as_json:
        click.echo(json.dumps({"ok": True, "problems": [], "warnings": list(config.warnings)}, indent=2))
        return
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(
        f"{path}: sound: {len(config.issuers)} issuers, {len(config.identities)} identities,"
        f" {len(config.targets)} targets, {len(config.policy.rules)} rules"
    )


@click.command(short_help="Run the bastion.")
@config_option
@click.pass_obj
def serve(door: Door, config_file: Path | None) -> None:
    """Run the bastion. SIGTERM drains and stops, SIGHUP reloads the configuration (all or nothing).

    Missing keys are made. The journal goes to stderr, one line for each event.

    \b
    Example:
      bastion serve --config bastion.toml
    """
    _local(door)
    from bastion import runtime

    open_journal()
    runtime.serve(config_path(config_file))


@click.command(short_help="Print what others need to trust this bastion.")
@click.argument("kind", type=click.Choice(KEY_KINDS))
@config_option
@click.option("--rotate", is_flag=True, help="seal only: make a new key, keep the old public one in the set.")
@click.pass_obj
def keys(door: Door, kind: str, config_file: Path | None, rotate: bool) -> None:
    """Print what others need to trust this bastion.

    \b
    host-ca   the @cert-authority line for a bot's known_hosts
    user-ca   the key for a target's TrustedUserCAKeys
    login-ca  the key that signs bots' certificates (nobody but the bastion trusts it)
    seal      the auditors' keys as a JWK Set, for `bastion verify --keys`

    Missing keys are made, which the audit chain records.

    \b
    Examples:
      bastion keys host-ca --config bastion.toml >> known_hosts
      bastion keys user-ca --config bastion.toml > /etc/ssh/bastion-user-ca.pub
      bastion keys seal --rotate --config bastion.toml > auditors.jwks
    """
    _local(door)
    config = read_config(door, config_file)
    if rotate and kind != "seal":
        raise click.UsageError(
            f"--rotate: only seal can be rotated; for {kind} remove its files from the keys folder"
        )
    ring = _keyring(config)
    if rotate:
        old, new = rotate_seal(config.bastion.keys)
        _audit(config, ring.seal, "keys.rotated", door, {"key": "seal", "old": old, "new": new})
        click.echo("the new key signs from the bastion's next start on", err=True)
    match kind:
        case "host-ca":
            click.echo(f"@cert-authority {','.join(host_patterns(config))} {public_line(ring.host_ca)}")
        case "user-ca":
            click.echo(f"{public_line(ring.user_ca)} bastion-user-ca")
        case "login-ca":
            click.echo(f"{public_line(ring.login_ca)} bastion-login-ca")
        case _:
            click.echo((config.bastion.keys / SEAL_SET).read_text(), nl=False)


def host_patterns(config: Config) -> list[str]:
    """Return the known_hosts patterns under which clients meet the host CA: never a wildcard."""
    ports = sorted({address.port for address in config.bastion.listen if address.port})
    patterns: list[str] = []
    for name in config.bastion.names:
        patterns += [name, *(f"[{name}]:{port}" for port in ports if port != 22)]
    return patterns + [target.name for target in config.targets]


def _keyring(config: Config) -> Keyring:
    """Open the keys; those that had to be made are told on the audit chain."""
    ring = open_keyring(config.bastion.keys)
    if ring.made:
        _audit(config, ring.seal, "keys.made", Door(asker=None, terminal=False), {"keys": list(ring.made)})
    return ring


def _audit(config: Config, signer: Signer, kind: str, door: Door, detail: dict[str, object]) -> None:
    database = config.bastion.database
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connect(database, create=True).close()
    append_now(database, signer, kind, {"by": door.who(), **detail}, Clock().now_us())


@click.command(short_help="Play the whole story on this machine.")
@click.option(
    "--keep", is_flag=True, help="Leave everything running, and print an ssh_config to try by hand."
)
@click.option("--folder", type=click.Path(path_type=Path), help="Use this folder instead of a temporary one.")
@click.pass_obj
def demo(door: Door, keep: bool, folder: Path | None) -> None:
    """Play the whole story with this machine's own ssh: certified, recorded, replayed, proven.

    Starts a small OIDC issuer, a bastion and an SSH host on free loopback ports, in a temporary folder.

    \b
    Example:
      bastion demo --keep
    """
    _local(door)
    from bastion.demo.story import play

    raise click.exceptions.Exit(play(folder=folder, keep=keep))


COMMANDS = (init, check, serve, keys, demo)
