"""Values that are known by a keyed hash alone are found as words, and a policy tells nobody what they are."""

from __future__ import annotations

import pytest

from policies.document import parse_policy
from policies.engine import Policy
from policies.errors import PolicyInvalidError
from policies.masking.catalogue import compiled_with
from policies.masking.finder import Finder
from policies.masking.hashed import check_findable, hash_value, hashed_values, length_of
from policies.masking.named import Named
from policies.masking.redactor import Hit, Redactor
from policies.model import Access, Request
from policies.shell import quick
from policies.source import Source

KEY = b"k" * 32
VALUE = b"correct-horse/Battery+9="
CARD = b"4111111111111111"
ASKED = Request(
    identity="bot",
    groups=frozenset({"ci"}),
    target="web-1",
    labels={"env": "prod"},
    login="deploy",
    access=Access.EXEC,
)


def policy(text: str, named: Named | None = None) -> Policy:
    made = parse_policy([Source(label="policy.toml", text=text)])
    named = named or Named(key=KEY)
    return Policy(masks=made.masks, exceptions=made.exceptions, limits=made.limits, named=named)


def masked(made: Policy, data: bytes, statement: bytes = b"") -> tuple[bytes, list[Hit]]:
    plan = made.masking(ASKED, quick(statement) if statement else None)
    assert plan is not None
    stream = plan.redactor(b"session")
    begin, end = stream.feed(data), stream.finish()
    return bytes(begin.out + end.out), begin.hits + end.hits


def test_a_value_is_found_by_its_hash_wherever_it_is_a_word() -> None:
    finder = Finder(compiled_with(frozenset(), hashed_values(KEY, [hash_value(KEY, VALUE)])))
    for before, after in (
        (b"", b""),
        (b"pw: ", b" end"),
        (b'"', b'",'),
        (b"x=", b"&y=1"),
        (b"(", b")"),
        (b"sam:", b"@db"),
        (b"a\t", b"\r"),
    ):
        stream = Redactor(finder, key=b"s")
        out = stream.feed(b"first\n" + before + VALUE + after + b"\n").out + stream.finish().out
        assert bytes(out) == b"first\n" + before + b"[known-value]" + after + b"\n"


def test_words_of_the_same_length_and_parts_of_words_are_no_such_value() -> None:
    finder = Finder(compiled_with(frozenset(), hashed_values(KEY, [hash_value(KEY, VALUE)])))
    for text in (VALUE[::-1], b"x" + VALUE, VALUE + b"x", VALUE[:-1]):
        stream = Redactor(finder, key=b"s")
        assert bytes(stream.feed(text + b"\n").out + stream.finish().out) == text + b"\n"


def test_a_hash_depends_on_its_key_and_says_the_length() -> None:
    assert hash_value(KEY, VALUE).startswith("24:")
    assert hash_value(KEY, VALUE) != hash_value(b"other", VALUE)
    assert length_of(hash_value(KEY, VALUE)) == len(VALUE)


@pytest.mark.parametrize("text", ["", "24", "24:xyz", "2:" + "0" * 32, "9999:" + "0" * 32, "24:" + "0" * 31])
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="bastion hash-value"):
        length_of(text)


@pytest.mark.parametrize("value", [b"short", b"with a space", b'with"quote"', b"x" * 513, b"p\xc3\xa4ssword"])
def test_what_could_not_be_found_is_refused_and_not_told(value: bytes) -> None:
    with pytest.raises(ValueError, match="a value") as raised:
        check_findable(value)
    assert value.decode() not in str(raised.value)


def test_named_values_are_masked_although_no_mask_speaks_of_anything() -> None:
    plain = b'pass "word" with spaces'
    named = Named(values=frozenset({plain}), hashes=frozenset({hash_value(KEY, VALUE)}), key=KEY)
    out, hits = masked(policy("", named), b"a " + plain + b" b " + VALUE + b" c\n")
    assert out == b"a [known-value] b [known-value] c\n"
    assert {hit.action for hit in hits} == {"redact"}
    assert repr(named) == "Named(1 values, 1 hashes)"
    assert policy("").masking(ASKED) is None


MASK = '[[mask]]\nid = "m"\ndetectors = ["payment-card", "email"]\n'


def test_a_value_passes_by_its_hash_for_the_detectors_that_are_named_and_is_counted() -> None:
    text = MASK + (
        f'[[exception]]\nid = "e"\ndetectors = "payment-card"\nvalues = ["{hash_value(KEY, CARD)}"]\n'
    )
    other = b"5555555555554444"
    out, hits = masked(policy(text), b"card " + CARD + b" and " + other + b" of sam@example.org\n")
    assert out == b"card " + CARD + b" and [payment-card] of [email]\n"
    assert [(hit.detector, hit.action) for hit in hits] == [
        ("payment-card", "detect"),
        ("payment-card", "redact"),
        ("email", "redact"),
    ]
    elsewhere = text.replace('detectors = "payment-card"\nvalues', 'detectors = "email"\nvalues')
    assert CARD not in masked(policy(elsewhere), b"card " + CARD + b"\n")[0]
    unmet = text.replace('id = "e"', 'id = "e"\nwhen = { targets = ["db-1"] }')
    assert CARD not in masked(policy(unmet), b"card " + CARD + b"\n")[0]


READS = MASK + '[[exception]]\nid = "e"\nkinds = "personal"\nreads = ["glob:/srv/docs/**", "/srv/list"]\n'


@pytest.mark.parametrize(
    "statement", [b"cat /srv/docs/a/b", b"head -n 3 '/srv/list' /srv/docs/x", b"/usr/bin/tail /srv/list"]
)
def test_l4_what_a_statement_prints_of_named_files_alone_passes(statement: bytes) -> None:
    out, hits = masked(policy(READS), b"sam@example.org\n", statement)
    assert out == b"sam@example.org\n"
    assert [hit.action for hit in hits] == ["detect"]


@pytest.mark.parametrize(
    "statement",
    [
        b"",
        b"cat /srv/docs/a /etc/passwd",
        b"cat /srv/docs/a; env",
        b"cat /srv/docs/a | sort",
        b"cat /srv/docs/*",
        b"cat /srv/docs/$x",
        b"cat /srv/docs/a -",
        b"cat /srv/docs/../../etc/passwd",
        b"cat",
        b"grep x /srv/docs/a",
        b"/tmp/cat /srv/docs/a",
        b"cat /srv/docs/a > /tmp/x",
        b"cat $(echo /srv/docs/a)",
        b"sudo cat /srv/docs/a",
        b"cat /srv/docs",
    ],
)
def test_l4_whatever_may_print_more_passes_nothing(statement: bytes) -> None:
    assert masked(policy(READS), b"sam@example.org\n", statement)[0] == b"[email]\n"


def test_a_known_value_passes_by_no_exception() -> None:
    named = Named(values=frozenset({b"sam@example.org"}), key=KEY)
    assert masked(policy(READS, named), b"sam@example.org\n", b"cat /srv/list")[0] == b"[known-value]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('detectors = "email"', "exception[0]: got neither, expected exactly one of values and reads"),
        ('detectors = "email"\nreads = "/a"\nvalues = ["x"]', "exception[0].values"),
        ('reads = "/a"', "exception[0]: got neither kinds nor detectors"),
        ('detectors = "mail"\nreads = "/a"', "exception[0]: there is no detector 'mail'"),
        (
            'detectors = "email"\nvalues = ["hunter2"]',
            "exception[0].values[0]: got no hash of a value, expected",
        ),
        ('detectors = "email"\nvalues = []', "exception[0].values"),
    ],
)
def test_a_mistake_in_an_exception_names_its_place(text: str, said: str) -> None:
    with pytest.raises(PolicyInvalidError) as raised:
        policy('[[exception]]\nid = "e"\n' + text)
    assert said in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_the_digest_of_a_policy_covers_its_exceptions_and_no_named_value() -> None:
    assert policy(READS).digest() != policy(MASK).digest()
    assert policy(READS).digest() != policy(READS.replace("/srv/list", "/srv/lost")).digest()
    named = Named(values=frozenset({b"correct horse"}), key=KEY)
    assert policy(READS, named).digest() == policy(READS).digest()
