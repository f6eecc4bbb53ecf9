"""What is asked ahead is, byte for byte, what a session would be asked to run (L3, T36)."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.requesting import words_of


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("request --target web-1 -- touch /x", ["request", "--target", "web-1", "--", "touch /x"]),
        ("request -- touch 'a  b' \"$c\" # d", ["request", "--", "touch 'a  b' \"$c\" # d"]),
        ("request --reason 'a -- b' -- x -- y", ["request", "--reason", "a -- b", "--", "x -- y"]),
        ("request --  x ", ["request", "--", " x "]),
        ("request --", ["request", "--", ""]),
        ("request --poll H-7K3Q", ["request", "--poll", "H-7K3Q"]),
        ("request #x", ["request", "#x"]),
        ("approve H-7K3Q --reason 'a b' -- x  y", ["approve", "H-7K3Q", "--reason", "a b", "--", "x", "y"]),
        ("", []),
    ],
)
def test_l3_behind_the_dashes_nothing_is_touched(line: str, words: list[str]) -> None:
    assert words_of(line) == words


@given(st.text(st.characters(exclude_characters="\0")), st.text(min_size=1))
def test_l3_any_statement_comes_out_as_it_went_in(statement: str, reason: str) -> None:
    line = f"request --reason {shlex.quote(reason)} -- {statement}"
    words = words_of(line)
    if reason != "--":
        assert words == ["request", "--reason", reason, "--", statement]


@pytest.mark.parametrize("line", ["request 'x", 'request --reason "x -- y', "sessions '"])
def test_an_open_quote_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="No closing quotation"):
        words_of(line)
