"""Describe the tables of a configuration that say who is told of holds, denials and alerts, and where answers come in.

In      tables as TOML gives them
Out     checked tables, each by itself
Errors  pydantic.ValidationError, which config.py puts into words
Source  docs/notifications.md
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bastion.config_shapes import Listen, Table, Text
from bastion.names import check_channel_name
from bastion.settings import ChannelKind
from policies.pattern import Patterns

TellOf = Literal["hold.asked", "hold.ended", "denial", "alert"]


def _pattern(text: str) -> str:
    """Return an exact string or a glob; raise ValueError for what is no glob."""
    Patterns([text])
    return text


Pattern = Annotated[Text, AfterValidator(_pattern)]


class NotifyTable(Table):
    """A channel by which people are told of holds, denials and alerts."""

    name: Annotated[str, AfterValidator(check_channel_name)] = Field(
        description="A short name for it, for the record, for `bastion notify test` and for the aliases of persons.",
        examples=["dba-slack"],
    )
    kind: ChannelKind = Field(
        description='"apprise": a service that Apprise speaks (mail, Teams, Discord, ntfy, PagerDuty and more); '
        '"slack": a Slack app\'s webhook, with buttons where answers are taken; "webhook": signed JSON to a program of '
        "yours.",
        examples=["slack"],
    )
    url_file: Text = Field(
        description="A file with the URL, which is a secret; for Apprise one a line. Never the URL itself.",
        examples=["secrets/dba-slack.url"],
    )
    key_file: Text | None = Field(
        default=None,
        description="webhook: a file with the key that signs what is sent (required). slack: a file with the app's "
        "signing secret, without which no answer is taken from there.",
        examples=["secrets/dba-slack.signing"],
    )
    team: Text | None = Field(
        default=None,
        description="slack: the id of the workspace that answers may come from. Left out, any that the app is in.",
        examples=["T024BE7LD"],
    )
    events: Annotated[list[TellOf], Field(min_length=1)] = Field(
        default=["hold.asked", "hold.ended", "denial", "alert"],
        description="What to tell of: a statement that begins to wait, how that ended, what a rule denied, and what "
        "matched a rule with `notify = true`.",
        examples=[["hold.asked", "hold.ended"]],
    )
    approvers: list[Text] = Field(
        default=[], description="Only holds that one of these groups may answer.", examples=[["dba"]]
    )
    groups: list[Pattern] = Field(
        default=[],
        description='Only of identities in one of these groups. A pattern begins with "glob:", here and below.',
        examples=[["ci"]],
    )
    identities: list[Pattern] = Field(
        default=[], description="Only of these identities.", examples=[["orders-deployer"]]
    )
    targets: list[Pattern] = Field(default=[], description="Only on these targets.", examples=[["glob:db-*"]])


class AnswersTable(Table):
    """Where answers to holds are taken over HTTP: nowhere, unless it listens."""

    listen: Listen | None = Field(
        default=None,
        description='"HOST:PORT" or "[IPV6]:PORT", HTTP without TLS: behind a proxy that has it, or on loopback. '
        "Left out, nothing listens. A change of it takes a restart.",
        examples=["127.0.0.1:8022"],
    )
