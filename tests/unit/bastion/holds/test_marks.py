"""Where people should look in a statement: what the rules have matched, and labels for what is masked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bastion.holds.marks import MAX_MARKS, marks_of
from policies.held_parts import Part


def marked(statement: str, *commands: str, labels: tuple[tuple[int, int], ...] = ()) -> list[tuple[str, str]]:
    """Return the marked pieces of a statement."""
    parts = [Part(command, tuple(command.split())) for command in commands]
    marks = marks_of(statement, labels, parts, lambda word: word.replace("s3cret", "[key]"))
    return [(statement[mark.start : mark.end], mark.what) for mark in marks]


def test_a_command_is_marked_wherever_it_stands_as_it_is() -> None:
    text = "cd /srv && rm  -rf /srv/x; echo rmx; rm -rf /srv/x"
    assert marked(text, "rm -rf /srv/x") == [("rm  -rf /srv/x", "matched"), ("rm -rf /srv/x", "matched")]


def test_the_words_of_a_command_that_is_written_otherwise_are_marked_by_themselves() -> None:
    assert marked("rm '-rf' /srv/x", "rm -rf /srv/x") == [
        ("rm", "matched"),
        ("-rf", "matched"),
        ("/srv/x", "matched"),
    ]
    assert marked(r"r\m x", "rm y") == []


def test_labels_are_marked_as_what_they_are_within_what_is_matched() -> None:
    text = "curl -H [key] http://x"
    assert marked(text, "curl -H s3cret http://x", labels=((8, 13),)) == [
        ("curl -H ", "matched"),
        ("[key]", "masked"),
        (" http://x", "matched"),
    ]


def test_t36_with_too_much_to_mark_all_of_it_is() -> None:
    text = "rm 'x';" * (MAX_MARKS + 1)
    assert marked(text, "rm y") == [(text, "matched")]


@given(
    st.text("abc ;'.-", max_size=60),
    st.lists(st.text("abc .-", max_size=5), max_size=4),
    st.integers(0, 50),
    st.integers(1, 9),
)
def test_marks_are_in_order_inside_and_apart(
    statement: str, commands: list[str], start: int, size: int
) -> None:
    labels = ((start, start + size),) if start + size <= len(statement) else ()
    parts = [Part(command, tuple(command.split(" "))) for command in commands]
    marks = marks_of(statement, labels, parts, str)
    edges = [edge for mark in marks for edge in (mark.start, mark.end)]
    assert edges == sorted(edges)
    assert all(0 <= mark.start < mark.end <= len(statement) for mark in marks)
    assert [(mark.start, mark.end) for mark in marks if mark.what == "masked"] == list(labels)
