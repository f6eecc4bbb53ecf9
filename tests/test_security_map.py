"""docs/security.md speaks of every law and attack class, and truthfully of the tests that cover it."""

from __future__ import annotations

import re

from tests.security_map import NUMBERS, PAGE, ROOT, numbered, refreshed

TEXT = PAGE.read_text("utf-8")
FOUND = numbered(ROOT / "tests")
ROWS = {
    row[1]: row[2].strip() for row in re.finditer(r"^\| (T[0-9]+) \|.*\| ([^|]*) \|$", TEXT, re.MULTILINE)
}
LATER = ("hardening", "statement gate", "holds", "masking", "agents")
# What the first version owes; the rest belongs to a later step, which the table names.
OWED = {*(f"T{number}" for number in (*range(1, 23), 25, 27, *range(42, 47), 48, 49, 50))}
LAWS = {f"L{number}" for number in range(1, 12)} - {"L10"}  # L10 is masking's


def test_every_law_and_attack_class_has_its_place_on_the_page() -> None:
    laws = re.findall(r"^\*\*(L[0-9]+) ", TEXT, re.MULTILINE)
    assert [*laws, *ROWS] == list(NUMBERS)


def test_each_attack_class_is_covered_or_a_later_step_is_named() -> None:
    for number, state in ROWS.items():
        words = [word.strip() for word in re.split("[,;]", state)]
        assert words[0] == "covered" or set(words) <= set(LATER), f"{number}: {state!r} is no state"
        assert number not in OWED or words[0] == "covered", f"{number} is owed now, the table says {state!r}"


def test_what_is_called_covered_has_a_test() -> None:
    claimed = LAWS | {number for number, state in ROWS.items() if state.startswith("covered")}
    bare = sorted(number for number in claimed if not FOUND[number])
    assert not bare, f"no test bears the number of {', '.join(bare)} in its name"


def test_the_lists_on_the_page_are_those_of_the_tests() -> None:
    listed = set(re.findall(r"^- `(test_\w+)`$", TEXT, re.MULTILINE))
    there = {name for files in FOUND.values() for names in files.values() for name in names}
    assert listed == there, (
        f"run scripts/docs: the page lacks {sorted(there - listed)}, and lists what is gone: {sorted(listed - there)}"
    )
    assert refreshed(TEXT) == TEXT, "run scripts/docs"
