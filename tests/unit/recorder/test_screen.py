"""The rendered screen loses no text, whatever pyte thinks of the sequences around it (DESIGN section 11)."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.screen import COLS_MAX, ROWS_MAX, Screen

SHAPES = [
    f"\x1b[{private}{numbers}{final}"
    for private in ("", "?")
    for numbers in ("", "0", "5", "1;2", "1;2;3", "9999", "0;0;0;0")
    for final in map(chr, range(0x40, 0x7F))
]
MOVES = ["\r", "\n", "\x08", "\t", "\x1b7", "\x1b8", "\x1bM", "\x1bD", "\x1bE", "\x1bH", "\x1bc", "\x1b#8"]
MODES = ["\x1b[?1049h", "\x1b[?1049l", "\x1b[?6h", "\x1b[?7l", "\x1b[4h", "\x1b[2;3r"]
LETTERS = ["text", "東", "e\u0301", "\u0301", "\u200b"]
FRAGMENTS = st.sampled_from([*SHAPES, *MOVES, *MODES, *LETTERS])


def drawn(text: str, cols: int = 20, rows: int = 5) -> Screen:
    screen = Screen(cols, rows)
    screen.feed(text.encode())
    return screen


def shown(text: str, cols: int = 20, rows: int = 5) -> list[str]:
    lines = drawn(text, cols, rows).text()
    while lines and not lines[-1]:
        lines.pop()
    return lines


def everything(text: str, cols: int = 20, rows: int = 5) -> list[str]:
    screen = Screen(cols, rows)
    return screen.feed(text.encode()) + screen.finish()


def test_text_lands_where_the_cursor_is() -> None:
    assert shown("one\r\ntwo\x1b[1;10Hthere\x1b[2;1Hto") == ["one      there", "too"]


def test_pyte_alone_raises_on_odd_csi_shapes_and_the_screen_does_not() -> None:
    raising = 0
    for shape in SHAPES:
        try:
            pyte.Stream(pyte.Screen(20, 5)).feed(shape)
        except (TypeError, UnboundLocalError, AssertionError):
            raising += 1
        screen = drawn(shape)
        screen.feed(b"\x1b[H\x1b[?6l\x1b[4l\x1b[Hseen")
        assert "".join(screen.text()).startswith("seen"), repr(shape)
        assert screen.faults == 0, repr(shape)
    assert raising > 0


@pytest.mark.parametrize(
    "shape", ["\x1b[1;2;3A", "\x1b[?5A", "\x1b[7J", "\x1b[9K", "\x1b[?6h\x1b[3d", "\x1b[1;2;3r"]
)
def test_an_odd_csi_does_not_drop_the_rest_of_the_chunk(shape: str) -> None:
    assert "seen" in "".join(shown(f"{shape}seen"))


def test_an_exception_inside_pyte_costs_one_step_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("odd")

    monkeypatch.setattr(pyte.Screen, "cursor_up", broken)
    screen = drawn("before\x1b[Aafter")
    assert screen.text()[0] == "beforeafter"
    assert screen.faults == 1


def test_colon_sgr_is_not_text() -> None:
    assert shown("\x1b[38:2::1:2:3mred\x1b[4:3mwavy\x1b[0m") == ["redwavy"]


def test_dcs_and_apc_are_not_text() -> None:
    assert shown("a\x1bPq#0;2;0;0;0\x1b\\b\x1b_Gx\x1b\\c") == ["abc"]


def test_an_unterminated_osc_does_not_swallow_what_follows() -> None:
    assert shown("\x1b]0;title\r\nseen") == ["", "seen"]


def test_soft_reset_prints_nothing_and_resets_margins() -> None:
    assert everything("\x1b[2;3r\x1b[!pa\r\nb\r\nc\r\nd\r\ne\r\nf") == ["a", "b", "c", "d", "e", "f"]


def test_zero_width_characters_do_not_drop_the_rest_of_a_run() -> None:
    assert shown("a\u200bb\u2060c\ufeffd") == ["abcd"]


def test_half_of_a_wide_character_overwritten() -> None:
    assert shown("東京\x1b[Hab") == ["ab京"]


def test_combining_characters_in_one_cell_are_bounded() -> None:
    (line,) = shown("a" + "\u0323\u0334" * 5000 + "b")
    assert line[0] in "aạ"
    assert line[-1] == "b"
    assert len(line) < 20


def test_lines_that_scroll_off_are_handed_over_in_order() -> None:
    screen = Screen(20, 3)
    left = screen.feed("".join(f"line {n}\r\n" for n in range(10)).encode())
    assert left == [f"line {n}" for n in range(8)]
    assert screen.text() == ["line 8", "line 9", ""]
    assert screen.finish() == ["line 8", "line 9"]


def test_lines_that_a_region_scrolls_off_are_handed_over() -> None:
    text = everything("\x1b[2;3r\x1b[2;1Hone\r\ntwo\r\nthree\r\nfour")
    assert [line for line in text if line] == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    "wipe",
    [
        "\x1b[2J",
        "\x1b[H\x1b[J",
        "\x1b[5;1H\x1b[1J",
        "\x1bc",
        "\x1b[99S",
        "\x1b[99T",
        "\x1b[H\x1b[99M",
        "\x1b[H\x1b[99L",
        "\x1b[H" + "\x1bM" * 5,
    ],
)
def test_wiping_the_screen_does_not_hide_what_was_on_it(wipe: str) -> None:
    screen = Screen(20, 5)
    left = screen.feed(f"rm -rf /srv{wipe}\x1b[Hinnocent".encode())
    assert "rm -rf /srv" in left
    assert screen.text() == ["innocent", "", "", "", ""]


@pytest.mark.parametrize("mode", ["47", "1047", "1049"])
def test_the_alternate_screen_leaves_the_main_one_whole(mode: str) -> None:
    screen = Screen(20, 5)
    screen.feed(f"$ vi\r\n\x1b[?{mode}h\x1b[2J\x1b[Hin the editor".encode())
    assert screen.text()[0] == "in the editor"
    assert screen.feed(f"\x1b[?{mode}l".encode()) == ["in the editor"]
    assert screen.text()[0] == "$ vi"


def test_an_alternate_screen_that_is_never_left_is_found_at_the_end() -> None:
    assert everything("main\x1b[?1049h\x1b[Hother") == ["main", "other"]


def test_the_alternate_screen_gives_its_text_once() -> None:
    text = everything("\x1b[?47h\x1b[Honce" + "\x1b[?47l\x1b[?47h" * 50)
    assert text == ["once"]


def test_cursor_comes_back_from_the_alternate_screen() -> None:
    assert shown("ab\x1b[?1049h\x1b[4;4Hxyz\x1b[?1049lc") == ["abc"]


def test_saved_cursors_are_one_not_a_stack() -> None:
    assert shown("\x1b7" * 1000 + "\x1b[3;3H\x1b7\x1b[H\x1b8x\x1b[H\x1b8y") == ["", "", "  y"]


def test_resize_keeps_what_does_not_fit() -> None:
    screen = Screen(20, 5)
    screen.feed(b"one\r\ntwo\r\nthree is much longer")
    assert screen.resize(10, 2) == ["three is much longer"[:20], "one"]
    assert screen.text() == ["two", "three is m"]
    assert screen.resize(10, 4) == []
    assert screen.text() == ["two", "three is m", "", ""]


def test_resize_cuts_blank_lines_first() -> None:
    screen = Screen(20, 24)
    screen.feed(b"top")
    assert screen.resize(20, 3) == []
    assert screen.text() == ["top", "", ""]


def test_the_size_is_bounded() -> None:
    assert len(Screen(10**9, 10**9).text()) == ROWS_MAX
    screen = Screen(0, -5)
    screen.resize(2**31, 2**31)
    screen.feed(b"x" * (COLS_MAX + 1))
    assert screen.text()[:2] == ["x" * COLS_MAX, "x"]


def test_repeat_and_tabs() -> None:
    assert shown("-\x1b[4b\r\n\ta\x1b[2Zb\x1b[Ic") == ["-----", "b       c"]


def test_a_screen_of_letters_cannot_be_had_for_three_bytes() -> None:
    assert everything("\x1b#8\x1b[2J" * 100) == []


@given(fragments=st.lists(FRAGMENTS, max_size=40), cols=st.integers(1, 12), rows=st.integers(1, 6))
def test_any_sequence_of_shapes_faults_nothing(fragments: list[str], cols: int, rows: int) -> None:
    screen = drawn("".join(fragments), cols, rows)
    assert screen.faults == 0
    assert all(len(line) <= COLS_MAX for line in screen.text())
    screen.resize(rows + 3, cols)
    screen.finish()
    screen.feed(b"\x1b[Hok")
    assert screen.text()[0].startswith("ok")


@given(data=st.binary(max_size=200))
def test_any_bytes_are_drawn(data: bytes) -> None:
    screen = Screen(20, 5)
    screen.feed(data)
    assert screen.faults == 0
    assert len(screen.text()) == 5


@given(fragments=st.lists(FRAGMENTS, max_size=20), cuts=st.lists(st.integers(0, 400), max_size=5))
def test_any_split_gives_the_same_screen(fragments: list[str], cuts: list[int]) -> None:
    data = "".join(fragments).encode()
    whole, split = Screen(20, 5), Screen(20, 5)
    left = whole.feed(data)
    ends = [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    parts = [line for at, end in zip([0, *ends], ends, strict=False) for line in split.feed(data[at:end])]
    assert parts == left
    assert split.text() == whole.text()
