"""Statements come out as bash would read them, however the bytes were cut, within bounds."""

from __future__ import annotations

import itertools
import json
import subprocess
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.shell import MAX_STATEMENT_BYTES
from policies.shell.assembler import Piece, ShellAssembler

VECTORS = Path(__file__).parents[2] / "vectors" / "gate" / "statements.json"
STATEMENTS = [text.encode() for text in json.loads(VECTORS.read_text())["statements"]]
MORE_TO_COME = (b"unexpected end of file", b"unexpected EOF", b"delimited by end-of-file", b"token `EOF'")
CRUMBS = (
    *("'", '"', "`", "\\", "\\\n", "$", "$(", "$((", "${", "(", ")", "((", "))", "{", "}", "[[", "]]", "#"),
    *("<<E", "<<-'E'", "E", "\tE", "\n", ";", ";;", "&", "&&", "|", " ", "\t", "=", "a", "f()", "\xff", "\r"),
    *(
        "if",
        "then",
        "fi",
        "for",
        "in",
        "do",
        "done",
        "while",
        "case",
        "esac",
        "function",
        "time",
        "!",
        "<(",
        ">",
    ),
)
scripts = st.one_of(
    st.lists(st.sampled_from(CRUMBS), max_size=40).map(lambda parts: "".join(parts).encode("latin-1")),
    st.lists(st.sampled_from(STATEMENTS), max_size=6).map(b"".join),
    st.binary(max_size=60),
)


def assembled(chunks: Iterable[bytes]) -> list[Piece]:
    assembler = ShellAssembler()
    pieces = list(itertools.chain.from_iterable(assembler.feed(chunk) for chunk in chunks))
    return pieces + assembler.finish()


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.decode())
def test_t30_a_statement_comes_out_whole_and_alone(statement: bytes) -> None:
    pieces = assembled([statement + b"echo next\n"])
    assert [piece.source for piece in pieces] == [statement, b"echo next\n"]
    assert not any(piece.why for piece in pieces)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.decode())
def test_t30_bash_too_waits_for_the_rest(statement: bytes) -> None:
    """Real bash, given the lines but the last: it misses an end, or takes the lines for the same command."""
    lines = statement.splitlines(keepends=True)
    for count in range(1, len(lines)):
        begun = b"".join(lines[:count])
        said = subprocess.run(["bash", "-n"], input=begun, capture_output=True).stderr
        assert begun.endswith(b"\\\n") or any(text in said for text in MORE_TO_COME), (begun, said)


@given(scripts, st.data())
@settings(max_examples=300, deadline=None)
def test_l11_any_split_of_the_same_bytes_gives_the_same_pieces(script: bytes, data: st.DataObject) -> None:
    whole = assembled([script])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(script)), max_size=8)))
    parts = [script[begin:end] for begin, end in itertools.pairwise([0, *cuts, len(script)])]
    assert assembled(parts) == whole
    assert assembled(script[at : at + 1] for at in range(len(script))) == whole


@given(scripts)
@settings(max_examples=200, deadline=None)
def test_l3_every_byte_comes_out_once_unless_there_is_a_nul(script: bytes) -> None:
    pieces = assembled([script])
    came_out = b"".join(piece.source for piece in pieces)
    assert came_out == script[: script.find(b"\0") + 1 or None]
    assert all(piece.whole for piece in pieces[:-1])
    assert all(not piece.blank or not piece.source.split(b"#")[0].strip() for piece in pieces)


@pytest.mark.parametrize("comment", [b"\n", b" \t\n", b"# if it's\n", b"   # $(\n"])
def test_a_line_without_a_command_is_blank(comment: bytes) -> None:
    assert assembled([comment, b"ls\n"]) == [Piece(comment, blank=True), Piece(b"ls\n")]


def test_a_last_line_without_its_newline_is_a_statement() -> None:
    assert assembled([b"a\nb"]) == [Piece(b"a\n"), Piece(b"b")]
    assert assembled([b"cat <<E\nx\nE"]) == [Piece(b"cat <<E\nx\nE")]
    assert assembled([b"# the end"]) == [Piece(b"# the end", blank=True)]


@pytest.mark.parametrize(
    ("script", "open_"),
    [
        (b"echo 'a\n", "'…'"),
        (b'echo "a', '"…"'),
        (b"cat <<EOF\nx\n", "'EOF'"),
        (b"if a; then\n", "'fi'"),
        (b"echo $(a\n", "(…)"),
        (b"a |\n", "goes on"),
        (b"echo a\\\n", "goes on"),
        (b"echo ${a\n", "${…}"),
    ],
)
def test_t33_what_is_open_at_the_end_of_input_cannot_be_understood(script: bytes, open_: str) -> None:
    (piece,) = assembled([script])
    assert piece.source == script
    assert piece.whole
    assert open_ in piece.why


def test_t33_a_line_longer_than_any_buffer_is_given_up_at_once() -> None:
    """A gigabyte without a newline: what is kept of it is one statement's worth."""
    chunk = b"a" * (1 << 20)
    assembler = ShellAssembler()
    tracemalloc.start()
    pieces = list(itertools.chain.from_iterable(assembler.feed(chunk) for _ in range(1024)))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(piece.whole, len(piece.source)) for piece in pieces] == [(False, MAX_STATEMENT_BYTES)]
    assert f"longer than {MAX_STATEMENT_BYTES}" in pieces[0].why
    assert peak < 8 * MAX_STATEMENT_BYTES
    assert assembler.feed(b"\nls\n") == assembler.finish() == []


def test_t33_the_longest_statement_is_one_byte_shorter_than_too_long() -> None:
    for fill, whole in ((MAX_STATEMENT_BYTES - 1, True), (MAX_STATEMENT_BYTES, False)):
        for line in (b"a" * fill + b"\n", b"'" + b"a" * (fill - 2) + b"'\n"):
            assert [piece.whole for piece in assembled([line])] == [whole]


def test_a_nul_is_the_end() -> None:
    pieces = assembled([b"a\nb\0c\nd\n"])
    assert pieces == [Piece(b"a\n"), Piece(b"b\0", "it has a NUL byte in it", whole=False)]


def test_bytes_that_are_no_text_are_kept_as_they_are() -> None:
    (piece,) = assembled([b"echo \xff\xfe\n"])
    assert piece.source == b"echo \xff\xfe\n"
    assert piece.text.encode("utf-8", "surrogateescape") == piece.source


@pytest.mark.parametrize("script", [b")\n", b"fi\n", b"a ;; b\n", b"cat <<$(x)\n", b"$(" * 200 + b"\n"])
def test_t30_what_cannot_be_followed_ends_with_its_line_and_says_so(script: bytes) -> None:
    pieces = assembled([script, b"ls\n"])
    assert [piece.source for piece in pieces] == [script, b"ls\n"]
    assert pieces[0].why
    assert not pieces[1].why


def test_a_statement_that_has_begun_can_be_forgotten() -> None:
    assembler = ShellAssembler()
    assert assembler.feed(b"if a; then\n") == []
    assert assembler.pending
    assembler.reset()
    assert not assembler.pending
    assert assembler.feed(b"ls\n") == [Piece(b"ls\n")]
