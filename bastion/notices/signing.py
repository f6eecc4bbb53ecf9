"""Sign what is sent, and check the signatures of what comes back.

What the bastion sends, and the answers that programs of persons send to it, are signed alike, by Standard Webhooks: an
HMAC over id, timestamp and body, in a header. What comes from Slack is signed by Slack's own scheme.

In      a key; headers, their names in lower case; an id, a timestamp in seconds since 1970, a body
Out     headers; or the id of what was signed
Errors  BadSignature: no such signature, or one that is too old or too new
Source  Standard Webhooks 1.0; RFC 2104; Slack, Verifying requests (v0)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping

from bastion.errors import Refused

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SLACK_TIMESTAMP, SLACK_SIGNATURE = "x-slack-request-timestamp", "x-slack-signature"
PREFIX = "whsec_"
TOLERANCE_S = 300
MIN_KEY_BYTES = 24
MAX_ID_CHARS = 128
SIGNATURES = 8  # in one header: keys are changed one at a time

_ID = re.compile(r"[A-Za-z0-9._-]+")
_SECONDS = re.compile(r"[0-9]{1,12}")


class BadSignature(Refused):
    """Something that came over HTTP is not signed by whom it should be; the text says no more than that."""

    code = "bad-signature"


def key_bytes(text: str) -> bytes:
    """Return the key that a file says: what is behind `whsec_` in base64, else the text itself; raise ValueError."""
    text = text.strip()
    if text.startswith(PREFIX):
        try:
            key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            raise ValueError(f"what follows {PREFIX} is not base64") from None
    else:
        key = text.encode()
    if len(key) < MIN_KEY_BYTES or len(text.split()) != 1:
        raise ValueError(
            f"expected one key of {MIN_KEY_BYTES} bytes or more, such as `openssl rand -hex 32` makes"
        )
    return key


def signature(key: bytes, message: str, at: int, body: bytes) -> str:
    """Return the signature of a message, as its header has it."""
    mac = hmac.new(key, f"{message}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(mac).decode()}"


def signed_headers(key: bytes, message: str, at: int, body: bytes) -> dict[str, str]:
    """Return the headers that say id, time and signature."""
    return {ID: message, TIMESTAMP: str(at), SIGNATURE: signature(key, message, at, body)}


def check_signed(key: bytes, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Return the id of a message whose signature holds; raise BadSignature."""
    message, at = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if len(message) > MAX_ID_CHARS or not _ID.fullmatch(message):
        raise BadSignature(f"the header {ID} is missing, or is no id")
    _check_time(at, now)
    expected = signature(key, message, int(at), body).encode()
    given = headers.get(SIGNATURE, "").split(" ")[:SIGNATURES]
    matching = [hmac.compare_digest(one.encode("utf-8", "surrogateescape"), expected) for one in given]
    if not any(matching):
        raise BadSignature("the signature does not hold")
    return message


def check_slack(key: bytes, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Return what tells a request of Slack's from others, its signature; raise BadSignature."""
    at = headers.get(SLACK_TIMESTAMP, "")
    _check_time(at, now)
    mac = hmac.new(key, b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    given = headers.get(SLACK_SIGNATURE, "")
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"v0={mac}".encode()):
        raise BadSignature("the signature does not hold")
    return given


def _check_time(text: str, now: float) -> None:
    if not _SECONDS.fullmatch(text):
        raise BadSignature("there is no timestamp in seconds since 1970")
    if abs(int(text) - now) > TOLERANCE_S:
        raise BadSignature(f"the timestamp is more than {TOLERANCE_S} s away from the bastion's clock")
