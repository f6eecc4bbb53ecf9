"""Feed tokens, truly signed ones too, key sets, and what an issuer answers.

Source  RFC 7515, 7517, 7519; RFC 8725; RFC 8259
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Any

import msgspec

from bastion.authority import run_name
from bastion.certificate import check_login, issue_login
from bastion.errors import Refused
from bastion.identity import Identity, claimed_groups, evidence_claims, identify
from bastion.strict_json import read_object
from bastion.token import KeySet, KeySetMalformed, TokenError, TokenHead, read_unverified, verify
from tests.fuzz import mutation
from tests.fuzz.issuer_answers import URLS, answer, say_why
from tests.fuzz.mutation import pack, unpack
from tests.fuzz.target import Havoc, Target, require
from tests.unit.bastion import certificate_forge as forge
from tests.unit.bastion import token_forge
from tests.unit.bastion.token_forge import AUDIENCE, ISSUER, NOW, b64

TEXT, SIGNED, SHARED, KEYS, ANSWER = range(5)
KID = "fuzz"
SECRET = forge.key("token")
PUBLIC = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": KID,
    "x": b64(SECRET.public_key().public_bytes_raw()),
}
RSA = {"kty": "RSA", "kid": "r", "n": b64(((1 << 2047) | 1).to_bytes(256, "big")), "e": "AQAB"}
TRUST = KeySet.parse(json.dumps({"keys": [PUBLIC, RSA]}).encode())
HEADER = {"alg": "EdDSA", "kid": KID, "typ": "JWT"}
IDENTITIES = (
    Identity(
        name="one",
        owner="dana",
        issuer="acme",
        match={"sub": "glob:job:*"},
        groups=(),
        lifetime_s=600,
        session_s=600,
    ),
    Identity(
        name="two",
        owner="dana",
        issuer="acme",
        match={"n": {"m": [7, True]}},
        groups=(),
        lifetime_s=600,
        session_s=600,
    ),
)
NAMES = (
    "alg",
    "kid",
    "typ",
    "crit",
    "jku",
    "jwk",
    "cty",
    "zip",
    "b64",
    "iss",
    "aud",
    "sub",
    "jti",
    "exp",
    "nbf",
    "iat",
    "groups",
    "n",
    "m",
    "kty",
    "crv",
    "x",
    "y",
    "e",
    "d",
    "use",
    "key_ops",
    "keys",
    "run_id",
    "repository",
    "ref",
    "kubernetes.io",
)
WORDS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2048,
    1e308,
    1.5,
    NOW + 60,
    NOW - 60,
    NOW + 1e9,
    2**63,
    2**64,
    10**400,
    -0.0,
    "",
    "x",
    "none",
    "HS256",
    "RS256",
    "EdDSA",
    "ES256",
    "Ed25519",
    "P-256",
    "OKP",
    "EC",
    "RSA",
    "oct",
    KID,
    "sig",
    "enc",
    "JWT",
    "at+jwt",
    "dpop+jwt",
    AUDIENCE,
    ISSUER.url,
    "job:7",
    "job:\u202e7",
    "\ud800",
    "\x00",
    "a" * 300,
    [],
    {},
    ["verify"],
    [AUDIENCE],
    [AUDIENCE, 7],
    ["ci", "x/y", ""],
    {"m": 7},
    {"m": True},
    [[[]]],
    RSA["n"],
    PUBLIC["x"],
    "AQAB",
    "AA==",
)


def _seeds() -> list[bytes]:
    header, sound = json.dumps(HEADER).encode(), token_forge.claims_of()
    variants: list[dict[str, Any]] = [
        sound,
        {**sound, "aud": [AUDIENCE, "other"]},
        {**sound, "groups": ["ci"]},
        {**sound, "exp": NOW - 1},
        {**sound, "n": {"m": 7}, "sub": "x"},
        {**sound, "n": {"m": True}},
        {**sound, "jti": ""},
        {**sound, "sub": 7},
    ]
    variants += [
        token_forge.vector(path.stem)["claims"] for path in sorted(token_forge.VECTORS.glob("*.json"))
    ]
    signed = [pack([(SIGNED, header), (0, json.dumps(claims).encode())]) for claims in variants]
    whole = _token(header, json.dumps(sound).encode(), SIGNED).encode()
    texts = [whole, b"a.b.c", b"a.b.c.d.e", b'{"payload": ""}', b"." * 50, whole + b"\n", whole[:-1]]
    sets = [{"keys": [PUBLIC]}, {"keys": [RSA]}, {"keys": [PUBLIC, PUBLIC]}, {"keys": []}, {"keys": 7}, {}]
    sets.append({"keys": [json.loads(token_forge.key("p256").export_public())]})
    answers = [json.dumps({"issuer": ISSUER.url, "jwks_uri": url}).encode() for url in URLS]
    return [
        *signed,
        pack([(SHARED, json.dumps({**HEADER, "alg": "HS256"}).encode()), (0, json.dumps(sound).encode())]),
        *(pack([(TEXT, text)]) for text in texts),
        *(pack([(KEYS, json.dumps(one).encode())]) for one in sets),
        *(pack([(ANSWER, answer)]) for answer in answers),
        *(pack([(ANSWER, url.encode())]) for url in URLS),
    ]


def _token(header: bytes, payload: bytes, mode: int) -> str:
    said = f"{b64(header)}.{b64(payload)}"
    if mode == SHARED:  # the public key taken for a shared secret, and nothing at all
        return f"{said}.{b64(hmac.digest(PUBLIC['x'].encode(), said.encode(), 'sha256'))}"
    return f"{said}.{b64(SECRET.sign(said.encode()))}"


def token(data: bytes) -> None:
    """Feed what the first part says; an accepted token must read the same to another JSON reader."""
    parts = unpack(data) or [(TEXT, data)]
    kind, body = parts[0]
    match kind % 5:
        case 0:
            _judge(body.decode("utf-8", "surrogateescape"), signed=False)
        case 1 | 2:
            payload = parts[1][1] if len(parts) > 1 else b"{}"
            text = _token(body, payload, kind % 5)
            claims = _judge(text, signed=kind % 5 == SIGNED)
            if claims is not None:
                _second_reading(body, payload, claims)
        case 3:
            _key_set(body)
        case _:
            answer(body)


def _judge(text: str, *, signed: bool) -> Any:
    head: TokenHead | None = None
    try:
        head = read_unverified(text)
    except TokenError as error:
        say_why(error)
    try:
        claims = verify(text, issuer=ISSUER, keys=TRUST, now=NOW)
    except TokenError as error:
        say_why(error)
        return None
    require(
        head is not None and head.iss == ISSUER.url and head.alg == "EdDSA", "verified, and not read alike"
    )
    require(signed or text == _whole(), "verified without a signature that holds")
    require(
        head is not None and head.digest == hashlib.sha256(text.rpartition(".")[0].encode()).hexdigest(),
        "digest",
    )
    require(claims.expires_at > NOW, "an expired token was accepted")
    identity: Identity | None = None
    try:
        identity = identify(claims, IDENTITIES)
    except Refused as error:
        say_why(error)
    try:
        evidence = evidence_claims(claims)
        groups = claimed_groups(claims, "acme", "groups")
    except Refused as error:
        say_why(error)
        return claims
    require(
        all(isinstance(value, str) and value.isprintable() for value in evidence.values()),
        "evidence that acts",
    )
    json.dumps(evidence).encode("utf-8")
    require(all(group.startswith("acme/") and group.isprintable() for group in groups), f"a group {groups!r}")
    if identity is not None:
        _certified(identity.name, run_name(evidence, claims.digest), evidence, groups)
    return claims


def _certified(identity: str, run: str, evidence: Mapping[str, str], groups: Sequence[str]) -> None:
    """Demand that the certificate for a token says what the token said, and lets its bearer in."""
    line, serial = issue_login(
        forge.blob("bot"),
        ca=forge.key("login-ca"),
        identity=identity,
        key_id=f"{identity}/{run}",
        claims=evidence,
        groups=groups,
        now=NOW,
        valid_before=int(NOW) + 600,
    )
    blob = base64.b64decode(line.split(" ")[1])
    login = check_login(blob, ca=forge.key("login-ca").public_key(), now=NOW, peer=forge.PEER)
    require(
        (login.identity, login.key_id, login.serial) == (identity, f"{identity}/{run}", serial),
        "another name",
    )
    require((dict(login.claims), login.groups) == (dict(evidence), tuple(groups)), "other claims or groups")
    require(login.key == forge.blob("bot"), "another key")


@cache
def _whole() -> str:
    return _token(json.dumps(HEADER).encode(), json.dumps(token_forge.claims_of()).encode(), SIGNED)


def _second_reading(header: bytes, payload: bytes, claims: Any) -> None:
    for name, body, read in (("header", header, read_object(header)), ("payload", payload, dict(claims.raw))):
        try:
            other = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            require(_numbers_only(body), f"the {name} is JSON to one reader and not to another")
            continue
        for key in ("alg", "kid", "typ", "iss", "sub", "aud", "jti", "exp"):
            require(read.get(key) == other.get(key), f"two readers differ in {key}")
    audience = claims.raw["aud"]
    require(audience == AUDIENCE or AUDIENCE in audience, "not for us")


def _numbers_only(body: bytes) -> bool:
    """Say whether a number that is too large for the other reader is in a text."""
    return any(
        len(run) > 18 for run in "".join(c if c in "0123456789" else " " for c in body.decode()).split()
    )


def _key_set(body: bytes) -> None:
    try:
        keys = KeySet.parse(body)
    except KeySetMalformed as error:
        say_why(error)
        return
    for kid in (KID, "x", ""):
        keys.has(kid)
    try:
        verify(_whole(), issuer=ISSUER, keys=keys, now=NOW)
    except TokenError as error:
        say_why(error)
    else:
        require(any(key.get("x") == PUBLIC["x"] for key in keys.keys), "verified by another key")
    for alg in ("RS256", "ES256", "PS512"):
        said = f"{b64(json.dumps({'alg': alg}).encode())}.{b64(json.dumps(token_forge.claims_of()).encode())}"
        try:
            verify(f"{said}.{b64(bytes(64))}", issuer=ISSUER, keys=keys, now=NOW)
        except TokenError as error:
            say_why(error)
        else:
            require(False, "verified a signature of zeros")


_json = mutation.json_values(WORDS, NAMES)


def _inner(data: bytes, rng: Random, havoc: Havoc) -> bytes:
    if data[:1] == b"{" or rng.randrange(2):
        return _json(data, rng, havoc)
    parts = data.split(b".")
    if len(parts) > 1 and rng.randrange(2):
        at = rng.randrange(len(parts))
        parts[at] = base64.urlsafe_b64encode(_json(_decoded(parts[at]), rng, havoc)).rstrip(b"=")
        return b".".join(parts)
    return mutation.lines(URLS)(data, rng, havoc)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        return text


TOKEN = Target(
    name="token",
    feeds="tokens: any text, and any header and claims truly signed by the issuer; key sets; what an issuer answers "
    "(discovery, Cache-Control, URLs)",
    run=token,
    seeds=_seeds,
    mutate=mutation.parts(_inner, (TEXT, SIGNED, SIGNED, SHARED, KEYS, ANSWER)),
)
