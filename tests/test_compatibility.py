"""docs/compatibility.md lists what tests/integration/transparency tries, all of it and nothing else."""

from __future__ import annotations

from pathlib import Path

from tests import compatibility
from tests.integration.transparency import matrix

TEXT = compatibility.PAGE.read_text("utf-8")


def test_every_row_of_the_page_is_a_test_and_every_test_a_row() -> None:
    """Versions are those of the machine on which scripts/docs ran last: they are not compared."""
    same, other = compatibility.rows(lambda client: "1.0")
    expected = [compatibility.without_version(row) for row in (*same, *other)]
    assert compatibility.listed(TEXT) == expected, "run scripts/docs"


def test_what_differs_says_how_and_why() -> None:
    matrix.load()
    for entry in matrix.DIFFERENCES:
        assert min(len(entry.plain), len(entry.bastion), len(entry.why)) > 3, entry.title
    entries = [*matrix.CASES, *matrix.DIFFERENCES]
    titles = [(entry.group, entry.client.name, entry.title) for entry in entries]
    assert len(set(titles)) == len(titles)


def test_versions_are_read_from_the_programs() -> None:
    matrix.load()
    clients = {entry.client for entry in (*matrix.CASES, *matrix.DIFFERENCES)}
    assert all(client.installed()[0].isdigit() for client in clients)


def test_every_module_of_cases_is_found() -> None:
    matrix.load()
    folder = Path(matrix.__file__).parent
    stories = {entry.story.__module__.rpartition(".")[2] for entry in (*matrix.CASES, *matrix.DIFFERENCES)}
    assert stories == {path.stem for path in folder.glob("cases_*.py")}
