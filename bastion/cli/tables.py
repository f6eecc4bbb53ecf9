"""Lay out rows as a table for people.

In      rows of cells, made plain; the heads of the columns
Out     lines
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(rows: Iterable[Sequence[object]], heads: Sequence[str], *, ruled: bool = False) -> str:
    """Return the table; with `ruled` there is a rule under the heads. Cells stay as they are, numbers too."""
    from tabulate import tabulate  # takes its time, and most commands print none

    return tabulate(rows, heads, tablefmt="simple" if ruled else "plain", disable_numparse=True)
