"""The table says of each figure whether it is met, and so does the exit status."""

from __future__ import annotations

import pytest

from tests.bench.page import with_figures, with_profile
from tests.bench.table import Row, Target, all_met, at_least, at_most, rows_json, table_text

FACTS = {
    "processor": "A processor",
    "cores": 2,
    "memory_mib": 4096,
    "file_system": "ext4",
    "python": "3.11.7",
    "openssh": "OpenSSH_9.2p1 Debian, OpenSSL",
    "commit": "abc",
    "load": 0.25,
}
PAGE = """\
before
<!-- figures: written by scripts/bench -->
old
<!-- /figures -->
between
<!-- profile: written by scripts/bench -->
old
<!-- /profile -->
after
"""


def row(measured: float, target: Target | None, unit: str = "x") -> Row:
    return Row(line="a line", what="a figure", measured=measured, unit=unit, target=target, note="a note")


@pytest.mark.parametrize(
    ("measured", "target", "met"),
    [
        (0.7, at_most(0.7), True),
        (0.71, at_most(0.7), False),
        (0.8, at_least(0.8), True),
        (0.79, at_least(0.8), False),
        (9.9, None, None),
    ],
)
def test_a_row_says_whether_it_is_met(measured: float, target: Target | None, met: bool | None) -> None:
    assert row(measured, target).met is met
    assert all_met([row(0, at_most(1)), row(measured, target)]) is (met is not False)


def test_the_table_has_target_figure_and_verdict() -> None:
    text = table_text([row(0.75, at_most(0.7)), row(12.345, None, "ms"), row(0, at_most(0), "")])
    assert [line.split() for line in text.splitlines()[2:]] == [
        ["a", "line", "a", "figure", "at", "most", "0.70x", "0.75x", "NO", "a", "note"],
        ["a", "line", "a", "figure", "12.3", "ms", "a", "note"],
        ["a", "line", "a", "figure", "at", "most", "0", "0", "yes", "a", "note"],
    ]


def test_a_miss_that_rounds_to_its_target_is_shown_as_a_miss() -> None:
    assert " NO " in table_text([row(0.7004, at_most(0.7))])


def test_rows_as_json_keep_what_they_were_made_from() -> None:
    made = Row(line="l", what="w", measured=2, unit="ms", target=at_most(3), runs={"bastion": [1, 2, 3]})
    assert rows_json([made]) == [
        {
            "line": "l",
            "figure": "w",
            "unit": "ms",
            "measured": 2,
            "target": {"bound": "at most", "value": 3},
            "met": True,
            "note": "",
            "runs": {"bastion": [1, 2, 3]},
        }
    ]


def test_the_page_gets_new_figures_between_its_markers_and_nothing_else() -> None:
    page = with_profile(with_figures(PAGE, FACTS, [row(0.5, at_most(0.7))]), "  50.0%  main")
    assert "old" not in page
    assert "A processor, 2 cores, 4 GiB, ext4; Python 3.11.7, OpenSSH_9.2p1 Debian; commit abc" in page
    assert "| a line | a figure | at most 0.70x | 0.50x" in " ".join(page.split())
    assert [line for line in page.splitlines() if line in ("before", "between", "after")] == [
        "before",
        "between",
        "after",
    ]
    assert with_profile(page, "  50.0%  main") == page


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks a marker"):
        with_figures("nothing", FACTS, [])
