"""The page of shipped policies lists the rules as they are."""

from pathlib import Path

import pytest

from bastion.library_page import library_page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "library.md"


def test_list_is_up_to_date() -> None:
    page = PAGE.read_text("utf-8")
    assert page == library_page(page), "run scripts/docs"


def test_page_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"docs/library\.md lacks a marker, expected <!--"):
        library_page("# The shipped policies\n")
