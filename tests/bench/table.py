"""Hold what a run of the bench found, and lay it out: a table for people, JSON for programs.

Out     one row a figure: its line, what it is, what it may be at most or at least, what it was, and whether it is met
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tabulate import tabulate


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a figure may be."""

    bound: Literal["at most", "at least"]
    value: float

    def met(self, measured: float) -> bool:
        """Say whether a figure is what it may be."""
        return measured <= self.value if self.bound == "at most" else measured >= self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure; `target` is None where it is told for information. `runs` is what it was made from."""

    line: str
    what: str
    measured: float
    unit: str
    target: Target | None = None
    note: str = ""
    runs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.target.met(self.measured)


def at_most(value: float) -> Target:
    """Return a target that is met by this value and all below."""
    return Target(bound="at most", value=value)


def at_least(value: float) -> Target:
    """Return a target that is met by this value and all above."""
    return Target(bound="at least", value=value)


def all_met(rows: Sequence[Row]) -> bool:
    """Say whether no row misses its target."""
    return all(row.met is not False for row in rows)


def table_text(rows: Sequence[Row], form: Literal["simple", "github"] = "simple") -> str:
    """Return the table, without a line break at its end."""
    header = ("line", "figure", "target", "measured", "met", "from")
    return str(tabulate([_cells(row) for row in rows], header, tablefmt=form, disable_numparse=True))


def rows_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows as JSON has them."""
    return [
        {
            "line": row.line,
            "figure": row.what,
            "unit": row.unit,
            "measured": row.measured,
            "target": None if row.target is None else {"bound": row.target.bound, "value": row.target.value},
            "met": row.met,
            "note": row.note,
            "runs": dict(row.runs),
        }
        for row in rows
    ]


def _cells(row: Row) -> tuple[str, ...]:
    target = "" if row.target is None else f"{row.target.bound} {_value(row.target.value, row.unit)}"
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return row.line, row.what, target, _value(row.measured, row.unit), met, row.note


def _value(value: float, unit: str) -> str:
    if unit == "":
        return f"{value:g}"
    return f"{value:.2f}x" if unit == "x" else f"{value:.3g} {unit}"
