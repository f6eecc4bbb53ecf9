"""A token that a line end has broken is one; two tokens in two lines are two."""

from __future__ import annotations

import random

import pytest
import re2

from policies.masking import DETECTORS, choose
from policies.masking.catalogue import compiled
from policies.masking.compiled import LATIN
from policies.masking.detector import Detector, made
from policies.masking.expression import Expression
from tests.unit.policies.masking.streams import masked, redactor

JWT = b".".join(
    (b"eyJ" + made(33).encode(), b"eyJ" + made(60, seed="1").encode(), made(43, seed="2").encode())
)
GITHUB = b"ghp_" + made(36).encode()
NPM = b"npm_" + made(36, seed="3").encode()
WRAPPING = [detector for detector in DETECTORS if detector.wraps and detector.default]


def _lines(detector: Detector) -> list[bytes]:
    return [text.encode() for text in detector.matches if "\n" not in text]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\n\r\n"])
def test_t38_a_list_of_tokens_is_masked_line_by_line(end: bytes) -> None:
    lines = [JWT, GITHUB, NPM, JWT, JWT, GITHUB]
    words = [b"[jwt]", b"[github-token]", b"[npm-token]", b"[jwt]", b"[jwt]", b"[github-token]"]
    assert masked(end.join(lines) + end)[0] == end.join(words) + end


def test_every_example_stays_on_its_line_whatever_follows() -> None:
    lines = [line for detector in WRAPPING for line in _lines(detector)]
    random.Random(5).shuffle(lines)
    out, _ = masked(b"\n".join(lines) + b"\n")
    assert len(out.splitlines()) == len(lines)


def test_t38_lists_of_tokens_in_random_splits_give_the_same() -> None:
    chance = random.Random(7)
    lines = [line for detector in WRAPPING for line in _lines(detector)]
    for _ in range(12):
        some = chance.sample(lines, 20)
        some = [
            line[: chance.randrange(1, len(line) + 1)] if chance.random() < 0.3 else line for line in some
        ]
        data = chance.choice([b"\n", b"\r\n"]).join(some) + b"\n"
        whole = masked(data)
        for count in (1, 7, 60, len(data) - 1):
            assert (
                masked(data, sorted(chance.sample(range(1, len(data)), min(count, len(data) - 1)))) == whole
            )


@pytest.mark.parametrize("width", [40, 64, 76])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_t38_a_token_that_was_folded_is_masked_to_its_end(width: int, end: bytes) -> None:
    token = JWT + made(300, seed="4").encode()
    folded = end.join(token[at : at + width] for at in range(0, len(token), width))
    out, _ = masked(b"token:" + end + folded + end + b"done" + end)
    assert out == b"token:" + end + b"[jwt]" + end + b"done" + end


def test_a_token_that_is_cut_off_takes_no_other_with_it() -> None:
    out, _ = masked(GITHUB[:30] + b"\n" + NPM + b"\n")
    assert out == GITHUB[:30] + b"\n[npm-token]\n"


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_that_ends_with_a_token_is_not_kept_from_who_waits_for_it(end: bytes) -> None:
    stream = redactor()
    out = stream.feed(b"token: " + JWT + end).out + stream.flush_idle().out
    assert bytes(out) == b"token: [jwt]" + end
    assert stream.held_bytes == 0


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_t38_what_comes_late_of_a_token_is_masked_all_the_same(end: bytes) -> None:
    stream, out = redactor(), bytearray()
    for piece in (JWT[:-20] + end, JWT[-20:] + b"\nok\n"):
        out += stream.feed(piece).out + stream.flush_idle().out
    assert bytes(out + stream.finish().out) == b"[jwt]" + end + b"[jwt]\nok\n"


def test_a_line_after_a_token_is_not_kept_from_who_waits_for_it() -> None:
    stream, out = redactor(), []
    for piece in (JWT + b"\n", b"done\n", GITHUB + b"\n", b"ok\n"):
        out.append(bytes(stream.feed(piece).out + stream.flush_idle().out))
    assert out == [b"[jwt]\n", b"done\n", b"[github-token]\n", b"ok\n"]


def test_what_may_go_on_is_told_as_one_large_expression_would_tell_it() -> None:
    """So that the way that RE2 is quick with gives what the plain way would."""
    every = compiled(choose())
    values = [Expression(every.detectors[number].pattern).value().opening() for number in every.wrapping]
    plainly = re2.compile(f"(?m:{'|'.join(values)})\\z".encode(), LATIN)
    chance = random.Random(3)
    examples = [text.encode() for detector in DETECTORS for text in detector.matches]
    for _ in range(600):
        parts = []
        for _ in range(chance.randrange(1, 4)):
            whole = chance.choice(examples)
            begin = chance.randrange(len(whole))
            end = chance.randrange(begin, len(whole) + 1)
            noise = bytes(chance.choices(b"abcdef0123456789-_.AZ", k=chance.randrange(40)))
            parts.append(chance.choice([whole, whole[:end], whole[begin:end], b"word", b"x=", noise]))
        text = chance.choice([b"", b" ", b"-"]).join(parts)
        found = plainly.search(text)
        expected = None if found is None or found.start() == found.end() else found.start()
        assert every.opening_of_wrapping(text) == expected, text


@pytest.mark.parametrize("before", [b"\x1b[31m", b"\x01" * 9, b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_t38_a_token_that_goes_on_in_the_next_line_is_masked_whole_after_a_colour(
    before: bytes, end: bytes
) -> None:
    # What nobody sees before the first character of a text once moved the mask by its length.
    out, _ = masked(before + JWT[:60] + end + JWT[60:] + end)
    assert out == before + b"[jwt]" + end
