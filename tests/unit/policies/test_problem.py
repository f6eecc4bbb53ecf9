"""How mistakes are worded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.problem import Problem, key_path, listed, parse_toml, shown


def test_problem_is_one_line_of_file_key_and_message() -> None:
    assert (
        str(Problem("f.toml", "a.b", "is wrong, expected right")) == "f.toml: a.b: is wrong, expected right"
    )
    assert str(Problem("f.toml", "", "cannot be read")) == "f.toml: cannot be read"


def test_key_path_is_written_as_in_toml() -> None:
    assert key_path(("rule", 2, "when", "access")) == "rule[2].when.access"
    assert key_path(("match", "kubernetes.io", "pod")) == 'match."kubernetes.io".pod'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", '"x"'),
        ("a\x1b[2J\u202e", '"a\\u001b[2J\\u202e"'),
        ("a" * 100, '"' + "a" * 60 + '..."'),
        (True, "true"),
        (1.5, "1.5"),
        (10**50, "a very large number"),
        ([], "an empty list"),
        ({"a": 1}, "a table"),
    ],
)
def test_value_is_shown_short_and_without_control_characters(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_words_are_listed_as_in_a_sentence() -> None:
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "",
        "a",
        "a or b",
        "a, b or c",
    ]


def test_number_too_long_for_the_parser_is_a_problem_not_a_crash() -> None:
    assert isinstance(parse_toml("x = " + "1" * 5000, "f"), Problem)


@given(st.text(max_size=80))
def test_any_text_gives_tables_or_one_problem(text: str) -> None:
    result = parse_toml(text, "f.toml")
    assert isinstance(result, dict) or "\n" not in str(result)
