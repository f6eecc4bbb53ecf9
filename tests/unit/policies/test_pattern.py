"""Patterns of rules: exact unless they say that they are globs (T13), and never slow (T21)."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pattern import matches


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("web-1", "web-1", True),
        ("web-1", "web-10", False),
        ("web-*", "web-1", False),
        ("glob:web-*", "web-1", True),
        ("glob:web-*", "web-", True),
        ("glob:web-*", "xweb-1", False),
        ("glob:*-1", "web-1", True),
        ("glob:*-1", "web-1x", False),
        ("glob:w?b", "web", True),
        ("glob:w?b", "wb", False),
        ("glob:refs/heads/*", "refs/heads/a/b", True),
        ("glob:a*b*c", "a-b-b-c", True),
        ("glob:[ab]", "a", True),
        ("glob:[ab]", "[ab]", False),
        ("glob:[!ab]", "c", True),
        ("glob:[!ab]", "a", False),
        ("glob:[[]x]", "[x]", True),
        ("glob:v[0-9]*", "v1.2", True),
        ("glob:v[0-9]*", "vx", False),
        ("glob:", "", True),
        ("glob:*", "", True),
        ("glob:?", "", False),
        ("glob:**", "anything", True),
    ],
)
def test_t13_pattern_matches_whole_text_or_nothing(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


def test_t13_case_prefix_and_unicode_form_are_not_forgiven() -> None:
    assert not matches("deploy", "Deploy")
    assert not matches("glob:deploy*", "Deploy-1")
    assert not matches("caf\u00e9", "cafe\u0301")
    assert not matches("deploy", "deploy\u200b")
    assert not matches("deploy", "deploy\n")


def test_t21_pattern_with_many_stars_does_not_backtrack() -> None:
    assert not matches("glob:" + "a*" * 200 + "b", "a" * 2000)


@given(glob=st.text("ab*?", max_size=12), text=st.text("ab", max_size=12))
def test_glob_agrees_with_a_backtracking_matcher(glob: str, text: str) -> None:
    assert matches("glob:" + glob, text) == fnmatch.fnmatchcase(text, glob)
