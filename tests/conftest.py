"""Settings that hold for every test."""

from __future__ import annotations

import pytest
from hypothesis import settings

LONG_ID = 60

# A slow machine is no failure: nothing here is timed.
settings.register_profile("untimed", deadline=None, print_blob=True)
settings.load_profile("untimed")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Call long texts by their argument's name: some are made anew in each run, and processes must agree on names."""
    return argname if isinstance(val, str | bytes) and len(val) > LONG_ID else None
