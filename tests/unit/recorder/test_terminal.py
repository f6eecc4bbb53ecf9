"""What a recording may do to the terminal of who replays it: draw, and nothing else (T45)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.terminal import SEQUENCE_BOUND, STRING_BOUND, TerminalFilter, plain

# Written apart from the filter: all that may stand in its output.
DRAWS = re.compile(
    r"(?:[ -~\xa0-\U0010ffff\x08-\x0f]"
    r"|\x1b[78DEHM]"
    r"|\x1b[()*+][0AB]"
    r"|\x1b#[34568]"
    r"|\x1b\[!p"
    r"|\x1b\[[0-9:;]*m"
    r"|\x1b\[(?:4|20)(?:;(?:4|20))*[hl]"
    r"|\x1b\[\?(?:5|6|7|12|25|45|47|1047|1048|1049|2026)(?:;(?:5|6|7|12|25|45|47|1047|1048|1049|2026))*[hl]"
    r"|\x1b\[\??[0-2]?J|\x1b\[\??[0-9]{0,4}K"
    r"|\x1b\[[0-9]{0,4}[@ABCDEFGILMPSTXZ`abdeg]"
    r"|\x1b\[[0-9]{0,4}(?:;[0-9]{0,4})?[Hfr]"
    r"|\x1b\[[su])*"
)
ACTS = re.compile(
    r"[\x00-\x07\x10-\x1a\x1c-\x1f\x7f-\x9f]|\x1b[\]PX^_Zc=>NOno|}~%]|\x1b\[[<=>]|\x1b\[[?0-9;]*[cnitqxyW]|\x1b\[[?0-9;]+u"
)

FRAGMENTS = st.sampled_from(
    [
        b"\x1b", b"[", b"]", b"?", b";", b":", b"m", b"h", b"l", b"J", b"H", b"3", b"1049", b"2004",
        b"52;c;aGk=", b"\x07", b"\x1b\\", b"\x9c", b"\x9b", b"\xc2\x9b", b"\xc2\x9d", b"\xc2", b"\xe2\x82",
        b"\xac", b"\xff", b"P", b"X", b"^", b"_", b"c", b"\x18", b"\x1a", b"\r", b"\n", b"text", b" ",
        b"!p", b"(", b"0", b"#8", b"\x05", b"\x1b[", b"\x1b]0;", b"\x1bP", b"9" * SEQUENCE_BOUND,
        b"x" * STRING_BOUND,
    ]
)  # fmt: skip
STREAMS = st.one_of(st.binary(max_size=80), st.lists(FRAGMENTS, max_size=24).map(b"".join))


def filtered(data: bytes, **options: bool) -> bytes:
    stream = TerminalFilter(**options)
    return stream.feed(data) + stream.finish()


@given(data=STREAMS)
def test_t45_any_bytes_give_only_what_draws(data: bytes) -> None:
    shown = filtered(data).decode()
    assert DRAWS.fullmatch(shown), repr(shown)
    assert not ACTS.search(shown)


@given(
    data=STREAMS, cuts=st.lists(st.integers(min_value=0, max_value=10_000), max_size=8), crlf=st.booleans()
)
def test_any_split_gives_the_same(data: bytes, cuts: list[int], crlf: bool) -> None:
    stream = TerminalFilter(crlf=crlf)
    ends = [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    starts = [0, *ends[:-1]]
    pieces = [stream.feed(data[at:end]) for at, end in zip(starts, ends, strict=True)]
    assert b"".join(pieces) + stream.finish() == filtered(data, crlf=crlf)


@given(data=STREAMS)
def test_byte_by_byte_holds_little(data: bytes) -> None:
    stream = TerminalFilter()
    for byte in data:
        stream.feed(bytes([byte]))
        assert stream.held <= 3 + SEQUENCE_BOUND


@given(data=STREAMS)
def test_what_it_lets_through_it_lets_through_again(data: bytes) -> None:
    once = filtered(data)
    assert filtered(once) == once


@given(text=st.text(st.characters(exclude_categories=("Cc", "Cs"))))
def test_printable_text_is_not_changed(text: str) -> None:
    assert filtered(text.encode()) == text.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"plain \x08\t\x0b\x0c\r\n",
        b"\x1b[1;31mred\x1b[0m",
        b"\x1b[38:2::10:20:30mcolon\x1b[4:3m",
        b"\x1b[38;5;196mindexed",
        b"\x1b[2J\x1b[H\x1b[10;20Hthere\x1b[5A\x1b[K",
        b"\x1b[?1049h\x1b[?25l\x1b[2;23r\x1b[?1049l\x1b[?25h",
        b"\x1b7\x1b8\x1bM\x1bD\x1bE\x1bH",
        b"\x1b(0lqk\x1b(B\x0e\x0f",
        b"\x1b[s\x1b[u\x1b[3L\x1b[2M\x1b[4P\x1b[5@\x1b[6X\x1b[7S\x1b[8T\x1b[9b",
        "łódź 東京 👩‍💻 \u202e".encode(),
    ],
)
def test_what_draws_passes(data: bytes) -> None:
    assert filtered(data) == data


@pytest.mark.parametrize(
    ("data", "left"),
    [
        pytest.param(b"a\x1b]52;c;cm0gLXJm\x07b", b"ab", id="clipboard"),
        pytest.param(b"a\x1b]52;c;?\x1b\\b", b"ab", id="clipboard-query"),
        pytest.param(b"a\x1b]0;owned\x07b\x1b]2;owned\x1b\\c", b"abc", id="title"),
        pytest.param(b"\x1b]8;;https://acme.example/\x1b\\click\x1b]8;;\x1b\\", b"click", id="hyperlink"),
        pytest.param(b'a\x1bP$q"p\x1b\\b', b"ab", id="dcs-query"),
        pytest.param(b"a\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\b", b"ab", id="tmux-passthrough"),
        pytest.param(b"a\x1b_Gf=100;AAAA\x1b\\b\x1b^pm\x1b\\c\x1bXsos\x1b\\d", b"abcd", id="apc-pm-sos"),
        pytest.param(b"a\x1b[6n\x1b[c\x1b[>c\x1b[=c\x1b[>q\x1b[?6n\x1b[5n\x1bZb", b"ab", id="queries"),
        pytest.param(b"a\x1b[?2026$p\x1b[x\x1b[?u\x1b[14t\x1b[21tb\x05", b"ab", id="more-queries"),
        pytest.param(b"a\x1b[8;1;1t\x1b[2tb", b"ab", id="window"),
        pytest.param(
            b"a\x1b[?1000h\x1b[?1002;1006h\x1b[?1004h\x1b[?2004h\x1b[?1hb", b"ab", id="mouse-paste-focus"
        ),
        pytest.param(b"a\x1b[?1000;25;2004hb", b"a\x1b[?25hb", id="mode-list-is-thinned"),
        pytest.param(b"a\x1b[1;2;3;4;5Tb", b"ab", id="highlight-tracking"),
        pytest.param(b"a\x1b[>1u\x1b[=5u\x1b[<u\x1b[>4;2mb", b"ab", id="keyboard-protocols"),
        pytest.param(b"a\x1b[5i\x1b[4i\x1b[?5ib", b"ab", id="media-copy"),
        pytest.param(b"a\x1b[3J\x1b[3;1Jb", b"ab", id="scrollback-erased"),
        pytest.param(b"a\x1b[2hb\x1b[12l", b"ab", id="keyboard-lock"),
        pytest.param(b"a\x1b%@b\x1b Fc\x1b=d\x1b>e\x1bnf", b"abcdef", id="encoding-and-keypad"),
        pytest.param(b"a\xc2\x9b31mb", b"a31mb", id="c1-csi-as-utf8-hides-nothing"),
        pytest.param(b"a\xc2\x9d0;x\x07b", b"a0;xb", id="c1-osc-as-utf8-hides-nothing"),
        pytest.param(b"a\x9b31mb", "a\ufffd31mb".encode(), id="c1-csi-as-a-byte"),
        pytest.param(b"a\x07\x00\x05\x7fb", b"ab", id="bel-nul-enq-del"),
        pytest.param(b"a\x1b[31\nmb", b"a\n\x1b[31mb", id="c0-inside-csi-acts-first"),
        pytest.param(b"a\x1b[31\x18mb", b"amb", id="can-aborts"),
        pytest.param(b"a\x1b[3\x1b[1mb", b"a\x1b[1mb", id="esc-restarts"),
        pytest.param("a\x1b[3é".encode(), "aé".encode(), id="csi-ended-by-a-letter-from-outside"),
        pytest.param(b"\x1b[99999999999;0001A", b"", id="too-many-parameters"),
        pytest.param(b"\x1b[99999999999A", b"\x1b[9999A", id="parameters-are-bounded"),
        pytest.param(b"\x1b[38;5;99999999999m", b"\x1b[38;5;9999m", id="sgr-parameters-are-bounded"),
        pytest.param(b"a\xe2\x82", "a\ufffd".encode(), id="torn-character"),
        pytest.param(b"a\xff\xfe\xc0\x80b", "a\ufffd\ufffd\ufffd\ufffdb".encode(), id="not-utf8"),
    ],
)
def test_t45_what_acts_is_dropped(data: bytes, left: bytes) -> None:
    assert filtered(data) == left


def test_t45_clipboard_escape_is_not_played() -> None:
    assert b"cm0gLXJm" not in filtered(b"\x1b]52;c;cm0gLXJm\x07")


def test_t45_full_reset_leaves_scrollback_alone() -> None:
    assert b"\x1bc" not in filtered(b"a\x1bcb")
    assert filtered(b"a\x1bcb").endswith(b"\x1b[H\x1b[2Jb")
    assert b"\x1b[?1049l" not in filtered(b"\x1bc")
    assert b"\x1b[?1049l" in filtered(b"\x1b[?1049h\x1bc")


@pytest.mark.parametrize("opener", [b"\x1b]0;", b"\x1bP", b"\x1bX", b"\x1b^", b"\x1b_"])
def test_an_unterminated_string_does_not_swallow_what_follows(opener: bytes) -> None:
    assert filtered(opener + b"hidden\r\nseen") == b"\r\nseen"
    assert filtered(opener + b"hidden\x1b[1mseen") == b"\x1b[1mseen"
    assert filtered(opener + b"h" * 2 * STRING_BOUND + b"seen").endswith(b"hseen")
    assert len(filtered(opener + b"h" * 2 * STRING_BOUND)) >= STRING_BOUND


def test_an_endless_control_sequence_does_not_swallow_what_follows() -> None:
    assert filtered(b"\x1b[" + b"1;" * SEQUENCE_BOUND + b"seen").endswith(b"seen")
    assert filtered(b"\x1b" + b" " * (SEQUENCE_BOUND + 9) + b"seen").endswith(b"seen")


def test_finish_leaves_it_ready_for_more() -> None:
    stream = TerminalFilter()
    assert stream.feed(b"a\x1b[3") + stream.finish() + stream.feed(b"1mb") == b"a1mb"


def test_lone_line_feeds_get_their_carriage_return() -> None:
    assert filtered(b"a\nb\r\nc\n\nd\r", crlf=True) == b"a\r\nb\r\nc\r\n\r\nd\r"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("deploy@web-1", "deploy@web-1"),
        ("zażółć 東京", "zażółć 東京"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x7f\x85\x00", "\\x7f\\x85\\x00"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("web\u200b-1\ufeff", "web\\u200b-1\\ufeff"),
        ("a\u00a0b\u3000c", "a\\xa0b\\u3000c"),
        ("a\u3164b\u2800c\ufe0f", "a\\u3164b\\u2800c\\ufe0f"),
        ("\u2028\U000e0041", "\\u2028\\U000e0041"),
        (b"\xff/x".decode("utf-8", "surrogateescape"), "\\xff/x"),
        ("\ud800", "\\ud800"),
    ],
)
def test_t32_t36_plain_shows_what_cannot_be_seen(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(text=st.text(st.characters()))
def test_plain_is_total_and_printable(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert plain(shown) == shown
    shown.encode()
