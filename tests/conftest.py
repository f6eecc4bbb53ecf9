"""Settings that hold for every test."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

LONG_ID = 60

# A slow machine is no failure: nothing here is timed.
settings.register_profile("untimed", deadline=None, print_blob=True)
settings.load_profile("untimed")


# Whoever runs the tests in the background ignores Ctrl-C (so does xdist), or hang-ups (as nohup does), and all that
# they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Call long texts by their argument's name: some are made anew in each run, and processes must agree on names."""
    return argname if isinstance(val, str | bytes) and len(val) > LONG_ID else None
