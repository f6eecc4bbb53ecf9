"""Test what the quotes of a word come to."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.shell import quoting


@pytest.mark.parametrize(
    ("written", "meant"),
    [("a", "a"), (r"a\ b", "a b"), (r"\\", "\\"), ("a\\\nb", "ab"), ("a\\", "a\\")],
)
def test_bare_text_loses_its_backslashes(written: str, meant: str) -> None:
    assert quoting.unquoted(written) == meant


@pytest.mark.parametrize(
    ("written", "expand"),
    [("{a,b}", True), ("{1..3}", True), ("{a}", False), (r"\{a,b}", False), ("}a,b{", False)],
)
def test_braces_expand_only_with_a_comma_or_two_dots(written: str, *, expand: bool) -> None:
    assert quoting.has_braces(written) == expand


@pytest.mark.parametrize(
    ("written", "meant"),
    [(r"\$a", "$a"), (r"\a", r"\a"), ("\\`", "`"), (r"\\", "\\"), ("a\\\nb", "ab"), ("a\\", "a\\")],
)
def test_double_quotes_leave_most_backslashes(written: str, meant: str) -> None:
    assert quoting.double_unquoted(written) == meant


@settings(deadline=None)
@given(st.text(alphabet="abefnrtvxuUc\\'\"?01279AFg\u00e9 ", max_size=12))
def test_ansi_quotes_mean_what_they_mean_to_bash(written: str) -> None:
    written = written.replace("'", "\\'").replace("\\\\'", "\\'").rstrip("\\")
    command = f"printf '%s.' $'{written}'".encode()
    done = subprocess.run(["bash", "-c", command], capture_output=True, env={"LC_ALL": "C.UTF-8"})
    if done.returncode == 0:
        told = done.stdout[:-1]
        assert quoting.ansi(written).encode("utf-8", "surrogateescape") == told
