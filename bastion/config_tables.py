"""Describe each table of a configuration: its keys, their types, their defaults, and what they mean.

In      tables as TOML gives them
Out     checked tables, each by itself; the JSON Schema that editors, errors and the reference are made from
Errors  pydantic.ValidationError, which config.py puts into words
Source  docs/configuration.md; JSON Schema 2020-12
"""

from __future__ import annotations

from functools import cache, partial
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from bastion.addresses import Address, check_host_name, parse_address
from bastion.config_notify import AnswersTable, NotifyTable
from bastion.config_shapes import Listen, Table, Text
from bastion.match_table import check_match
from bastion.names import (
    check_group,
    check_identity_name,
    check_issuer_name,
    check_login,
    check_target_name,
)
from bastion.public_key_line import parse_public_key_line
from bastion.quantities import check_packet_size
from bastion.settings import AuthKind, Durability, TargetKind
from policies.document_approvers import ApproversTable
from policies.duration import DAY_S, HOUR_S, MINUTE_S, parse_duration
from policies.schema import tidied
from policies.size import parse_size


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _written(default: str | list[str] | dict[str, str]) -> Any:
    """Return a default as the file would have it; it is converted like what the file says."""
    return default


def _duration(low_s: int, high_s: int) -> PlainValidator:
    return PlainValidator(partial(parse_duration, low_s=low_s, high_s=high_s), json_schema_input_type=str)


Group = Annotated[str, AfterValidator(check_group)]
KeyLine = Annotated[str, AfterValidator(parse_public_key_line)]
Size = Annotated[int, PlainValidator(parse_size, json_schema_input_type=str | int)]
Lifetime = Annotated[int, _duration(MINUTE_S, DAY_S)]
SessionLength = Annotated[int, _duration(MINUTE_S, 7 * DAY_S)]
Patience = Annotated[int, _duration(1, HOUR_S)]
Idleness = Annotated[int, _duration(1, 7 * DAY_S)]
PacketSize = Annotated[
    int, PlainValidator(parse_size, json_schema_input_type=str | int), AfterValidator(check_packet_size)
]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class BastionTable(Table):
    """The bastion itself."""

    listen: Annotated[
        list[Listen],
        BeforeValidator(_listed, json_schema_input_type=str | Annotated[list[str], Field(min_length=1)]),
        Field(min_length=1),
    ] = Field(
        default=_written(["127.0.0.1:2222"]),
        description='Where to listen: "HOST:PORT" or "[IPV6]:PORT", one or a list. Port 0 takes a free one.',
        examples=[["127.0.0.1:2222"]],
    )
    data: Text = Field(default="./var", description="The folder of recordings.sqlite.")
    keys: Text = Field(
        default="./keys",
        description="The folder of the bastion's private keys. Neither of `data` and `keys` may hold the "
        "other: whoever backs up the evidence must not copy the keys.",
    )
    names: Annotated[list[Annotated[str, AfterValidator(check_host_name)]], Field(min_length=1)] = Field(
        default=["bastion.example.com"],
        description="The host names or IP addresses that clients know it by; its host certificate says them.",
        examples=[["bastion.example.com"]],
    )
    responders: list[Text] = Field(
        default=["responders"],
        description="The groups that may read evidence over SSH.",
        examples=[["responders"]],
    )
    lockers: list[Text] | None = Field(
        default=None,
        description="The groups that may lock and unlock. Left out, those of `responders` may.",
        examples=[["incident-response"]],
    )
    socket: Text | None = Field(
        default=None,
        description="A unix socket for `bastion approvals`, `approve`, `deny` and `lock` on this machine. Every user "
        "may connect; the `uid` of a person says who may do what. Left out, there is none.",
        examples=["./run/approvals.sock"],
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1,
        description="How many processes serve connections. More than one where one processor core is too slow: "
        "about as many as there are cores.",
        examples=[1],
    )


class RecorderTable(Table):
    """How sessions are recorded."""

    durability: Durability = Field(
        default="power",
        description='"power": what was released survives a power cut (fsync before release); "process": it '
        "survives a crash of the process only.",
    )
    quota: Size = Field(
        default=_written("1GiB"),
        description='Recorded content per session, such as "512MiB", or a number of bytes. Past it the '
        'session ends, unless a rule that allows it says past_quota = "digest-only".',
    )


class LimitsTable(Table):
    """What clients and targets may make of the bastion. A source is an address, or an IPv6 network of 64 bits."""

    connections: Count = Field(
        default=2000,
        description="Connections at once. Each takes about 0.3 MB and two or three open files; what the system allows "
        "a process is raised to its hard limit at the start.",
    )
    connections_per_source: Count = Field(
        default=1000,
        description="Connections at once from one source: half, so that no one source keeps the others out, and enough "
        "for a fleet of runners behind one address.",
    )
    handshakes: Count = Field(
        default=200,
        description="Connections that have not logged in with a certificate. When there are more, the oldest of the "
        "source that has most is sent away.",
    )
    handshakes_per_source: Count = Field(
        default=100,
        description="The same for one source; the oldest goes. Enough for 100 jobs that start in the same second.",
    )
    failures_per_source: Count = Field(
        default=200,
        description="Connections of one source that may end without a login; one a second is forgiven, each login "
        "forgives ten. Past that it is refused at once, for 1 s at first and never longer than 30 s at a time.",
    )
    auth_tries: Annotated[int, Field(ge=3, le=100)] = Field(
        default=12,
        description="Login tries of one connection, of any kind, with the questions whether a key would do.",
    )
    handshake: Patience = Field(
        default=_written("30s"), description="How long a connection has to log in, silent or busy."
    )
    rekey: Patience = Field(
        default=_written("60s"),
        description="How long the other side may take to agree on new keys; nothing else passes meanwhile.",
    )
    keepalive: Patience = Field(
        default=_written("30s"),
        description="How long a client or a target may be silent before it is asked whether it is there. Three "
        "questions without an answer, and as long again, end its connection.",
    )
    idle_connection: Idleness = Field(
        default=_written("15m"),
        description="How long a connection may have no channel open, as one that ssh keeps for later commands does.",
    )
    idle_session: Idleness = Field(
        default=_written("1h"),
        description="How long a session may go without a byte either way (keep-alives do not count). A command that "
        "works in silence for longer needs more.",
    )
    channels: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=64, description="Channels at once on one connection; ssh multiplexes ten by default."
    )
    requests: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=64,
        description="Requests of one channel or connection that wait while an earlier one is decided.",
    )
    packet_before_login: PacketSize = Field(
        default=35_000,
        description="The longest packet before the login, in bytes. RFC 4253 asks for 35000, which any certificate "
        "that OpenSSH makes fits into.",
    )
    packet: PacketSize = Field(default=_written("256KiB"), description="The longest packet after it.")


class IssuerTable(Table):
    """An OIDC issuer whose tokens are taken."""

    name: Annotated[str, AfterValidator(check_issuer_name)] = Field(
        description="A short name for it, used here and in front of its groups.", examples=["github"]
    )
    url: Text = Field(
        description="What `iss` in its tokens must say, letter by letter. Its keys are found from there by "
        "OIDC discovery, over https (http on loopback only), unless there is a jwks_file.",
        examples=["https://token.actions.githubusercontent.com"],
    )
    jwks_file: Text | None = Field(
        default=None,
        description="For closed networks: a file with the issuer's keys as a JWK Set. Then `url` is compared "
        "and never fetched.",
        examples=["cluster-jwks.json"],
    )
    audience: Text = Field(
        description="What `aud` in its tokens must say or list.", examples=["ssh://bastion.example.com"]
    )
    one_key_per_token: bool = Field(
        default=True,
        description="The key that a token was first used with may ask again until the token expires; a "
        "second key is refused and audited.",
    )
    groups_claim: Text | None = Field(
        default=None,
        description='A claim that lists groups; what it yields is prefixed: "github/dba".',
        examples=["groups"],
    )


class PersonTable(Table):
    """One human under all their names; owners and approvers resolve to persons."""

    name: Text = Field(description="The name that owners are written by.", examples=["dana@acme.example"])
    aliases: dict[Text, Text] = Field(
        default={},
        description="The person's user name at each issuer, and their user id in each channel that takes answers.",
        examples=[{"github": "dana", "dba-slack": "U024BE7LH"}],
    )
    groups: list[Group] = Field(
        default=[],
        description="The groups that approvals ask for; the groups of the person's certificate count as well.",
        examples=[["dba"]],
    )
    identities: list[Annotated[str, AfterValidator(check_identity_name)]] = Field(
        default=[],
        description="Identities that are this person at the door and no job: who has a certificate of one of them may "
        "answer as this person, who must be their owner.",
        examples=[["dana"]],
    )
    uid: Annotated[int, Field(ge=0, le=2**32 - 2)] | None = Field(
        default=None,
        description="The person's user id on the bastion's machine, for answers through `socket` there.",
        examples=[1000],
    )
    answer_key_file: Text | None = Field(
        default=None,
        description="A file with the key that signs this person's answers over HTTP, and nobody else's: whoever has "
        "the key answers as this person.",
        examples=["secrets/kim-answers"],
    )


class IdentityTable(Table):
    """A bot, a job or a service account: whose tokens it has, who owns it, what it may have."""

    name: Annotated[str, AfterValidator(check_identity_name)] = Field(
        description="Its name, which its certificates bear.", examples=["orders-deployer"]
    )
    owner: Text = Field(
        description="The person who answers for it. If persons are declared the owner must be one of them, "
        "or the identity gets no certificate.",
        examples=["dana@acme.example"],
    )
    issuer: Text = Field(description="The name of the issuer of its tokens.", examples=["github"])
    match: Annotated[dict[str, Any], AfterValidator(check_match)] = Field(
        description="The claims that a token must have, all of them. A value is a string, a whole number, "
        "true or false, of the claim's own type, or a list of these (any of them); nested claims are nested "
        "tables. A string matches exactly unless it begins with `glob:`. Prefer ids, which cannot be renamed "
        "or used again.",
        examples=[{"repository_id": "1296269", "environment": "production"}],
    )
    groups: list[Group] = Field(
        default=[], description="The groups that rules know it by.", examples=[["ci"]]
    )
    lifetime: Lifetime = Field(
        default=_written("15m"),
        description="How long a certificate is good for starting sessions, 1m to 1d; never past the token.",
        examples=["15m"],
    )
    session: SessionLength = Field(
        default=_written("1h"), description="The longest session, 1m to 7d.", examples=["1h"]
    )


class AuthTable(Table):
    """How the bastion logs in to a target."""

    kind: AuthKind = Field(
        description='"certificate": the user CA signs one per session; "key": a private key, in `file`.',
        examples=["certificate"],
    )
    file: Text | None = Field(
        default=None, description="The private key, never under `data`.", examples=["keys/web-1"]
    )


class TargetTable(Table):
    """Something that sessions can reach."""

    name: Annotated[str, AfterValidator(check_target_name)] = Field(
        description="The name that bots ask for; unique whatever the case of its letters.", examples=["web-1"]
    )
    kind: TargetKind = Field(default="ssh", description="What it speaks.")
    address: Annotated[Address, PlainValidator(parse_address, json_schema_input_type=str)] = Field(
        description='Where it is: "HOST:PORT" or "[IPV6]:PORT"; the port is 22 if left out.',
        examples=["10.0.0.5:22"],
    )
    host_key: KeyLine | None = Field(
        default=None,
        description="The public key it must show, as in its .pub file. Either this or host_ca.",
        examples=["ssh-ed25519 AAAA..."],
    )
    host_ca: KeyLine | None = Field(
        default=None,
        description="The public key of the CA that signs its host certificate. Either this or host_key.",
        examples=["ssh-ed25519 AAAA..."],
    )
    logins: Annotated[list[Annotated[str, AfterValidator(check_login)]], Field(min_length=1)] = Field(
        description="The user names on it that may be asked for.", examples=[["deploy"]]
    )
    shell: Text = Field(
        default="bash",
        description="The login shell of these users; what is not known to parse like bash is unparsed.",
    )
    labels: dict[Text, Text] = Field(
        default={}, description="What rules know it by.", examples=[{"env": "prod"}]
    )
    auth: AuthTable = Field(
        default=_written({"kind": "certificate"}), description="How the bastion logs in to it."
    )


class PolicyTable(Table):
    """Which rules decide."""

    files: Annotated[list[Text], Field(min_length=1)] = Field(
        description="Policy files, or `library:NAME` for one that is shipped. All rules count, in no order.",
        examples=[["policy.toml"]],
    )
    known_values: Text | None = Field(
        default=None,
        description="A file of values that are always masked, one a line of 6 bytes and more (a line that begins with "
        "# is none), readable by its owner alone.",
        examples=["known-values"],
    )
    known_hashes: list[Text] = Field(
        default=[],
        description="Values that are always masked, each as `bastion hash-value` prints it.",
        examples=[["24:5f0c0ab5a5f7ae92c31c5b0c7a3f1d2e"]],
    )
    approvers: ApproversTable | None = Field(
        default=None,
        description='Who may approve where a rule with verdict = "approve" names nobody, as those of the library do.',
        examples=[{"groups": ["dba"]}],
    )


class Document(Table):
    """A configuration of the bastion."""

    bastion: BastionTable = Field(default=_written({}), description="The bastion itself.")
    recorder: RecorderTable = Field(default=_written({}), description="How sessions are recorded.")
    limits: LimitsTable = Field(
        default=_written({}),
        description="What peers may make of the bastion; a source is an address, or an IPv6 /64. "
        "A reload counts for new connections.",
    )
    issuer: list[IssuerTable] = Field(default=[], description="The OIDC issuers whose tokens are taken.")
    person: list[PersonTable] = Field(default=[], description="Humans, each under all their names.")
    identity: list[IdentityTable] = Field(default=[], description="Bots, jobs and service accounts.")
    target: list[TargetTable] = Field(default=[], description="What sessions can reach.")
    notify: list[NotifyTable] = Field(
        default=[], description="Where people are told of holds, denials and alerts."
    )
    answers: AnswersTable = Field(
        default=_written({}),
        description="Where answers to holds are taken over HTTP: nowhere, unless it listens.",
    )
    policy: PolicyTable = Field(description="Which rules decide.", examples=[{"files": ["policy.toml"]}])


@cache
def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration, for editors."""
    return tidied(Document.model_json_schema(), "bastion configuration")
