"""Signatures are those of the specifications, and nothing that is altered, old or somebody else's passes."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from bastion.notices.signing import (
    TOLERANCE_S,
    BadSignature,
    check_signed,
    check_slack,
    key_bytes,
    signature,
    signed_headers,
)

# The example of the Standard Webhooks specification and of its libraries.
SPEC_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SPEC_ID, SPEC_AT, SPEC_BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SPEC_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

# The example of Slack's page "Verifying requests from Slack".
SLACK_KEY = b"8f742231b10e8888abcd99yyyzzz85a5"
SLACK_AT = 1531420618
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SLACK_SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"

KEY = b"0123456789abcdef0123456789abcdef"
AT = 1_795_000_000


def test_the_example_of_the_specification_has_its_signature() -> None:
    assert signature(key_bytes(SPEC_KEY), SPEC_ID, SPEC_AT, SPEC_BODY) == SPEC_SIGNATURE


def test_slacks_own_example_passes() -> None:
    headers = {"x-slack-request-timestamp": str(SLACK_AT), "x-slack-signature": SLACK_SIGNATURE}
    assert check_slack(SLACK_KEY, headers, SLACK_BODY, SLACK_AT + 10.0) == SLACK_SIGNATURE


def test_what_is_signed_passes_and_says_its_id() -> None:
    headers = signed_headers(KEY, "msg_1", AT, b"{}")
    assert check_signed(KEY, headers, b"{}", AT + TOLERANCE_S) == "msg_1"
    mac = hmac.new(KEY, f"msg_1.{AT}.".encode() + b"{}", hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()


def test_one_of_several_signatures_is_enough_while_keys_are_changed() -> None:
    headers = signed_headers(KEY, "msg_1", AT, b"{}")
    headers["webhook-signature"] = "v1,b2xk v2,eA== " + headers["webhook-signature"]
    assert check_signed(KEY, headers, b"{}", AT) == "msg_1"


@pytest.mark.parametrize(
    ("changed", "body", "now"),
    [
        ({"webhook-id": "msg_2"}, b"{}", AT),
        ({"webhook-id": ""}, b"{}", AT),
        ({"webhook-id": "a.b\n"}, b"{}", AT),
        ({"webhook-id": "m" * 129}, b"{}", AT),
        ({"webhook-timestamp": str(AT + 1)}, b"{}", AT),
        ({"webhook-timestamp": f" {AT}"}, b"{}", AT),
        ({"webhook-timestamp": "１７９５"}, b"{}", AT),
        ({"webhook-timestamp": ""}, b"{}", AT),
        ({"webhook-signature": ""}, b"{}", AT),
        ({"webhook-signature": "v1,ü"}, b"{}", AT),
        ({"webhook-signature": "v1,\udcff"}, b"{}", AT),
        ({"webhook-signature": " ".join(["v1,eA=="] * 9)}, b"{}", AT),
        ({}, b"{ }", AT),
        ({}, b"{}", AT + TOLERANCE_S + 1),
        ({}, b"{}", AT - TOLERANCE_S - 1),
    ],
)
def test_t36_what_is_altered_or_too_old_does_not_pass(
    changed: dict[str, str], body: bytes, now: float
) -> None:
    headers = {**signed_headers(KEY, "msg_1", AT, b"{}"), **changed}
    with pytest.raises(BadSignature):
        check_signed(KEY, headers, body, now)


@pytest.mark.parametrize(
    ("key", "at", "signed", "now"),
    [
        (KEY, str(SLACK_AT), SLACK_SIGNATURE, SLACK_AT),
        (SLACK_KEY, str(SLACK_AT + 1), SLACK_SIGNATURE, SLACK_AT),
        (SLACK_KEY, "", SLACK_SIGNATURE, SLACK_AT),
        (SLACK_KEY, str(SLACK_AT), "", SLACK_AT),
        (SLACK_KEY, str(SLACK_AT), SLACK_SIGNATURE.upper(), SLACK_AT),
        (SLACK_KEY, str(SLACK_AT), "v0=\udcff", SLACK_AT),
        (SLACK_KEY, str(SLACK_AT), SLACK_SIGNATURE, SLACK_AT + TOLERANCE_S + 1),
    ],
)
def test_t36_what_slack_has_not_signed_does_not_pass(key: bytes, at: str, signed: str, now: float) -> None:
    headers = {"x-slack-request-timestamp": at, "x-slack-signature": signed}
    with pytest.raises(BadSignature):
        check_slack(key, headers, SLACK_BODY, now)


@pytest.mark.parametrize(
    "text", ["", "short", "two words of enough characters", "whsec_!!!", "whsec_c2hvcnQ="]
)
def test_a_key_that_is_none_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        key_bytes(text)
    assert not text or text not in str(refused.value)


def test_a_key_is_its_text_or_what_it_stands_for() -> None:
    assert key_bytes(f"  {KEY.decode()}\n") == KEY
    assert key_bytes("whsec_" + base64.b64encode(KEY).decode()) == KEY
