"""What may still become a match: an expression's openings, against all prefixes of what it matches."""

from __future__ import annotations

import re

import pytest

from policies.masking import DETECTORS
from policies.masking.expression import Expression


@pytest.mark.parametrize("detector", [it for it in DETECTORS if it.pattern], ids=lambda it: it.name)
def test_every_beginning_of_every_example_is_an_opening(detector: object) -> None:
    pattern, matches = detector.pattern, detector.matches  # type: ignore[attr-defined]
    opening = re.compile(f"(?m:{_python(Expression(pattern).opening())})\\Z")
    for text in matches:
        found = re.search(f"(?m:{_python(pattern)})", text)
        assert found is not None
        start, end = found.span("v") if "(?P<v>" in pattern else found.span()
        for cut in range(start + 1, end + 1):
            open_at = opening.search(text[:cut])
            assert open_at is not None, text[:cut]


def test_gates_are_beginnings_of_bounded_width() -> None:
    assert Expression(r"\bAKIA[A-Z0-9]{16}\b").gate() == r"(?:\bAKIA[A-Z0-9]{16}\b)"
    assert Expression(r"ghp_[A-Za-z0-9]{36,251}").gate() == r"(?:ghp_[A-Za-z0-9]{20})"
    assert Expression(r"a+b").gate() == "(?:a{1})"
    assert Expression(r"(?i)pwd=(?P<v>[a-z]{3,})").gate() == "(?i:pwd=(?:[a-z]{3}))"


@pytest.mark.parametrize("pattern", ["a)", "(a", "*a", "[a", "(?=a)", "a|*", "\\"])
def test_what_is_not_of_the_syntax_is_refused_with_its_place(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"at \d+"):
        Expression(pattern)


def _python(pattern: str) -> str:
    """Return the pattern as Python's own engine takes it: flags in front become a group."""
    return f"(?i:{pattern[4:]})" if pattern.startswith("(?i)") else pattern
