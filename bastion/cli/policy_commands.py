"""Work on policies before they are live: check, explain, test, rehearse.

In      command lines; statements on standard input for `explain --lines`
Out     what a policy says of them, for people or as JSON
Errors  OperatorError, RecorderError, turned into lines by cli.main
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from bastion.cli import judgement
from bastion.cli.door import Door
from bastion.cli.policy_files import operators_errors, policy_of, read_policies
from bastion.cli.rehearsal import DEFAULT_SHELL, facts_of, rehearsed
from bastion.cli.sources import config_option, config_path, open_evidence, read_config
from bastion.cli.times import since_us
from bastion.clock import Clock
from bastion.config_warnings import unknown_names
from bastion.environment import configuration_path
from bastion.errors import OperatorError
from bastion.principal import find_identity
from bastion.resolve import find_target
from bastion.settings import Config
from policies import cases
from policies.advice import warnings_about, warnings_about_limits
from policies.engine import Policy
from policies.model import Access, Request
from policies.near import explanation
from policies.problem import listed, shown
from policies.shell import MAX_STATEMENT_BYTES

FILES = "FILE is a path, or library:NAME for a policy that is shipped."


@click.group(short_help="Check, explain, test and rehearse policies.")
@click.pass_obj
def policy(door: Door) -> None:
    """Work on policies before they are live.

    \b
    Write one, and then:
      bastion policy check team.toml
      bastion policy explain --policy team.toml -- 'rm -rf /srv/backups'
      bastion policy test team.toml
      bastion policy rehearse team.toml --since 30d
    """
    if door.remote:
        raise click.UsageError("this command runs on the bastion itself only")


@policy.command(short_help="Find mistakes in policy files.")
@click.argument("files", metavar="[FILE]...", nargs=-1)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, problems, warnings.")
@click.pass_obj
def check(door: Door, files: tuple[str, ...], config_file: Path | None, as_json: bool) -> None:
    """Find what is wrong in policy files (exit status 2), and warn of what is hardly meant (status 0).

    FILE is a path, or library:NAME for a policy that is shipped; without any, the files that the configuration names.
    With a configuration, names of identities, groups, targets, labels and logins that it does not have are told.

    \b
    Examples:
      bastion policy check team.toml
      bastion policy check --config bastion.toml
    """
    made, problems = read_policies(files)
    warnings: list[str] = []
    if made is not None:  # what is wrong in the files comes before what is wrong in the configuration
        config = _configuration(door, config_file, needed=not files)
        if config is not None and not files:
            made = config.policy
        advised = (*warnings_about(made.rules), *warnings_about_limits(made.limits))
        warnings = [str(warning) for warning in advised]
        if config is not None:
            warnings += [line for rule in made.rules for line in unknown_names(rule, config)]
            warnings += [line for limit in made.limits for line in unknown_names(limit, config)]
    if as_json:
        found = {"ok": not problems, "problems": problems, "warnings": warnings}
        click.echo(json.dumps(found, indent=2))
        if problems:
            raise click.exceptions.Exit(2)
        return
    if made is None:
        raise OperatorError("\n".join(problems))
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    entries = sum(len(rule.match or ()) for rule in made.rules)
    more = "".join(
        f", {count} {name}{'s' if count > 1 else ''}"
        for name, count in (("mask", len(made.masks)), ("limit", len(made.limits)))
        if count
    )
    click.echo(f"sound: {len(made.rules)} rules with {entries} entries{more}, policy {made.digest()[:16]}")


class _Explain(click.Command):
    """Everything behind `--` is the statement; without `--lines`, so is what stands before it."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else None
        context.meta["statement"] = None if at is None else args[at + 1 :]
        return super().parse_args(context, args if at is None else args[:at])


@policy.command(cls=_Explain, short_help="Say how a statement is judged, and why.")
@click.argument("words", metavar="[--] [STATEMENT]", nargs=-1)
@click.option(
    "--policy", "files", metavar="FILE", multiple=True, help=f"Judge by this file; repeat for more. {FILES}"
)
@click.option("--identity", metavar="NAME", help="Who asks, as the configuration declares it.")
@click.option(
    "--group", "groups", metavar="NAME", multiple=True, help="A group that the token would bring besides."
)
@click.option("--target", metavar="NAME", help="Where, as the configuration declares it.")
@click.option("--login", metavar="USER", help="As which user there.")
@click.option(
    "--access",
    type=click.Choice([access.value for access in Access]),
    default="exec",
    show_default=True,
    help="How it is asked for.",
)
@click.option("--lines", is_flag=True, help="Judge each line of standard input, which is one statement each.")
@config_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, with --lines one for each line."
)
@click.pass_context
def explain(
    context: click.Context,
    words: tuple[str, ...],
    files: tuple[str, ...],
    identity: str | None,
    groups: tuple[str, ...],
    target: str | None,
    login: str | None,
    access: str,
    lines: bool,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Say what a statement would do, which rules speak of it or nearly do, and the verdict.

    With --identity, --target and --login it is judged by the policy of the configuration, as if they asked for it
    (by --policy instead, if that is given). With --policy alone no configuration is needed, and every `when` is taken
    as met. The exit status says whether there was an answer, not what it is.

    \b
    Examples:
      bastion policy explain --identity orders-deployer --target web-1 --login deploy -- 'rm -rf /srv'
      bastion policy explain --policy team.toml -- 'aws s3 cp dump.sql s3://elsewhere/'
      bastion policy explain --policy team.toml --lines --json < statements
    """
    behind = context.meta["statement"]
    if lines:
        if behind:
            raise click.UsageError("--lines takes the statements from standard input, and none behind --")
        files, words = (*files, *words), ()
    if not lines and not words and not behind:
        raise click.UsageError("which statement? give it behind --, in quotes")
    made, request, shell = _judge(
        context.obj,
        config_file,
        files,
        identity=identity,
        groups=groups,
        target=target,
        login=login,
        access=access,
    )
    if lines:
        for line in _lines(sys.stdin.buffer):
            verdict, facts = judgement.judged(made, request, facts_of(line, shell))
            text = (
                json.dumps(judgement.verdict_object(verdict, facts))
                if as_json
                else judgement.line(verdict, facts)
            )
            click.echo(text)
        return
    statement = " ".join([*words, *(behind or ())]).encode("utf-8", "surrogateescape")
    found = explanation(made, request, facts_of(statement, shell))
    if as_json:
        click.echo(json.dumps(judgement.explanation_object(found), indent=2))
    else:
        click.echo(judgement.explanation_text(found))


@policy.command(short_help="Run the tables of cases of policies.")
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: passed, failed, failures.")
def test(files: tuple[str, ...], as_json: bool) -> None:
    """Judge the cases in FILE.cases.toml beside each FILE.toml; without FILE, those of the policies that are shipped.

    Exit status 1 if a verdict is another than expected. FILE is a path, or library:NAME.

    \b
    A case (docs/policies.md has them all):
      [[case]]
      statement = "rm -rf /srv/backups"
      verdict = "deny"
      rules = ["keep-backups"]
    """
    passed = 0
    failures: list[cases.Result] = []
    with operators_errors():
        suites = [cases.suite_of(name) for name in files] if files else list(cases.library_suites())
        for suite in suites:
            for result in cases.run(suite):
                if result.passed:
                    passed += 1
                else:
                    failures.append(result)
    if as_json:
        found = {
            "passed": passed,
            "failed": len(failures),
            "failures": [judgement.failure_object(each) for each in failures],
        }
        click.echo(json.dumps(found, indent=2))
    else:
        for failure in failures:
            click.echo(judgement.failure_text(failure))
        click.echo(f"{passed} passed, {len(failures)} failed, in {len(suites)} tables")
    if failures:
        raise click.exceptions.Exit(1)


@policy.command(short_help="Judge what was recorded by a draft.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--since", metavar="TIME", default="30d", show_default=True, help="How far back, as in `sessions`."
)
@click.option(
    "--group", "groups", metavar="NAME", multiple=True, help="A group that the tokens brought besides."
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: judged, changed, changes.")
@click.pass_obj
def rehearse(
    door: Door,
    files: tuple[str, ...],
    since: str,
    groups: tuple[str, ...],
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Judge every recorded request and statement by a draft policy, and show what would have become of it.

    FILE is a path, or library:NAME; together they stand for all of the policy. Who asked has the groups, and the
    target the labels, that the configuration gives them now; groups that a token brought are not on record. That the
    recordings were read is itself recorded.

    \b
    Example:
      bastion policy rehearse team.toml library:baseline --since 7d
    """
    draft = policy_of(files)
    config = read_config(door, config_file)
    began_us = since_us(since, Clock().now_us())
    evidence = open_evidence(door, config_file, "policy rehearse", policy=draft.digest(), since=since)
    report = rehearsed(evidence, config, draft, since_us=began_us, groups=frozenset(groups))
    click.echo(json.dumps(report.as_json(), indent=2) if as_json else report.as_text())


def _configuration(door: Door, given: Path | None, *, needed: bool) -> Config | None:
    """Return the configuration if it is given or needed; raise OperatorError, UsageError."""
    if not needed and given is None and configuration_path() is None:
        return None
    config_path(given)
    return read_config(door, given)


def _judge(
    door: Door,
    config_file: Path | None,
    files: tuple[str, ...],
    *,
    identity: str | None,
    groups: tuple[str, ...],
    target: str | None,
    login: str | None,
    access: str,
) -> tuple[Policy, Request | None, str]:
    """Return the policy to judge by, the request to judge (None: every `when` is taken as met), and the shell."""
    asked = (identity, target, login)
    if asked == (None, None, None) and files:
        return policy_of(files), None, DEFAULT_SHELL
    if identity is None or target is None or login is None:
        raise click.UsageError("by which policy? give --identity, --target and --login, or --policy")
    config = read_config(door, config_file)
    who, where = find_identity(config, identity), find_target(config, target)
    if who is None:
        names = [shown(each.name) for each in config.identities]
        raise OperatorError(
            f"no identity is called {shown(identity)}, expected {listed(names) or 'one to be declared'}"
        )
    if where is None:
        names = [shown(each.name) for each in config.targets]
        raise OperatorError(
            f"no target is called {shown(target)}, expected {listed(names) or 'one to be declared'}"
        )
    if login not in where.logins:
        raise OperatorError(_unknown(f"login on {where.name}", login, list(where.logins)))
    request = Request(
        identity=who.name,
        groups=frozenset(who.groups) | frozenset(groups),
        target=where.name,
        labels=where.labels,
        login=login,
        access=Access(access),
    )
    return (policy_of(files) if files else config.policy), request, where.shell


def _unknown(kind: str, name: str, known: list[str]) -> str:
    expected = listed([shown(each) for each in known[:8]]) or "one to be declared"
    return f"no {kind} is called {shown(name)}, expected {expected}"


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a stream without their ends; of one past the limit, no more than shows that it is."""
    limit = MAX_STATEMENT_BYTES + 2
    while line := stream.readline(limit):
        rest = line
        while not rest.endswith(b"\n") and rest:
            rest = stream.readline(limit)
        yield line.removesuffix(b"\n")


COMMANDS = (policy,)
