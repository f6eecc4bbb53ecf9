"""Convert the checked tables of a configuration into the values that the application uses.

In      tables of bastion.config_tables; the folder that their paths are relative to
Out     values of bastion.settings and bastion.identity: paths absolute, lists without doubles
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bastion.config_notify import AnswersTable, NotifyTable
from bastion.config_tables import (
    BastionTable,
    IdentityTable,
    IssuerTable,
    LimitsTable,
    PersonTable,
    RecorderTable,
    TargetTable,
)
from bastion.identity import Identity, Person
from bastion.limits import Limits
from bastion.settings import (
    AnswerSettings,
    BastionSettings,
    ChannelSettings,
    IssuerSettings,
    NotifyFilter,
    RecorderSettings,
    Target,
    TargetAuth,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Sound tables by their index in the file; the `_names` are of all, broken ones too."""

    bastion: BastionSettings | None
    issuers: Mapping[int, IssuerSettings]
    persons: Mapping[int, Person]
    identities: Mapping[int, Identity]
    targets: Mapping[int, Target]
    channels: Mapping[int, ChannelSettings]
    answers: AnswerSettings | None
    issuer_names: frozenset[str]
    identity_names: frozenset[str]
    channel_names: frozenset[str]


def bastion_settings(table: BastionTable, folder: Path) -> BastionSettings:
    """Return what a [bastion] table says."""
    return BastionSettings(
        listen=tuple(table.listen),
        data=_path(folder, table.data),
        keys=_path(folder, table.keys),
        names=tuple(table.names),
        responders=frozenset(table.responders),
        lockers=frozenset(table.responders if table.lockers is None else table.lockers),
        socket=None if table.socket is None else _path(folder, table.socket),
        workers=table.workers,
    )


def recorder_settings(table: RecorderTable) -> RecorderSettings:
    """Return what a [recorder] table says."""
    return RecorderSettings(durability=table.durability, quota_bytes=table.quota)


def limits(table: LimitsTable) -> Limits:
    """Return what a [limits] table says."""
    return Limits(
        connections=table.connections,
        connections_per_source=table.connections_per_source,
        handshakes=table.handshakes,
        handshakes_per_source=table.handshakes_per_source,
        failures_per_source=table.failures_per_source,
        auth_tries=table.auth_tries,
        handshake_s=table.handshake,
        rekey_s=table.rekey,
        keepalive_s=table.keepalive,
        idle_connection_s=table.idle_connection,
        idle_session_s=table.idle_session,
        channels=table.channels,
        requests=table.requests,
        packet_before_login_bytes=table.packet_before_login,
        packet_bytes=table.packet,
    )


def issuer_settings(table: IssuerTable, folder: Path) -> IssuerSettings:
    """Return what an [[issuer]] table says."""
    return IssuerSettings(
        name=table.name,
        url=table.url,
        jwks_file=None if table.jwks_file is None else _path(folder, table.jwks_file),
        audience=table.audience,
        one_key_per_token=table.one_key_per_token,
        groups_claim=table.groups_claim,
    )


def person(table: PersonTable, folder: Path) -> Person:
    """Return what a [[person]] table says."""
    return Person(
        name=table.name,
        aliases=dict(table.aliases),
        groups=tuple(dict.fromkeys(table.groups)),
        identities=tuple(dict.fromkeys(table.identities)),
        uid=table.uid,
        answer_key_file=_file(folder, table.answer_key_file),
    )


def identity(table: IdentityTable) -> Identity:
    """Return what an [[identity]] table says."""
    return Identity(
        name=table.name,
        owner=table.owner,
        issuer=table.issuer,
        match=table.match,
        groups=tuple(dict.fromkeys(table.groups)),
        lifetime_s=table.lifetime,
        session_s=table.session,
    )


def target(table: TargetTable, folder: Path) -> Target:
    """Return what a [[target]] table says."""
    file = table.auth.file
    return Target(
        name=table.name,
        kind=table.kind,
        address=table.address,
        host_key=table.host_key,
        host_ca=table.host_ca,
        logins=tuple(dict.fromkeys(table.logins)),
        shell=table.shell,
        labels=dict(table.labels),
        auth=TargetAuth(kind=table.auth.kind, file=None if file is None else _path(folder, file)),
    )


def channel(table: NotifyTable, folder: Path) -> ChannelSettings:
    """Return what a [[notify]] table says."""
    return ChannelSettings(
        name=table.name,
        kind=table.kind,
        url_file=_path(folder, table.url_file),
        key_file=_file(folder, table.key_file),
        team=table.team,
        tells=NotifyFilter(
            events=frozenset(table.events),
            approvers=frozenset(table.approvers),
            groups=tuple(table.groups),
            identities=tuple(table.identities),
            targets=tuple(table.targets),
        ),
    )


def answer_settings(table: AnswersTable) -> AnswerSettings:
    """Return what an [answers] table says."""
    return AnswerSettings(listen=table.listen)


def _file(folder: Path, text: str | None) -> Path | None:
    return None if text is None else _path(folder, text)


def _path(folder: Path, text: str) -> Path:
    return (folder / text).resolve()
