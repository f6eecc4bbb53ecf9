"""Trade an OIDC token for a certificate: who may have one, for which key, for how long.

In      a token, the key whose owner has just proven possession of it (by logging in with it), the peer's address
Out     a certificate line
Errors  CertificateRefused, its text fit for the bot; every refusal is on the audit chain
Source  docs/bots.md; RFC 7519; OpenSSH PROTOCOL.certkeys
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from bastion import certificate
from bastion.certificate import CertificateError
from bastion.errors import Refused
from bastion.identity import (
    Identity,
    IdentityError,
    claimed_groups,
    evidence_claims,
    identify,
    resolve_owner,
)
from bastion.keyring import Keyring
from bastion.locks.book import Book
from bastion.locks.lock import Party
from bastion.register import Register
from bastion.settings import Config, IssuerSettings
from bastion.token import (
    Claims,
    IssuerTrust,
    KeySource,
    TokenError,
    UnknownKey,
    read_unverified,
    verify,
)
from recorder.store import Store

TOKEN_BYTES = 16 * 1024
_RUN = re.compile(r"[^A-Za-z0-9._-]+")


class CertificateRefused(Refused):
    """No certificate for this token and key."""

    code = "certificate-refused"

    def __init__(self, message: str, *, code: str, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.detail = dict(detail or {})


def fingerprint(blob: bytes) -> str:
    """Return a key's fingerprint as OpenSSH shows it: SHA256:BASE64."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


class Authority:
    """The login CA and what it asks before it signs."""

    def __init__(
        self,
        *,
        keyring: Keyring,
        store: Store,
        config: Callable[[], Config],
        key_source: Callable[[str], KeySource],
        now: Callable[[], float],
        register: Register,
        book: Book,
    ) -> None:
        self._keyring = keyring
        self._store = store
        self._config = config
        self._key_source = key_source
        self._now = now
        self._register = register
        self._book = book

    async def issue(self, token: bytes, key: bytes, peer: str) -> str:
        """Return a certificate line for the key; raise CertificateRefused (recorded) or RecorderError."""
        await self._admit(peer)
        try:
            return await self._issue(token, key, peer)
        except CertificateRefused as refused:
            await self._store.audit(
                "certificate.refused",
                {
                    "code": refused.code,
                    "reason": refused.public,
                    "peer": peer,
                    "key": fingerprint(key),
                    **refused.detail,
                },
            )
            raise

    async def _issue(self, token: bytes, key: bytes, peer: str) -> str:
        config = self._config()
        claims, issuer = await self._verified(config, token)
        seen = {"token": claims.digest, "issuer": issuer.name}
        try:
            certificate.sound_key(key)
            identity = identify(claims, config.identities)
            evidence = {"issuer_name": issuer.name, **evidence_claims(claims)}
            groups = claimed_groups(claims, issuer.name, issuer.groups_claim)
        except (IdentityError, TokenError) as error:
            raise CertificateRefused(error.public, code=error.code, detail=seen) from error
        except CertificateError as error:
            raise CertificateRefused(str(error), code="key-refused", detail=seen) from error
        owner = resolve_owner(identity, config.persons)
        if owner is None:
            raise CertificateRefused(
                f"identity {identity.name} has no owner: {identity.owner} is no declared person",
                code="no-owner",
                detail={**seen, "identity": identity.name},
            )
        key_id = f"{identity.name}/{run_name(evidence, claims.digest)}"
        party = Party(identity=identity.name, persons=frozenset({owner}), run=key_id)
        if (lock := self._book.on(party)) is not None:
            raise CertificateRefused(
                lock.public, code="locked", detail={**seen, "identity": identity.name, "lock": lock.id}
            )
        await self._bind(claims, issuer, fingerprint(key), identity)
        now = self._now()
        valid_before = int(min(now + identity.lifetime_s, claims.expires_at))
        line, serial = certificate.issue_login(
            key,
            ca=self._keyring.login_ca,
            identity=identity.name,
            key_id=key_id,
            claims=evidence,
            groups=groups,
            now=now,
            valid_before=valid_before,
        )
        await self._store.audit(
            "certificate.issued",
            {
                "identity": identity.name,
                "owner": owner,
                "key_id": key_id,
                "serial": serial,
                "valid_before": valid_before,
                "token": claims.digest,
                "token_expires": claims.expires_at,
                "key": fingerprint(key),
                "claims": evidence,
                "peer": peer,
            },
        )
        return line

    async def _verified(self, config: Config, token: bytes) -> tuple[Claims, IssuerSettings]:
        """Return the claims of a token that holds, and whose it is."""
        detail: dict[str, Any] = {}
        try:
            text = _text(token)
            head = read_unverified(text)
            detail["token"] = head.digest
            issuer = next((known for known in config.issuers if known.url == head.iss), None)
            if issuer is None:
                raise CertificateRefused(
                    f"claim iss: no issuer with the URL {head.iss[:200]!r} is declared here",
                    code="issuer-unknown",
                    detail=detail,
                )
            detail["issuer"] = issuer.name
            trust = IssuerTrust(name=issuer.name, url=issuer.url, audience=issuer.audience)
            source = self._key_source(issuer.name)
            keys = await source.keys(kid=None, now=self._now())
            try:
                return verify(text, issuer=trust, keys=keys, now=self._now()), issuer
            except UnknownKey:
                keys = await source.keys(kid=head.kid, now=self._now())
                return verify(text, issuer=trust, keys=keys, now=self._now()), issuer
        except TokenError as error:
            raise CertificateRefused(error.public, code=error.code, detail=detail) from error

    async def _bind(self, claims: Claims, issuer: IssuerSettings, key: str, identity: Identity) -> None:
        """Let a token serve the first key it came with, and no other (T16)."""
        if not issuer.one_key_per_token:
            return
        first = await self._register.first_key(claims.digest, key, claims.expires_at)
        if first != key:
            raise CertificateRefused(
                "this token was already used with another key; a job must ask for a token of its own",
                code="token-reused",
                detail={"token": claims.digest, "identity": identity.name, "first_key": first},
            )

    async def _admit(self, peer: str) -> None:
        """Slow down a source that asks more often than jobs do; it is not recorded each time."""
        if not await self._register.may_ask(peer):
            raise Refused("too many certificate requests from this address; try again in a few seconds")


def run_name(evidence: Mapping[str, str], digest: str) -> str:
    """Return what distinguishes one run of an identity, fit for a key id."""
    for name in ("run_id", "job", "pod", "sub"):
        if name in evidence:
            return _RUN.sub("-", evidence[name])[:64] or digest[:12]
    return digest[:12]


def _text(token: bytes) -> str:
    """Return the token as text, surrounding white space left out."""
    if len(token) > TOKEN_BYTES:
        raise CertificateRefused(f"the token is longer than {TOKEN_BYTES} bytes", code="token-malformed")
    text = token.strip()
    if not text:
        raise CertificateRefused(
            "no token on standard input; use: ssh login@BASTION certificate < token > key-cert.pub",
            code="token-malformed",
        )
    try:
        return text.decode("ascii")
    except UnicodeDecodeError as error:
        raise CertificateRefused("the token is not ASCII text", code="token-malformed") from error
