"""Rows fit the terminal, show nothing that acts, lose no character unmarked (T36)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from bastion.approval_screen.rows import HIDDEN, cut, escaped, wrapped

TEXT = st.text(st.characters(), max_size=80)
WIDTH = st.integers(2, 20)


def text(row: list[tuple[str, str]]) -> str:
    return "".join(piece for _style, piece in row)


@given(TEXT)
def test_t36_what_is_not_visible_is_written_out_and_marked(given_: str) -> None:
    row = escaped(given_, "class:x")
    assert text(row).isprintable()
    assert all(HIDDEN in style or piece in given_ for style, piece in row)


@given(TEXT, WIDTH)
def test_t36_wrapping_breaks_anywhere_and_loses_nothing(given_: str, width: int) -> None:
    rows = wrapped(escaped(given_), width, get_cwidth)
    assert "".join(map(text, rows)) == text(escaped(given_))
    assert all(sum(map(get_cwidth, text(row))) <= width for row in rows)


@given(TEXT, WIDTH)
def test_wrapping_at_words_loses_spaces_at_most(given_: str, width: int) -> None:
    rows = wrapped(escaped(given_), width, get_cwidth, words=True)
    assert "".join(map(text, rows)).replace(" ", "") == text(escaped(given_)).replace(" ", "")
    assert all(sum(map(get_cwidth, text(row))) <= width for row in rows)


def test_words_stay_whole_where_there_is_a_space_near() -> None:
    rows = wrapped([("", "somebody else looks at what is done here")], 21, len, words=True)
    assert [text(row) for row in rows] == ["somebody else looks", "at what is done here"]
    assert [text(row) for row in wrapped([("", "rm /a/long/path/to/there")], 12, len, words=True)] == [
        "rm /a/long/p",
        "ath/to/there",
    ]


@given(TEXT, WIDTH)
def test_t36_a_row_that_is_cut_says_so_and_each_is_as_wide_as_asked(given_: str, width: int) -> None:
    row = cut(escaped(given_), width, get_cwidth)
    whole = text(escaped(given_))
    assert sum(map(get_cwidth, text(row))) == width
    if sum(map(get_cwidth, whole)) > width:
        assert "…" in text(row)
    else:
        assert text(row).startswith(whole)
