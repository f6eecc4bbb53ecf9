"""Keep the newest figures on docs/performance.md, between two markers that only the bench writes between.

In      the text of the page
Out     the same page with a block made anew
Errors  ValueError when a marker is missing
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.machine import head_line
from tests.bench.table import Row, table_text

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
LINE_CHARS = 116  # of prose on the page


def with_figures(page: str, facts: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the page with this table."""
    head = textwrap.fill(f"{head_line(facts)}.", LINE_CHARS, break_on_hyphens=False)
    return _replaced(page, "figures", f"{head}\n\n{table_text(rows, 'github')}")


def with_profile(page: str, text: str) -> str:
    """Return the page with this profile."""
    return _replaced(page, "profile", f"```text\n{text}\n```")


def _replaced(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name}: written by scripts/bench -->", f"<!-- /{name} -->"
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise ValueError(f"docs/performance.md lacks a marker, expected {begin} and {end}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"
