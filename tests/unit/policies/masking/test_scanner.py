"""A file is looked through in any pieces, and stops at the same byte; what hides its content is named."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zipfile
from functools import cache
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.masking.action import Action, ActionKind
from policies.masking.plan import MaskRule, Plan, plan
from policies.masking.readable import hiding_format, is_binary, is_random
from policies.masking.scanner import RANDOM, UNDECIDED_BYTES, Scanned, Scanner

KEY_ID = b"AKIA" + b"Q3EGRZ7KPLMN2TXW"
LINE = b"10:00:01 info served /api/v1/items in 12 ms status=200\n"


@cache
def rules() -> Plan:
    made = plan(
        [
            MaskRule(id="a", detectors=frozenset({"aws-access-key", "private-key"}), action=Action()),
            MaskRule(id="b", detectors=frozenset({"email"}), action=Action(kind=ActionKind.DETECT)),
        ]
    )
    assert made is not None
    return made


def fed(scanner: Scanner, content: bytes, cuts: list[int]) -> tuple[Scanned, list[str]]:
    """Feed all of it in pieces, then end it; return the last answer, and what was found on the way."""
    found: list[str] = []
    at, last = 0, 0
    for cut in [*sorted(cut % (len(content) + 1) for cut in cuts), len(content)]:
        scanned = scanner.feed(content[at:cut])
        assert last <= scanned.decided <= cut
        assert scanned.stop is not None or cut - scanned.decided <= UNDECIDED_BYTES
        found += [hit.detector for hit in scanned.hits]
        at, last = cut, scanned.decided
    scanned = scanner.finish()
    return scanned, [*found, *(hit.detector for hit in scanned.hits)]


@settings(max_examples=40, deadline=None)
@given(
    before=st.integers(0, 80_000),
    after=st.integers(0, 80_000),
    cuts=st.lists(st.integers(0, 1 << 20), max_size=8),
)
def test_t38_any_split_stops_at_the_same_byte(before: int, after: int, cuts: list[int]) -> None:
    text = (LINE * 1500)[:before] + b"\n"
    content = b"sam@example.org\n" + text + KEY_ID + b"\n" + (LINE * 1500)[:after]
    scanned, found = fed(rules().scanner(), content, cuts)
    assert scanned.stop is not None
    assert (scanned.stop.detector, scanned.decided) == ("aws-access-key", content.index(KEY_ID))
    assert found == ["email"]


def test_t38_a_hit_across_a_block_that_was_random_is_found_behind_it() -> None:
    content = os.urandom(64 * 1024) + b"\n" + KEY_ID + b"\n"
    scanner = rules().scanner()
    scanned, _found = fed(scanner, content, [])
    assert scanned.decided == content.index(KEY_ID)
    assert scanner.unread == RANDOM


def test_a_private_key_stops_a_file_before_it_has_ended() -> None:
    content = LINE * 700 + b"-----BEGIN RSA PRIVATE KEY-----\n" + (b"Ab1" * 21 + b"c\n") * 2000
    scanned = rules().scanner().feed(content)
    assert scanned.stop is not None
    assert scanned.decided == content.index(b"Ab1")


def test_a_copy_goes_its_own_way() -> None:
    scanner = rules().scanner()
    scanner.feed(b"x = AKIA" + b"Q3EGRZ7K")
    probe = scanner.copy()
    probe.feed(b"PLMN2TXW\n")
    assert probe.finish().stop is not None
    scanner.feed(b" is none\n")
    assert scanner.finish().stop is None


def test_what_ends_within_the_lead_counts_for_nothing() -> None:
    lead = KEY_ID + b"\n" + LINE
    scanner = rules().scanner(lead_bytes=len(lead), whole=False)
    scanned, _found = fed(scanner, lead + LINE, [])
    assert (scanned.stop, scanned.decided) == (None, len(lead + LINE))
    scanner = rules().scanner(lead_bytes=10, whole=False)
    scanned, _found = fed(scanner, lead + LINE, [])
    assert scanned.decided == 0


def test_what_does_not_stop_is_found_all_the_same() -> None:
    scanned, found = fed(rules().scanner(stops=False), KEY_ID + b"\n" + KEY_ID + b"\n", [3, 30])
    assert (scanned.stop, found) == (None, ["aws-access-key", "aws-access-key"])


def zipped() -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", LINE)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (gzip.compress(LINE), "gzip"),
        (bz2.compress(LINE), "bzip2"),
        (lzma.compress(LINE), "xz"),
        (zipped(), "zip"),
        (b"\x28\xb5\x2f\xfd\x24", "zstd"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "7z"),
        (b"%PDF-1.7\n", "pdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "office"),
        (b"age-encryption.org/v1\n", "age"),
        (b"-----BEGIN PGP MESSAGE-----\n", "openpgp"),
        (b"\x85\x01\x0c\x03\x12\x34", "openpgp"),
        (b"\xc1\xc0\x4c\x03\x12\x34", "openpgp"),
        (b"\x8c\x0d\x04\x09\x03\x02", "openpgp"),
        (b"Salted__", "openssl"),
        (LINE, ""),
        ("Überweisung … 日本語\n".encode(), ""),
        (b"", ""),
        (b"\x7fELF\x02\x01\x01", ""),
        (b"-----BEGIN RSA PRIVATE KEY-----\n", ""),
    ],
)
def test_formats_that_hide_their_content_are_known_by_how_they_begin(content: bytes, name: str) -> None:
    assert hiding_format(content) == name


def test_what_looks_random_is_told_from_text_code_and_base64() -> None:
    assert is_random(os.urandom(32 * 1024))
    assert is_random(gzip.compress(os.urandom(40_000)))
    assert not is_random(LINE * 600)
    assert not is_random(os.urandom(16 * 1024).hex().encode())
    assert not is_random("データは全部ここにあります。".encode() * 800)
    assert not is_random(os.urandom(16 * 1024) + LINE * 300)
    assert not is_random(b"")
    assert is_binary(bytes(range(256)) * 10)
    assert not is_binary(b"\x1b[31mred\x1b[0m and much more text than colour in it\n" * 20)
