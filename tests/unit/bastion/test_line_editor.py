"""Keys make lines: the same ones however they are cut, and nothing but Enter submits."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.line_editor import LINE_BYTES, Drawn, Effect, Key, LineEditor, Submitted
from recorder.screen import Screen

KEYS = (
    *(
        "a",
        "b",
        " ",
        "é",
        "漢",
        "\u0301",
        "\t",
        "\r",
        "\n",
        "\r\n",
        "\x1b[A",
        "\x1b[B",
        "\x1b[C",
        "\x1b[D",
        "\x1b[H",
    ),
    *(
        "\x1b[3~",
        "\x1bOF",
        "\x1bb",
        "\x1bf",
        "\x1bd",
        "\x1b\x7f",
        "\x1b[200~",
        "\x1b[201~",
        "\x1b",
        "\x1b[99",
    ),
    *(chr(code) for code in range(0x20)),
    *("\x7f", "echo one", "x" * 90),
)
typed = st.lists(st.sampled_from(KEYS), max_size=60).map(lambda keys: "".join(keys).encode())


def lines(effects: list[Effect]) -> list[Submitted]:
    return [effect for effect in effects if isinstance(effect, Submitted)]


def fed(*keys: bytes) -> list[Effect]:
    editor = LineEditor()
    return list(itertools.chain.from_iterable(map(editor.feed, keys)))


def joined(effects: list[Effect]) -> list[Effect]:
    """Join what is drawn side by side."""
    whole: list[Effect] = []
    for effect in effects:
        last = whole[-1] if whole else None
        if isinstance(effect, Drawn) and isinstance(last, Drawn):
            whole[-1] = Drawn(last.data + effect.data)
        else:
            whole.append(effect)
    return whole


@given(st.one_of(typed, st.binary(max_size=80)), st.data())
@settings(max_examples=300, deadline=None)
def test_l11_any_split_of_the_same_keys_gives_the_same_effects(keys: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(keys)), max_size=6)))
    parts = [keys[begin:end] for begin, end in itertools.pairwise([0, *cuts, len(keys)])]
    assert joined(fed(*parts)) == joined(fed(keys))


@given(st.one_of(typed, st.binary(max_size=200)))
@settings(max_examples=300, deadline=None)
def test_t28_a_line_that_may_go_on_has_no_control_bytes_and_fits(keys: bytes) -> None:
    effects = fed(keys)
    for submitted in lines(effects):
        if not submitted.why:
            assert not any(byte < 0x20 and byte != 9 for byte in submitted.line)
            assert b"\x7f" not in submitted.line
            assert len(submitted.line) <= LINE_BYTES
    assert all(effect.data in (b"\x03", b"\x04", b"\x1a") for effect in effects if isinstance(effect, Key))
    enters = keys.count(b"\r") + keys.count(b"\n")
    assert len(lines(effects)) <= enters


@given(st.lists(st.sampled_from([key for key in KEYS if key not in ("\x12", "\t", "\u0301")]), max_size=40))
@settings(max_examples=200, deadline=None)
def test_t29_what_is_drawn_is_the_line(keys: list[str]) -> None:
    """Whatever was pressed, the terminal shows prompt and line as one that draws it anew does."""
    pressed = "".join(key for key in keys if "\r" not in key and "\n" not in key and key != "\x03").encode()
    assert plain_screen(pressed + b"\x1b[201~\x05") == plain_screen(pressed + b"\x1b[201~\x0c\x05")


def plain_screen(keys: bytes, *, cols: int = 40) -> str:
    editor = LineEditor(cols)
    editor.drawing.printed(b"$ ")
    screen = Screen(cols, 10)
    list(screen.feed(b"$ "))
    for effect in editor.feed(keys):
        if isinstance(effect, Drawn):
            list(screen.feed(effect.data))
    return "\n".join(line.rstrip() for line in screen.finish()).rstrip()


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (b"echo one", "$ echo one"),
        (b"eo\x1b[Dch", "$ echo"),
        (b"echo\x01X", "$ Xecho"),
        (b"one two three\x17", "$ one two"),
        (b"one two\x1bb\x0b", "$ one"),
        (b"one\x15two\x19", "$ twoone"),
        ("漢字x\x1b[D\x1b[D\x7f".encode(), "$ 字x"),
        (b"a" * 50, "$ " + "a" * 38 + "\n" + "a" * 12),
        (b"a" * 38, "$ " + "a" * 38),
        (b"a" * 50 + b"\x01b", "$ b" + "a" * 37 + "\n" + "a" * 13),
        (b"a" * 50 + b"\x15", "$"),
        (b"a" * 90 + b"\x01" + b"\x04" * 60, "$ " + "a" * 30),
        (b"one\x0c", "$ one"),
        (b"\x1b]0;x\x07y", "$ 0;xy"),
    ],
)
def test_t29_the_terminal_shows_the_line_as_it_is(keys: bytes, shown: str) -> None:
    assert plain_screen(keys) == shown


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (b"one\r", b"one"),
        (b"one\n", b"one"),
        (b"o\x1b[Dn\x1b[C\x05e\r", b"noe"),
        (b"one two\x17\r", b"one "),
        (b"one\x01\x0b\r", b""),
        (b"one\x15\x19\x19\r", b"oneone"),
        (b"on\x08\x7fx\r", b"x"),
        (b"abc\x01\x04\r", b"bc"),
        (b"caf\xc3\xa9\x7f\xc3\xa9\r", b"caf\xc3\xa9"),
        (b"\xff\xfe\r", b"\xff\xfe"),
        (b"\x1b[200~a\tb\x1b[201~\r", b"a\tb"),
        (b"\t\tx\r", b"\t\tx"),
        (b"\x0f\x00\x16\x1c\x1d\x1f\r", b""),
    ],
)
def test_t29_keys_edit_the_line(keys: bytes, line: bytes) -> None:
    (submitted,) = lines(fed(keys))
    assert submitted == Submitted(line)


def test_t29_the_history_is_walked_and_searched() -> None:
    keys = b"echo one\recho two\r\x1b[A\x1b[A\r\x10\x0e\r\x12tw\r\x12e\x12\x12\x07\x15x\r"
    told = [submitted.line for submitted in lines(fed(keys))]
    assert told == [b"echo one", b"echo two", b"echo one", b"", b"echo two", b"x"]


def test_t29_tab_completes_what_is_certain() -> None:
    told = [submitted.line for submitted in lines(fed(b"release alpha\rrel\tal\t\rr\t\x15x\r"))]
    assert told == [b"release alpha", b"release alpha ", b"x"]


@pytest.mark.parametrize("keys", [b"\x1b[200~a\x15b\x1b[201~\r", b"\x1b[200~\x7f\x1b[201~\r"])
def test_t28_control_bytes_in_a_paste_make_a_line_that_cannot_go_on(keys: bytes) -> None:
    (submitted,) = lines(fed(keys))
    assert "control bytes" in submitted.why


def test_t33_a_line_that_is_too_long_cannot_go_on_and_is_not_held() -> None:
    (submitted,) = lines(fed(b"a" * 200_000 + b"\r"))
    assert f"longer than {LINE_BYTES}" in submitted.why
    assert len(submitted.line) == LINE_BYTES + 1
    (fits,) = lines(fed(b"a" * LINE_BYTES + b"\r"))
    assert fits.why == ""


def test_hidden_text_is_neither_drawn_nor_remembered() -> None:
    editor = LineEditor()
    editor.hidden = True
    effects = editor.feed(b"s3cret\x7ft\r")
    assert effects == [Drawn(b"\r\n"), Submitted(b"s3cret", hidden=True)]
    editor.hidden = False
    assert lines(editor.feed(b"\x10\r")) == [Submitted(b"")]


def test_t28_ctrl_c_acts_within_a_paste_that_never_ends() -> None:
    effects = fed(b"\x1b[200~rm x\x03ls\r")
    assert [effect for effect in effects if not isinstance(effect, Drawn)] == [Key(b"\x03"), Submitted(b"ls")]
