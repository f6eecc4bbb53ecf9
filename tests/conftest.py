"""Settings that hold for every test."""

from __future__ import annotations

from hypothesis import settings

# A slow machine is no failure: nothing here is timed.
settings.register_profile("untimed", deadline=None, print_blob=True)
settings.load_profile("untimed")
