"""A channel is told of what its filters let pass, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from bastion.notices.notice import Notice
from bastion.notices.wanted import Wanted
from bastion.settings import NotifyFilter
from tests.unit.bastion.notices.notices_fixture import asked, denial, ended

ALL = frozenset({"hold.asked", "hold.ended", "denial", "alert"})


@pytest.mark.parametrize(
    ("tells", "notice", "wanted"),
    [
        ({}, asked(), True),
        ({}, denial(), True),
        ({"events": frozenset({"denial"})}, asked(), False),
        ({"events": frozenset({"hold.asked"})}, ended(), False),
        ({"events": frozenset({"alert"})}, denial(kinds=("denial", "alert")), True),
        ({"events": frozenset({"alert"})}, denial(), False),
        ({"approvers": frozenset({"dba"})}, asked(), True),
        ({"approvers": frozenset({"sre"})}, asked(), False),
        ({"approvers": frozenset({"sre"})}, denial(), True),
        ({"groups": ("ci",)}, denial(), True),
        ({"groups": ("declared",)}, denial(), True),
        ({"groups": ("glob:dec*",)}, asked(), True),
        ({"groups": ("ops",)}, denial(), False),
        ({"identities": ("glob:deploy*",)}, denial(), True),
        ({"identities": ("nightly",)}, denial(), False),
        ({"targets": ("glob:web-*",)}, denial(), True),
        ({"targets": ("glob:db-*",)}, asked(), False),
    ],
)
def test_filters(tells: dict[str, Any], notice: Notice, wanted: bool) -> None:
    assert Wanted(NotifyFilter(**{"events": ALL, **tells})).has(notice, ("declared",)) is wanted
