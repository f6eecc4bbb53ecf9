"""Known values are masked exactly, and in the forms in which programs write them."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest

from policies.masking import open_finder
from policies.masking.known import LEAST_BYTES, known_value
from policies.masking.redactor import Redactor
from tests.unit.policies.masking.streams import KEY

VALUE = b'correct "horse"/battery+9'
FINDER = open_finder(detectors=["github-token"], known=[VALUE, "pässwörter".encode()])


def _masked(data: bytes) -> bytes:
    stream = Redactor(FINDER, key=KEY)
    return bytes(stream.feed(data).out + stream.finish().out)


def test_t39_a_known_value_is_masked_in_all_its_forms() -> None:
    text = VALUE.decode()
    forms = [
        VALUE,
        json.dumps({"a": text}).encode(),
        urllib.parse.quote(text, safe="").encode(),
        urllib.parse.quote(text, safe="").lower().encode(),
        urllib.parse.quote_plus(text).encode(),
        VALUE.hex().encode(),
        VALUE.hex(":").upper().encode(),
        *(base64.b64encode(b"x" * before + VALUE + b"tail") for before in range(6)),
        *(base64.urlsafe_b64encode(b"user:" + VALUE) for _ in range(1)),
    ]
    for form in forms:
        assert b"[known-value]" in _masked(b"x=" + form + b" y\n"), form


def test_t39_base64_that_is_wrapped_is_seen() -> None:
    wrapped = base64.b64encode(b"user:" + VALUE + b" and more")
    assert b"[known-value]" in _masked(wrapped[:20] + b"\n" + wrapped[20:] + b"\n")


def test_a_known_value_outside_ascii() -> None:
    assert _masked("a pässwörter b\n".encode()) == b"a [known-value] b\n"
    assert b"[known-value]" in _masked(json.dumps("pässwörter").encode() + b"\n")


def test_other_text_is_not_changed() -> None:
    for text in (b"correct horse battery\n", base64.b64encode(b"something else entirely") + b"\n"):
        assert _masked(text) == text


def test_a_value_that_is_too_short_is_refused_without_being_told() -> None:
    with pytest.raises(ValueError, match=f"expected {LEAST_BYTES} or more") as caught:
        known_value(b"abc")
    assert "abc" not in str(caught.value)
