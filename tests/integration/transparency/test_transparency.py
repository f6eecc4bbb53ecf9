"""What works through a plain jump host works through the bastion, with the same output, status and files."""

from __future__ import annotations

import re

import pytest

from tests.integration.transparency import matrix
from tests.integration.transparency.ways import Ways

matrix.load()


def _name(entry: matrix.Case | matrix.Difference) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{entry.group} {entry.title}".lower()).strip("-")


@pytest.mark.parametrize("case", matrix.CASES, ids=_name)
def test_same_as_through_a_plain_jump_host(ways: Ways, case: matrix.Case) -> None:
    ways.renew()
    case.check(ways)


@pytest.mark.parametrize("difference", matrix.DIFFERENCES, ids=_name)
def test_differs_by_design(ways: Ways, difference: matrix.Difference) -> None:
    ways.renew()
    difference.check(ways)
