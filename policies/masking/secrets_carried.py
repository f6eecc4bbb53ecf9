"""Declare the detectors of secrets that a URL, a header or another carrier marks as such.

Source  RFC 3986 section 3.2.1; RFC 6750; RFC 7617; kubectl and docker configuration; providers' documentation
"""

from __future__ import annotations

import base64
import binascii

from policies.masking.detector import HEX, Detector, Kind, made
from policies.masking.plausible import is_given, is_random

KEY_MARK = base64.b64encode(b"-----BEGIN ").decode()[:14]


def _is_basic(value: bytes) -> bool:
    """Say whether this is base64 of `user:password`."""
    try:
        return b":" in base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


def _is_url_password(value: bytes) -> bool:
    """Say whether this is a password and no variable, placeholder or port."""
    words = (b"pass", b"password", b"passwd", b"pw", b"pserver", b"port")
    return value[:1] not in b"${<[*" and value.lower() not in words and is_given(b"0_" + value)


def _is_key_material(value: bytes) -> bool:
    """Say whether base64 begins as a private key's PEM, and not a certificate's or a public key's."""
    head = value[:64].rstrip(b"=")
    return b"PRIVATE KEY" in base64.b64decode(head[: len(head) // 4 * 4])


def _carried(
    name: str,
    title: str,
    pattern: str,
    check: object,
    *,
    matches: tuple[str, ...],
    misses: tuple[str, ...] = (),
    source: str,
    rank: int = 60,
) -> Detector:
    return Detector(
        name=name,
        kind=Kind.SECRET,
        title=title,
        pattern=pattern,
        check=check,  # type: ignore[arg-type]
        matches=matches,
        misses=misses,
        source=source,
        rank=rank,
    )


# fmt: off
DETECTORS = (
    _carried(
        "url-password",
        "Password in a URL",
        r"[A-Za-z0-9]://[^\s:/@\"'<>\[\]{}|]{0,128}:(?P<v>[^\s:/@\"'<>{}|][^\s/\"'<>{}|]{1,255})@[A-Za-z0-9\[]",
        _is_url_password,
        matches=(
            "postgres://app:hunter2@db.example.com:5432/x",
            "https://user:p%40ss@h/",
            "redis://:S3cret@cache:6379/0",
        ),
        misses=(
            "http://host:8080/a@b",
            "https://user:$PASSWORD@h/",
            "ssh://git@github.com:22/x",
            "https://user:${P}@h/",
        ),
        source="RFC 3986 section 3.2.1",
    ),
    _carried(
        "authorization-basic",
        "User and password in an Authorization header",
        r"(?i:authorization|auth|\bbasic)(?:\\{0,3}[\"'])?\s{0,4}[:=]?\s{0,4}(?:\\{0,3}[\"'])?(?i:basic)\s{1,4}(?P<v>[A-Za-z0-9+/=_-]{6,})",
        _is_basic,
        matches=("Authorization: Basic dXNlcjpodW50ZXIy", '"authorization":"Basic dXNlcjpodW50ZXIy"'),
        misses=("Authorization: Basic realm", "auth basic authentication"),
        source="RFC 7617",
    ),
    _carried(
        "authorization-bearer",
        "Token in an Authorization header",
        r"(?i:\bbearer|authorization:\s{0,4}(?:token|apikey|api-key|key|digest|negotiate|splunk|genie|sso-key))"
        r"\s{1,4}(?P<v>[A-Za-z0-9+/=_.~:-]{12,})",
        is_random,
        matches=(
            "Authorization: Bearer " + made(40),
            "Authorization: token " + made(40, HEX),
            "-H 'authorization: bearer " + made(32),
        ),
        misses=(
            "Bearer authentication-required",
            "bearer tokens-are-accepted",
            "Authorization: Bearer <token>",
        ),
        source="RFC 6750",
    ),
    _carried(
        "private-key-base64",
        "Private key in base64",
        rf"\b(?P<v>{KEY_MARK}[A-Za-z0-9+/]{{20,}}={{0,2}})",
        _is_key_material,
        matches=(
            base64.b64encode(b"-----BEGIN RSA PRIVATE KEY-----\n" + made(100).encode()).decode(),
            base64.b64encode(b"-----BEGIN PRIVATE KEY-----\n" + made(100).encode()).decode(),
        ),
        misses=(base64.b64encode(b"-----BEGIN CERTIFICATE-----\n" + made(100).encode()).decode(),),
        source="kubeconfig client-key-data; RFC 7468",
        rank=8,
    ),
    _carried(
        "azure-sas",
        "Signature of an Azure or AWS signed URL",
        r"(?:[?&]|&amp;|\\u0026)(?:sig|X-Amz-Signature|X-Goog-Signature|Signature)=(?P<v>[A-Za-z0-9%+/=_~-]{32,})",
        lambda value: len(set(value)) > 8,
        matches=("&sig=" + made(43) + "%3D", "&X-Amz-Signature=" + made(64, HEX)),
        misses=("?sig=short",),
        source="Azure Storage: SAS; AWS Signature Version 4",
        rank=30,
    ),
    _carried(
        "aws-secret-key",
        "AWS secret access key or session token beside a name that says so",
        r"(?i:secret_?(?:access_?)?key|session_?token|security_?token|aws_?secret)[\"'\s:=>,|\\]{1,12}(?P<v>[A-Za-z0-9/+]{40,}={0,2})",
        lambda value: len(set(value)) > 10 and (len(value) in range(38, 45) or len(value) > 100),
        matches=(
            "aws_secret_access_key = " + made(40),
            '"SecretAccessKey": "' + made(40) + '"',
            "aws_session_token=" + made(300),
        ),
        misses=("aws_secret_access_key = " + "A" * 12,),
        source="AWS IAM",
        rank=15,
    ),
    _carried(
        "connection-key",
        "Key in a connection string",
        r"(?i:AccountKey|SharedAccessKey|SharedAccessSignature|AccessKey|\bPwd|Password)=(?P<v>[A-Za-z0-9+/]{20,120}={0,2})(?:;|\"|'|\s|$)",
        lambda value: len(set(value)) > 8,
        matches=(
            "AccountName=x;AccountKey=" + made(86) + "==;EndpointSuffix=y",
            "SharedAccessKey=" + made(43) + "=",
        ),
        source="Azure: connection strings",
        rank=35,
    ),
    _carried(
        "putty-key-body",
        "Integrity code of a PuTTY key",
        r"^Private-MAC: (?P<v>[0-9a-f]{40,64})",
        is_given,
        matches=("Private-MAC: " + made(64, HEX),),
        source="PuTTY: PPK file format",
    ),
)
# fmt: on
