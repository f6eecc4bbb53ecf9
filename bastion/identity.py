"""Find the one identity that a verified token belongs to, its owner, and what to keep as evidence of it.

IdentityError (a Refused)
├── NoIdentity           the bot's or the operator's: no identity matches; names the claim that did not
└── AmbiguousIdentity    the operator's: two or more match, and none is preferred

In      Claims of a verified token; identities and persons as the operator declared them
Out     Identity, the owner's name, flat evidence of strings
Errors  IdentityError; ClaimRefused when a claim has a type or length that it must not have
Source  the claim names are those documented by GitHub Actions, GitLab CI and Kubernetes (projected tokens)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bastion.errors import Refused
from bastion.strict_json import shown
from bastion.token import ClaimRefused, Claims
from policies.pattern import matches
from policies.problem import key_path

Scalar = str | int | bool
MatchValue = Scalar | Sequence[Scalar] | Mapping[str, Any]

EVIDENCE_CHARS = 256
GROUP_CHARS = 256
MAX_GROUPS = 200
NAMED_MISFITS = 3

# Evidence name -> claims that may hold it, first one present wins.
_EVIDENCE: Mapping[str, tuple[str, ...]] = {
    "issuer": ("iss",),
    "sub": ("sub",),
    "repository": ("repository", "project_path"),
    "repository_id": ("repository_id", "project_id"),
    "run_id": ("run_id", "pipeline_id"),
    "run_attempt": ("run_attempt",),
    "commit": ("sha",),
    "actor": ("actor", "user_login"),
    "job": ("job_id", "check_run_id", "job_workflow_ref"),
    "ref": ("ref_path", "ref"),  # GitLab's `ref` is the short name, its `ref_path` what GitHub calls `ref`
    "environment": ("environment",),
    "workflow": ("workflow_ref", "ci_config_ref_uri", "workflow"),
}
_KUBERNETES = "kubernetes.io"
_POD_EVIDENCE: Mapping[str, tuple[str, ...]] = {
    "namespace": ("namespace",),
    "pod": ("pod", "name"),
    "service_account": ("serviceaccount", "name"),
    "node": ("node", "name"),
}
_PATH = re.compile(r"[A-Za-z0-9._/@-]+")
_RUN_NUMBER = re.compile(r"[0-9]+")
_ABSENT = object()


class IdentityError(Refused):
    """Root of this module's errors; `code` is stable and `public` may be shown to the bot."""

    code = "identity"


class NoIdentity(IdentityError):
    """No declared identity matches the token's claims."""

    code = "identity-none"


class AmbiguousIdentity(IdentityError):
    """More than one declared identity matches; which was meant is the operator's to say."""

    code = "identity-ambiguous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One human and all their names: `aliases` maps an issuer's name to their user name there.

    `identities` are their own: who has a certificate of one of them is this person, and so is the user `uid` on this
    machine, and who signs with the key in `answer_key_file`.
    """

    name: str
    aliases: Mapping[str, str]
    groups: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    uid: int | None = None
    answer_key_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A non-human identity as declared; every field of `match` must match a claim of the same path and type.

    A string matches exactly, code point by code point, unless it begins with `glob:`; then `*` is any run of
    characters (`/` included) and `?` any one. A list means any of; a table goes one level down.
    Raise ValueError for a match that is empty at any level, since it would match every token of the issuer.
    """

    name: str
    owner: str
    issuer: str
    match: Mapping[str, MatchValue]
    groups: tuple[str, ...]
    lifetime_s: int
    session_s: int

    def __post_init__(self) -> None:
        _check_match(self.match, f"identity {self.name}: match")


def identify(claims: Claims, identities: Sequence[Identity]) -> Identity:
    """Return the one identity that the claims match; raise NoIdentity or AmbiguousIdentity."""
    candidates = [identity for identity in identities if identity.issuer == claims.issuer]
    if not candidates:
        raise NoIdentity(f"no identity is declared for issuer {claims.issuer}")
    misfits = [list(_misfits(identity.match, claims)) for identity in candidates]
    matching = [identity for identity, misfit in zip(candidates, misfits, strict=True) if not misfit]
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = ", ".join(sorted(identity.name for identity in matching))
        raise AmbiguousIdentity(f"the token matches {len(matching)} identities, and must match one: {names}")

    def closeness(index: int) -> tuple[int, int]:
        fields = sum(1 for _ in _fields(candidates[index].match))
        return fields - len(misfits[index]), -len(misfits[index])

    closest = max(range(len(candidates)), key=closeness)
    named = "; ".join(misfits[closest][:NAMED_MISFITS])
    raise NoIdentity(f"no identity matches the token; the closest is {candidates[closest].name}: {named}")


def evidence_claims(claims: Claims) -> dict[str, str]:
    """Return the claims that go into the certificate and every session row, under names common to all.

    Names: issuer, sub, repository, repository_id, run_id, run_attempt, run_url, commit, actor, job, ref,
    environment, workflow, pod, namespace, service_account, node; those that the token has. Each has at most
    256 characters (longer ones are cut and end in "..."); control and invisible ones are written as \\u{…}.
    Raise ClaimRefused where a claim that must be a string is a list, a table, a bool or a fraction (T12).
    """
    found: dict[str, str] = {}
    for name, sources in _EVIDENCE.items():
        for claim in sources:
            value = _text(claims.get(claim), claim)
            if value is not None:
                found[name] = value
                break
    for name, path in _POD_EVIDENCE.items():
        table: Any = claims.get(_KUBERNETES)
        for depth, key in enumerate(path):
            if table is None:
                break
            if not isinstance(table, Mapping):
                raise ClaimRefused(key_path((_KUBERNETES, *path[:depth])), "a table", shown(table))
            table = table.get(key)
        value = _text(table, key_path((_KUBERNETES, *path)))
        if value is not None:
            found[name] = value
    run_url = _run_url(claims)
    if run_url is not None:
        found["run_url"] = run_url
    return found


def claimed_groups(claims: Claims, issuer_name: str, groups_claim: str | None) -> tuple[str, ...]:
    """Return the groups that the token claims, each as `issuer_name/group`; raise ClaimRefused if no list."""
    if groups_claim is None or groups_claim not in claims:
        return ()
    groups = claims[groups_claim]
    if not isinstance(groups, list) or len(groups) > MAX_GROUPS:
        raise ClaimRefused(groups_claim, f"a list of at most {MAX_GROUPS} strings", shown(groups))
    for group in groups:
        plain = isinstance(group, str) and group.isprintable() and _escape(group) == group
        if not plain or not 0 < len(group) <= GROUP_CHARS:
            raise ClaimRefused(
                groups_claim, f"printable strings of up to {GROUP_CHARS} characters", shown(group)
            )
    return tuple(sorted({f"{issuer_name}/{group}" for group in groups}))


def resolve_owner(identity: Identity, persons: Sequence[Person]) -> str | None:
    """Return the name of the human who owns the identity, or None: no owner, no certificate (L7).

    If persons are declared the owner must be exactly one of them, by name or else by an alias.
    """
    if not persons:
        return identity.owner.strip() or None
    if any(person.name == identity.owner for person in persons):
        return identity.owner
    known = {person.name for person in persons if identity.owner in person.aliases.values()}
    return known.pop() if len(known) == 1 else None


def _check_match(match: Mapping[str, Any], where: str) -> None:
    if not match:
        raise ValueError(f"{where} is empty and would match every token; name at least one claim")
    for key, expected in match.items():
        if isinstance(expected, Mapping):
            _check_match(expected, f"{where}.{key_path((key,))}")
            continue
        values = expected if isinstance(expected, list | tuple) else [expected]
        if not values or not all(isinstance(value, str | int) for value in values):
            raise ValueError(
                f"{where}.{key_path((key,))} must be a string, integer or boolean, or a list of these"
            )


def _fields(match: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, expected in match.items():
        if isinstance(expected, Mapping):
            yield from _fields(expected, (*path, key))
        else:
            yield (*path, key), expected


def _misfits(match: Mapping[str, Any], claims: Mapping[str, Any]) -> Iterator[str]:
    for path, expected in _fields(match):
        actual: Any = claims
        for key in path:
            actual = actual.get(key, _ABSENT) if isinstance(actual, Mapping) else _ABSENT
        choices = expected if isinstance(expected, list | tuple) else [expected]
        if not any(_fits(choice, actual) for choice in choices):
            got = "nothing" if actual is _ABSENT else shown(actual)
            wanted = " or ".join(shown(choice) for choice in choices[:NAMED_MISFITS])
            wanted += " or others" if len(choices) > NAMED_MISFITS else ""
            yield f"its claim {key_path(path)} expects {wanted}, the token has {got}"


def _fits(expected: Scalar, actual: object) -> bool:
    # T12: same type first, so that 1, True, "1" and ["1"] are four different things.
    if type(expected) is not type(actual):
        return False
    if isinstance(expected, str) and isinstance(actual, str):
        return matches(expected, actual)
    return expected == actual


def _text(value: object, claim: str) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ClaimRefused(claim, "a string", shown(value))
    text = _escape(str(value))
    return text if len(text) <= EVIDENCE_CHARS else text[: EVIDENCE_CHARS - 3] + "..."


def _escape(text: str) -> str:
    # Controls, formats (bidi, zero width), surrogates, private use, unassigned; line separators.
    return "".join(
        f"\\u{{{ord(char):x}}}" if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029" else char
        for char in text
    )


def _run_url(claims: Claims) -> str | None:
    """Return where a person can look at the run, if the token is one of GitHub Actions or GitLab CI."""
    for project, number, way in (
        ("repository", "run_id", "actions/runs"),
        ("project_path", "job_id", "-/jobs"),
    ):
        path, run = claims.get(project), _text(claims.get(number), number)
        if isinstance(path, str) and _PATH.fullmatch(path) and run is not None and _RUN_NUMBER.fullmatch(run):
            site = _github_site(claims) if project == "repository" else str(claims["iss"]).rstrip("/")
            return _text(f"{site}/{path}/{way}/{run}", "run_url")
    return None


def _github_site(claims: Claims) -> str:
    named = claims.get("server_url")
    if isinstance(named, str) and named.startswith("https://") and _PATH.fullmatch(named[len("https://") :]):
        return named.rstrip("/")
    issuer = urlsplit(str(claims["iss"]))
    host = issuer.hostname or ""
    if issuer.path == "/_services/token":  # GitHub Enterprise Server
        return f"https://{issuer.netloc}"
    if host.startswith("token.actions.") and host.endswith(".ghe.com"):  # data residency
        return f"https://{host.removeprefix('token.actions.')}"
    return "https://github.com"
