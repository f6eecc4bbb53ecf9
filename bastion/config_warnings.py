"""Find what is allowed in a configuration but is hardly what the operator meant.

In      Config
Out     lines `KEY: message`
Source  docs/configuration.md; docs/security.md, law L7
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from bastion.identity import Identity, resolve_owner
from bastion.settings import ChannelSettings, Config, Target
from policies.limit import Limit
from policies.model import Request, Rule, VerdictKind
from policies.pattern import GLOB_PREFIX
from policies.problem import shown
from policies.when import covers_where, covers_who

EXAMPLE_NAME = "bastion.example.com"


def warnings_about(config: Config) -> Iterator[str]:
    """Yield one line for each thing that looks like a mistake."""
    if EXAMPLE_NAME in config.bastion.names:
        yield f'bastion.names: says "{EXAMPLE_NAME}", which no client will connect to'
    yield from _unused(config)
    for at, identity in enumerate(config.identities):
        yield from _identity(f"identity[{at}]", identity, config)
    for at, target in enumerate(config.targets):
        yield from _target(f"target[{at}]", target, _allowing(config))
    for at, channel in enumerate(config.channels):
        yield from _channel(f"notify[{at}]", channel, config)
    for at, person in enumerate(config.persons):
        yield from _open_to_others(f"person[{at}].answer_key_file", person.answer_key_file)
    for rule in config.policy.rules:
        yield from unknown_names(rule, config)
    for limit in config.policy.limits:
        yield from unknown_names(limit, config)


def _unused(config: Config) -> Iterator[str]:
    if not config.identities:
        yield "identity: none is declared, so nobody can get a certificate"
    if not config.targets:
        yield "target: none is declared, so there is nothing to reach"
    if not _allowing(config):
        yield "policy.files: no rule allows anything, so every session is denied"
    used = {identity.issuer for identity in config.identities}
    for at, issuer in enumerate(config.issuers):
        if issuer.name not in used:
            yield f"issuer[{at}]: no identity has tokens of {shown(issuer.name)}"


def _identity(key: str, identity: Identity, config: Config) -> Iterator[str]:
    if resolve_owner(identity, config.persons) is None:
        owner = shown(identity.owner)
        yield f"{key}.owner: {owner} is no declared person, so {identity.name} gets no certificate"
    brings_groups = any(issuer.name == identity.issuer and issuer.groups_claim for issuer in config.issuers)
    covered = any(covers_who(rule.when, identity.name, identity.groups) for rule in _allowing(config))
    if not covered and not brings_groups:
        yield f"{key}: no rule allows {identity.name} anything"


def _target(key: str, target: Target, allowing: Iterable[Rule]) -> Iterator[str]:
    asked = [
        Request(identity="", groups=frozenset(), target=target.name, labels=target.labels, login=login)
        for login in target.logins
    ]
    if not any(covers_where(rule.when, request) for rule in allowing for request in asked):
        yield f"{key}: no rule allows anybody to reach {target.name}"
    yield from _open_to_others(f"{key}.auth.file", target.auth.file)


def _open_to_others(key: str, file: Path | None) -> Iterator[str]:
    if file is not None and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield f"{key}: {file} can be used by others than its owner (chmod 600 it)"


def _channel(key: str, channel: ChannelSettings, config: Config) -> Iterator[str]:
    yield from _open_to_others(f"{key}.url_file", channel.url_file)
    yield from _open_to_others(f"{key}.key_file", channel.key_file)
    if channel.kind == "slack" and channel.key_file is not None and config.answers.listen is None:
        yield f"{key}: {channel.name} would take answers, but answers.listen is not set"
    named = any(channel.name in person.aliases for person in config.persons)
    if channel.kind == "slack" and channel.key_file is not None and not named:
        yield f"{key}: no person has an alias {shown(channel.name)}, so nobody can answer from there"


def unknown_names(it: Rule | Limit, config: Config) -> Iterator[str]:
    """Yield one line for each name in a rule's or a limit's `when` that the configuration does not have."""
    what = f"rule {it.id}" if isinstance(it, Rule) else f"limit {it.id}"
    declared: dict[str, set[str]] = {
        "identities": {identity.name for identity in config.identities},
        "groups": {group for identity in config.identities for group in identity.groups},
        "targets": {target.name for target in config.targets},
        "logins": {login for target in config.targets for login in target.logins},
    }
    brought = tuple(f"{issuer.name}/" for issuer in config.issuers if issuer.groups_claim)
    when = it.when
    for field, known in declared.items():
        for pattern in getattr(when, field) or ():
            if pattern.startswith(GLOB_PREFIX) or pattern in known:
                continue
            if field == "logins" and not (isinstance(it, Rule) and it.allows):
                continue  # "never as root" is said of targets to come
            if field == "groups" and brought and pattern.startswith(brought):
                continue  # a token may bring it
            hint = f' (a glob begins with "{GLOB_PREFIX}")' if set(pattern) & set("*?") else ""
            yield f"{what}: when.{field} names {shown(pattern)}, which is not declared{hint}"
    for label in when.labels or {}:
        if not any(label in target.labels for target in config.targets):
            yield f"{what}: when.labels names {shown(label)}, a label that no target has"


def _allowing(config: Config) -> list[Rule]:
    return [rule for rule in config.policy.rules if rule.verdict is VerdictKind.ALLOW]
