"""docs/masking.md lists every detector, as it is declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.masking import DETECTORS
from policies.masking.listing import refreshed

PAGE = Path(__file__).parents[4] / "docs" / "masking.md"


def test_the_page_is_as_the_detectors_are() -> None:
    page = PAGE.read_text("utf-8")
    assert page == refreshed(page), "run scripts/docs"
    assert all(f"| `{it.name}` |" in page for it in DETECTORS)


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks a marker"):
        refreshed("# Masking\n")
