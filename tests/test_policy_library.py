"""The policies that are shipped are sound, and their cases get the verdicts that they say."""

from __future__ import annotations

import pytest

from policies.source import library_names
from tests.integration.operator_desk import bastion


def test_every_case_of_the_library_gets_its_verdict() -> None:
    done = bastion("policy", "test")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", library_names())
def test_every_policy_of_the_library_is_sound(name: str) -> None:
    done = bastion("policy", "check", f"library:{name}")
    assert done.returncode == 0, done.stderr
