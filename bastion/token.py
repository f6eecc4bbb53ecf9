"""Verify a token of an OIDC issuer, without any network.

TokenError (a Refused)
├── TokenMalformed      the bot's: not a compact JWS of strict base64url and strict JSON
├── HeaderRefused       the bot's: a header parameter that we do not obey, or a token made for something else
├── AlgorithmRefused    the bot's: none, HS*, or anything else that is not on the list
├── UnknownKey          the bot's, or the issuer has rotated: no key of the issuer has this kid
├── KeyRefused          the issuer's: the key does not fit the algorithm, or is too weak
├── SignatureInvalid    the bot's
├── ClaimRefused        the bot's: a claim is missing, of the wrong type, or says something else
├── KeySetMalformed     the issuer's or the operator's: not a JWK Set of public keys
└── KeysUnavailable     the issuer's: its keys cannot be fetched, and none are cached that may still be used

In      the token as text, the keys of its issuer, the time in unix seconds
Out     Claims; every error has a `code` and a `public` text that names the claim and never holds the token
Holds   at most 16 KiB of token
Source  RFC 7515, 7517, 7518, 7519, 8037, 8725; OpenID Connect Core 1.0 section 2
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol

from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from bastion.errors import Refused
from bastion.strict_json import read_object, shown

MAX_TOKEN_BYTES = 16 * 1024
LEEWAY_S = 30  # for nbf and iat only: exp has none, since no certificate may outlive its token (L6)
MAX_LIFETIME_S = 24 * 3600  # a token that is good for longer is a password, not a job's token
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192  # a larger modulus only costs us time

# Key type and curve that each allowed algorithm needs (RFC 7518 section 3.1, RFC 8037 section 3.1).
_ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    **{f"{family}{bits}": ("RSA", None) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
_PUBLIC_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("kty", "n", "e"),
    "EC": ("kty", "crv", "x", "y"),
    "OKP": ("kty", "crv", "x"),
}
# RFC 8725 section 3.11: what else is typed (logout+jwt, dpop+jwt, secevent+jwt, …) was not made to log in.
_TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_LATEST_DATE_S = 253402300799  # the end of the year 9999


class TokenError(Refused):
    """Root of this module's errors; `code` is stable and `public` may be shown to the bot."""

    code = "token"


class TokenMalformed(TokenError):
    """The text is not a compact JWS whose header and payload are JSON objects."""

    code = "token-malformed"


class HeaderRefused(TokenError):
    """A header parameter asks for something that we do not do, or says the token is of another kind."""

    code = "token-header"


class AlgorithmRefused(TokenError):
    """The algorithm is not on the list of allowed ones (RFC 8725 section 3.1)."""

    code = "token-algorithm"


class UnknownKey(TokenError):
    """No key of the issuer has the token's kid; it may have been rotated in since the last fetch."""

    code = "token-unknown-key"


class KeyRefused(TokenError):
    """The issuer's key cannot serve: wrong type, curve, use or size, or two that fit alike."""

    code = "token-key"


class SignatureInvalid(TokenError):
    """The signature was not made by the issuer's key over these bytes."""

    code = "token-signature"


class ClaimRefused(TokenError):
    """One claim does not fit; `claim` names it."""

    code = "token-claim"

    def __init__(self, claim: str, expected: str, actual: str) -> None:
        super().__init__(f"the token's claim {claim} does not fit: expected {expected}, got {actual}")
        self.claim = claim


class KeySetMalformed(TokenError):
    """The document is not a JWK Set of public keys (RFC 7517 section 5)."""

    code = "issuer-keys"


class KeysUnavailable(TokenError):
    """The issuer's keys cannot be had now, so none of its tokens can be verified (L2)."""

    code = "issuer-unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHead:
    """What a token says, unproven; `digest` is SHA-256 of its signing input (header.payload), in hex."""

    alg: str
    kid: str | None
    iss: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerTrust:
    """An issuer as the operator declared it: our name for it, its exact `iss`, and the `aud` that is us."""

    name: str
    url: str
    audience: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claims(Mapping[str, Any]):
    """What a verified token claims; `issuer` is our name for its issuer, `expires_at` is in unix seconds."""

    issuer: str
    raw: Mapping[str, Any] = field(repr=False)
    digest: str
    expires_at: int

    def __getitem__(self, claim: str) -> Any:
        return self.raw[claim]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The public keys of one issuer; each is judged when a token names it, so an odd one spoils no other."""

    keys: tuple[Mapping[str, Any], ...]

    @classmethod
    def parse(cls, body: bytes) -> KeySet:
        """Read a JWK Set; raise KeySetMalformed if it is none, or if it gives away a private key."""
        try:
            keys = read_object(body).get("keys")
        except ValueError as error:
            raise KeySetMalformed(f"the issuer's key set is not strict JSON: {error}") from error
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise KeySetMalformed('the issuer\'s key set needs a list of objects under "keys"')
        for key in keys:
            if "d" in key:
                raise KeySetMalformed(
                    f"the issuer's key {shown(key.get('kid'))} is private; publish the public one"
                )
        return cls(keys=tuple(keys))

    def has(self, kid: str) -> bool:
        """Say whether some key has this kid."""
        return any(key.get("kid") == kid for key in self.keys)


class KeySource(Protocol):
    """What login needs: the keys of one issuer, as fresh as `kid` asks for."""

    async def keys(self, *, kid: str | None, now: float) -> KeySet:
        """Return the issuer's keys, fetched anew if none has `kid` and it is time; raise KeysUnavailable."""
        ...


def read_unverified(token: str) -> TokenHead:
    """Return what the token says of itself, to choose the issuer's keys by; nothing of it is proven yet.

    A header that `verify` would refuse is refused here already, so that no key is fetched for it.
    """
    return _parse(token)[0]


def verify(token: str, *, issuer: IssuerTrust, keys: KeySet, now: float) -> Claims:
    """Return the claims if this issuer made the token for us and it holds at `now`; else raise TokenError."""
    head, payload = _parse(token)
    if head.iss != issuer.url:
        raise ClaimRefused("iss", shown(issuer.url), shown(head.iss))
    key = _select(keys, head)
    try:
        signed = JWS()
        signed.allowed_algs = [head.alg]
        signed.deserialize(token)
        signed.verify(JWK(**{member: key[member] for member in _PUBLIC_MEMBERS[key["kty"]]}), alg=head.alg)
    except JWException:  # its text may hold parts of the token, so it is not chained
        raise SignatureInvalid(f"the token's signature was not made by issuer {issuer.name}") from None
    _check_audience(payload, issuer.audience)
    expires_at = _check_times(payload, now)
    for claim in ("sub", "jti"):
        value = payload.get(claim)
        if not (isinstance(value, str) and value) and not (claim == "jti" and claim not in payload):
            raise ClaimRefused(claim, "a string that is not empty", _got(payload, claim))
    return Claims(
        issuer=issuer.name, raw=MappingProxyType(payload), digest=head.digest, expires_at=expires_at
    )


def _parse(token: str) -> tuple[TokenHead, dict[str, Any]]:
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenMalformed(f"the token is longer than {MAX_TOKEN_BYTES} bytes")
    if token.startswith("{"):
        raise TokenMalformed("the token is in JSON form; send it in compact form: header.payload.signature")
    parts = token.split(".")
    if len(parts) == 5:
        raise TokenMalformed("the token is encrypted (JWE); send a signed one")
    if len(parts) != 3:
        raise TokenMalformed(f"the token has {len(parts)} parts between its dots; a signed token has 3")
    header = _part(parts[0], "header")
    alg, kid = _check_header(header)
    payload = _part(parts[1], "payload")
    _decode(parts[2], "signature")
    iss = payload.get("iss")
    if not isinstance(iss, str):
        raise ClaimRefused("iss", "a string", _got(payload, "iss"))
    digest = hashlib.sha256(f"{parts[0]}.{parts[1]}".encode("ascii")).hexdigest()
    return TokenHead(alg=alg, kid=kid, iss=iss, digest=digest), payload


def _part(text: str, name: str) -> dict[str, Any]:
    try:
        return read_object(_decode(text, name))
    except ValueError as error:
        raise TokenMalformed(f"the token's {name} is not a strict JSON object: {error}") from None


def _decode(text: str, name: str) -> bytes:
    # RFC 7515 section 2: no padding; and one spelling only, or the same token could come in many texts.
    if _BASE64URL.fullmatch(text) and len(text) % 4 != 1:
        body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if base64.urlsafe_b64encode(body).rstrip(b"=").decode("ascii") == text:
            return body
    raise TokenMalformed(f"the token's {name} is not base64url without padding")


def _check_header(header: Mapping[str, Any]) -> tuple[str, str | None]:
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(alg, str) or alg not in _ALGORITHMS:
        raise AlgorithmRefused(f"the token's algorithm {shown(alg)} is not one of {', '.join(_ALGORITHMS)}")
    for parameter in ("crit", "b64", "zip", "enc"):  # RFC 7515 section 4.1.11: not understood, so refused
        if parameter in header:
            raise HeaderRefused(f"the token's header has {parameter!r}, which is not accepted")
    if "cty" in header:  # RFC 7519 section 5.2: only a nested token has one
        raise HeaderRefused("the token's header has 'cty': a token within a token is not accepted")
    if "kid" in header and not isinstance(kid, str):
        raise HeaderRefused(f"the token's header kid must be a string, got {shown(kid)}")
    if "typ" in header and not (isinstance(typ, str) and typ.lower() in _TYPES):
        raise HeaderRefused(f"the token's header typ must be JWT or at+jwt, got {shown(typ)}")
    # jku, jwk, x5u and x5c are never read: the only keys are those that the operator's issuer publishes.
    return alg, kid


def _select(keys: KeySet, head: TokenHead) -> Mapping[str, Any]:
    named = [key for key in keys.keys if head.kid is None or key.get("kid") == head.kid]
    if not named:
        raise UnknownKey(f"the issuer has no key {shown(head.kid)}: was the token made by this issuer?")
    misfits = [_misfit(key, head.alg) for key in named]
    fitting = [key for key, misfit in zip(named, misfits, strict=True) if misfit is None]
    if not fitting:
        raise KeyRefused(
            f"the issuer's key {shown(named[0].get('kid'))} cannot verify {head.alg}: {misfits[0]}"
        )
    if len(fitting) > 1:
        raise KeyRefused(f"the issuer has {len(fitting)} keys that fit kid {shown(head.kid)} and {head.alg}")
    return fitting[0]


def _misfit(key: Mapping[str, Any], alg: str) -> str | None:
    kty, curve = _ALGORITHMS[alg]
    if key.get("kty") != kty:
        return f"its type is {shown(key.get('kty'))}, not {kty}"
    if curve is not None and key.get("crv") != curve:
        return f"its curve is {shown(key.get('crv'))}, not {curve}"
    if key.get("use", "sig") != "sig":
        return f"its use is {shown(key['use'])}, not sig"
    if "key_ops" in key and not (isinstance(key["key_ops"], list) and "verify" in key["key_ops"]):
        return "its key_ops do not hold verify"
    if key.get("alg", alg) != alg:
        return f"it is for {shown(key['alg'])} only"
    if not all(isinstance(key.get(member), str) for member in _PUBLIC_MEMBERS[kty]):
        return f"it lacks one of {', '.join(_PUBLIC_MEMBERS[kty])}"
    numbers = {member: key[member] for member in _PUBLIC_MEMBERS[kty] if member not in ("kty", "crv")}
    try:  # RFC 7518 section 2; what a lenient reader leaves out would be another spelling of the same key
        decoded = {member: _decode(text, "key") for member, text in numbers.items()}
    except TokenMalformed:
        return f"one of its {', '.join(numbers)} is not base64url without padding"
    if kty == "RSA":
        bits = int.from_bytes(decoded["n"], "big").bit_length()
        if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
            return f"it has {bits} bits, not {MIN_RSA_BITS} to {MAX_RSA_BITS}"
    return None


def _check_audience(payload: Mapping[str, Any], audience: str) -> None:
    aud = payload.get("aud")
    audiences = [aud] if isinstance(aud, str) else aud
    if not isinstance(audiences, list) or not all(isinstance(one, str) for one in audiences):
        raise ClaimRefused("aud", "a string or a list of strings", _got(payload, "aud"))
    if audience not in audiences:
        raise ClaimRefused("aud", shown(audience), shown(aud))


def _check_times(payload: Mapping[str, Any], now: float) -> int:
    exp, iat, nbf = (_date(payload, claim) for claim in ("exp", "iat", "nbf"))
    if exp is None:
        raise ClaimRefused("exp", "a time", "nothing")
    expires_at = math.floor(exp)
    if expires_at <= now:
        raise ClaimRefused("exp", f"a time after {_utc(now)}", _utc(exp))
    for claim, date in (("nbf", nbf), ("iat", iat)):
        if date is not None and date > now + LEEWAY_S:
            raise ClaimRefused(claim, f"a time up to {_utc(now)}", _utc(date))
    if iat is not None and exp <= iat:
        raise ClaimRefused("exp", f"a time after iat {_utc(iat)}", _utc(exp))
    start = now if iat is None else iat
    if exp - start > MAX_LIFETIME_S:
        raise ClaimRefused("exp", f"at most {MAX_LIFETIME_S // 3600} hours after {_utc(start)}", _utc(exp))
    return expires_at


def _date(payload: Mapping[str, Any], claim: str) -> float | None:
    if claim not in payload:
        return None
    value = payload[claim]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST_DATE_S:
        raise ClaimRefused(claim, "a number of seconds since 1970", shown(value))
    return value


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(math.floor(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _got(payload: Mapping[str, Any], claim: str) -> str:
    return shown(payload[claim]) if claim in payload else "nothing"
