"""Find what is wrong between the tables of a configuration, each of which is sound by itself.

In      the sound tables, by their place in the file
Out     (key, message) for each problem
Source  docs/configuration.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bastion.addresses import is_loopback
from bastion.config_rows import Rows
from bastion.identity import resolve_owner
from bastion.match_table import canonical_match
from bastion.settings import BastionSettings, IssuerSettings, Target
from policies.problem import key_path, listed, shown

Finding = tuple[str, str]

SOCKET_PATH_BYTES = 107

_URL = "expected an https URL without user, query, fragment (http on loopback only), or a jwks_file beside it"


def incoherences(rows: Rows) -> Iterator[Finding]:
    """Yield what is wrong, section by section."""
    if rows.bastion:
        yield from _bastion(rows.bastion)
    yield from _issuers(rows.issuers)
    yield from _persons(rows)
    yield from _own_identities(rows)
    yield from _identities(rows)
    yield from _targets(rows)
    yield from _channels(rows)
    yield from _answer_keys(rows)


def _bastion(bastion: BastionSettings) -> Iterator[Finding]:
    data, keys = bastion.data, bastion.keys
    if keys.is_relative_to(data) or data.is_relative_to(keys):
        how = "the same folder as" if keys == data else "under" if keys.is_relative_to(data) else "round"
        expected = "expected a folder apart from it: who backs up evidence must not copy the CAs"
        yield "bastion.keys", f"{keys} is {how} bastion.data ({data}), {expected}"
    yield from _socket(bastion)
    listen = [(index, str(address)) for index, address in enumerate(bastion.listen) if address.port]
    yield from _taken("bastion.listen[{}]", listen)
    yield from _taken(
        "bastion.names[{}]", [(index, name.lower()) for index, name in enumerate(bastion.names)]
    )


def _socket(bastion: BastionSettings) -> Iterator[Finding]:
    """Yield what is wrong with the place of the socket, which any user must reach (unix(7): 107 bytes at most)."""
    path = bastion.socket
    if path is None:
        return
    for name, folder in (("data", bastion.data), ("keys", bastion.keys)):
        if path.is_relative_to(folder):
            yield "bastion.socket", f"{path} is under bastion.{name}, expected a folder that others may enter"
    if len(bytes(path)) > SOCKET_PATH_BYTES:
        yield "bastion.socket", f"{path} is longer than {SOCKET_PATH_BYTES} bytes, expected a shorter path"


def _issuers(issuers: Mapping[int, IssuerSettings]) -> Iterator[Finding]:
    yield from _taken("issuer[{}].name", [(at, issuer.name) for at, issuer in issuers.items()])
    yield from _taken("issuer[{}].url", [(at, issuer.url) for at, issuer in issuers.items()])
    for at, issuer in issuers.items():
        if issuer.jwks_file is None and not _may_fetch(issuer.url):
            yield f"issuer[{at}].url", f"got {shown(issuer.url)}, {_URL}"
        if issuer.jwks_file is not None:
            yield from _missing_file(f"issuer[{at}].jwks_file", issuer.jwks_file, "a JWK Set")


def _persons(rows: Rows) -> Iterator[Finding]:
    yield from _taken("person[{}].name", [(at, person.name) for at, person in rows.persons.items()])
    seen: dict[tuple[str, str], int] = {}
    for at, person in rows.persons.items():
        for issuer, user in person.aliases.items():
            key = key_path(("person", at, "aliases", issuer))
            if issuer not in rows.issuer_names | rows.channel_names:
                yield key, _undeclared(issuer, rows.issuer_names)
            first = seen.setdefault((issuer, user), at)
            if first != at:
                yield (
                    key,
                    f"{shown(user)} is taken by person[{first}], expected one person for each user name",
                )


def _own_identities(rows: Rows) -> Iterator[Finding]:
    """Yield what is wrong with the identities and users that persons have for themselves."""
    taken: dict[str, int] = {}
    uids: dict[int, int] = {}
    owners = {identity.name: identity for identity in rows.identities.values()}
    persons = tuple(rows.persons.values())
    for at, person in rows.persons.items():
        for index, name in enumerate(person.identities):
            key = f"person[{at}].identities[{index}]"
            first = taken.setdefault(name, at)
            if first != at:
                yield key, f"{shown(name)} is person[{first}] already, expected one person for each"
            if name not in rows.identity_names:
                yield key, f"no identity is called {shown(name)}, expected the name of an [[identity]]"
            elif name in owners and resolve_owner(owners[name], persons) != person.name:
                owner = shown(owners[name].owner)
                yield key, f"{shown(name)} is owned by {owner}, expected an identity that the person owns"
        if person.uid is not None and (first := uids.setdefault(person.uid, at)) != at:
            yield f"person[{at}].uid", f"{person.uid} is taken by person[{first}], expected each only once"


def _identities(rows: Rows) -> Iterator[Finding]:
    yield from _taken("identity[{}].name", [(at, identity.name) for at, identity in rows.identities.items()])
    seen: dict[tuple[str, str], int] = {}
    for at, identity in rows.identities.items():
        if identity.issuer not in rows.issuer_names:
            yield f"identity[{at}].issuer", _undeclared(identity.issuer, rows.issuer_names)
        first = seen.setdefault((identity.issuer, canonical_match(identity.match)), at)
        if first != at:
            yield (
                f"identity[{at}].match",
                f"is the same as that of identity[{first}], expected one identity for each token",
            )


def _targets(rows: Rows) -> Iterator[Finding]:
    yield from _taken("target[{}].name", [(at, target.name.lower()) for at, target in rows.targets.items()])
    names = {name.lower() for name in rows.bastion.names} if rows.bastion else set()
    for at, target in rows.targets.items():
        if target.name.lower() in names:
            yield (
                f"target[{at}].name",
                f"{shown(target.name)} is a name of the bastion, expected one of its own",
            )
        if (target.host_key is None) == (target.host_ca is None):
            got = (
                "has neither host_key nor host_ca"
                if target.host_key is None
                else "has both host_key and host_ca"
            )
            yield f"target[{at}]", f"{got}, expected one of them: how the target proves that it is the target"
        yield from _auth(f"target[{at}].auth.file", target, rows.bastion)


def _auth(key: str, target: Target, bastion: BastionSettings | None) -> Iterator[Finding]:
    file = target.auth.file
    if target.auth.kind == "certificate":
        if file is not None:
            yield key, 'is set but unused with kind = "certificate", expected kind = "key"'
    elif file is None:
        yield key, 'is missing, expected the file of a private key, or kind = "certificate"'
    elif bastion and file.is_relative_to(bastion.data):
        yield (
            key,
            f"{file} is under bastion.data, expected another folder: backing up evidence must not copy keys",
        )
    else:
        yield from _missing_file(key, file, "a private key")


def _channels(rows: Rows) -> Iterator[Finding]:
    yield from _taken("notify[{}].name", [(at, channel.name) for at, channel in rows.channels.items()])
    for at, channel in rows.channels.items():
        if channel.name in rows.issuer_names:
            yield f"notify[{at}].name", f"{shown(channel.name)} is an issuer's name, expected one of its own"
        yield from _secret_file(f"notify[{at}].url_file", channel.url_file, rows.bastion)
        key = f"notify[{at}].key_file"
        if channel.kind == "webhook" and channel.key_file is None:
            yield key, "is missing, expected the file of the key that signs what is sent"
        if channel.kind == "apprise" and channel.key_file is not None:
            yield key, 'is set but unused with kind = "apprise"; no answers come from there'
        elif channel.key_file is not None:
            yield from _secret_file(key, channel.key_file, rows.bastion)
        if channel.kind != "slack" and channel.team is not None:
            yield f"notify[{at}].team", 'is set but unused, expected kind = "slack"'


def _answer_keys(rows: Rows) -> Iterator[Finding]:
    for at, person in rows.persons.items():
        if person.answer_key_file is not None:
            yield from _secret_file(f"person[{at}].answer_key_file", person.answer_key_file, rows.bastion)


def _secret_file(key: str, file: Path, bastion: BastionSettings | None) -> Iterator[Finding]:
    """Yield what is wrong with the place of a secret, which is never shown where it is one by mistake."""
    if ":/" in str(file):
        yield key, "is a URL, which is a secret, expected the name of a file that holds it"
    elif bastion and file.is_relative_to(bastion.data):
        yield (
            key,
            f"{file} is under bastion.data, expected another folder: backing up evidence must not copy keys",
        )
    else:
        yield from _missing_file(key, file, "one that holds a secret, of this user alone (chmod 600)")


def _may_fetch(url: str) -> bool:
    """Say whether discovery may start at this URL (OpenID Connect Discovery 1.0 section 4.1)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or port == 0 or "@" in parts.netloc or "?" in url or "#" in url or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def _missing_file(key: str, file: Path, what: str) -> Iterator[Finding]:
    if not file.is_file():
        yield key, f"there is no file {file}, expected {what}"


def _undeclared(issuer: str, declared: Iterable[str]) -> str:
    names = listed([shown(name) for name in sorted(declared)]) or "an [[issuer]] of that name"
    return f"no issuer is called {shown(issuer)}, expected {names}"


def _taken(key: str, values: Iterable[tuple[int, str]]) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for at, value in values:
        first = seen.setdefault(value, at)
        if first != at:
            yield key.format(at), f"{shown(value)} is taken by {key.format(first)}, expected each only once"
