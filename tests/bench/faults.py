"""Name the one way in which a run of the bench fails."""

from __future__ import annotations


class BenchFault(Exception):
    """What was to be measured did not work; the text says what, and what it said."""
