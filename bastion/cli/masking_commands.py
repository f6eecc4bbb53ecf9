"""Mask standard input without a bastion, and hash a value for its policy: redact, hash-value.

In      bytes on standard input; no configuration is needed
Out     the bytes, masked, on standard output; on standard error each hit, never its value
Errors  click.UsageError; exit status 2 where a detector fails: what follows would not be masked
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from bastion.cli.door import Door
from bastion.cli.sources import config_option, config_path
from bastion.cli.tables import table
from bastion.config import keys_folder
from bastion.errors import OperatorError
from bastion.named_values import listed_values, value_key
from policies.masking import DETECTORS, Action, ActionKind, Hit, Masked, MaskingError, open_redactor
from policies.masking.hashed import MOST_BYTES, check_findable, hash_value
from policies.masking.redactor import Redactor

CHUNK_BYTES = 1 << 18


def _words(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> list[str] | None:
    words = [word.strip() for text in given for word in text.split(",") if word.strip()]
    return words or None


@click.command(short_help="Mask secrets and personal data in standard input.")
@click.option(
    "--kinds", metavar="KIND,...", multiple=True, callback=_words, help="secret, personal (both by default)."
)
@click.option(
    "--detectors", metavar="NAME,...", multiple=True, callback=_words, help="These detectors, see --list."
)
@click.option(
    "--action",
    type=click.Choice([kind.value for kind in ActionKind]),
    default=ActionKind.REDACT.value,
    show_default=True,
    help="What becomes of what is found.",
)
@click.option(
    "--report",
    type=click.Choice(["text", "json", "none"]),
    default="text",
    show_default=True,
    help="How to say on standard error what was found.",
)
@click.option(
    "--known",
    type=click.File("rb"),
    help="Mask the values of this file too, one a line, also in base64, hex, URL and JSON form.",
)
@click.option("--list", "listing", is_flag=True, help="List the detectors instead.")
@click.pass_obj
def redact(
    door: Door,
    kinds: list[str] | None,
    detectors: list[str] | None,
    action: str,
    report: str,
    known: BinaryIO | None,
    listing: bool,
) -> None:
    """Copy standard input to standard output, masked by the engine that masks sessions.

    Exit status 0, whether anything was found or not; the report is on standard error.

    \b
    Examples:
      bastion redact < app.log > clean.log
      kubectl get secret -o yaml | bastion redact --kinds secret --report json
    """
    if door.remote:
        raise click.UsageError("this command runs on the bastion itself only")
    if listing:
        rows = [(it.name, it.kind.value, "yes" if it.default else "no", it.title) for it in DETECTORS]
        click.echo(table(rows, ["detector", "kind", "on", "what it finds"], ruled=True))
        return
    chosen = Action(kind=ActionKind(action))
    try:
        redactor = open_redactor(
            key=secrets.token_bytes(32),
            kinds=kinds,
            detectors=detectors,
            known=listed_values(known.read()) if known is not None else (),
            actions={it.name: chosen for it in DETECTORS},
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    found: Counter[str] = Counter()
    try:
        for masked in _masked(redactor):
            sys.stdout.buffer.write(masked.out)
            sys.stdout.buffer.flush()
            for hit in masked.hits:
                found[hit.detector] += 1
                if report == "text":
                    click.echo(
                        f"line {hit.line}, column {hit.column}: {hit.detector}, {hit.length} bytes", err=True
                    )
                elif report == "json":
                    _write_json(hit, first=sum(found.values()) == 1)
    except MaskingError as error:
        raise OperatorError(f"redact: {error}; what follows was not written") from error
    if report == "json":
        click.echo("]}" if found else '{"hits": []}', err=True)
    elif report == "text":
        counted = ", ".join(f"{count} {name}" for name, count in found.most_common())
        click.echo(f"redact: {sum(found.values())} found" + (f": {counted}" if counted else ""), err=True)


def _write_json(hit: Hit, *, first: bool) -> None:
    row = {
        "detector": hit.detector,
        "kind": hit.kind,
        "action": hit.action,
        "line": hit.line,
        "column": hit.column,
    }
    click.echo(
        ('{"hits": [' if first else ",") + "\n" + json.dumps(row | {"length": hit.length}), err=True, nl=False
    )


def _masked(redactor: Redactor) -> Iterator[Masked]:
    while data := os.read(sys.stdin.fileno(), CHUNK_BYTES):
        yield redactor.feed(data)
    yield redactor.finish()


@click.command("hash-value", short_help="Print the keyed hash of a value, for a policy.")
@config_option
@click.pass_obj
def hash_value_command(door: Door, config_file: Path | None) -> None:
    """Read a value from standard input and print its keyed hash, for known_hashes and [[exception]].

    A line end after the value is no part of it. The key lies in the bastion's folder of keys, as values.key; it is
    made if there is none. Whoever has only the hash cannot try values.

    \b
    Example:
      printf %s "$VALUE" | bastion hash-value
    """
    if door.remote:
        raise click.UsageError("this command runs on the bastion itself only")
    keys = keys_folder(config_path(config_file))
    value = sys.stdin.buffer.read(MOST_BYTES + 2).removesuffix(b"\n").removesuffix(b"\r")
    try:
        check_findable(value)
    except ValueError as error:
        raise OperatorError(f"hash-value: {error}") from error
    click.echo(hash_value(value_key(keys), value))


COMMANDS = (redact, hash_value_command)
