"""A megabyte with secrets in each way to write them leaks nothing, however it is cut (T38, T39).

This is a part of the campaign, `python -m tests.planted`, which cuts at every place near every secret, and 1,000 times
at random. The figures of the whole are in docs/masking.md.
"""

from __future__ import annotations

import random

import pytest

from policies.masking import DETECTORS
from tests.planted.stream import FORMATS, STREAM_BYTES, Planted, planted
from tests.planted.trial import cuts_that_fail, let_through, masked, splits

STREAM, PLACES = planted()
WHOLE = masked(STREAM)


def test_t39_nothing_that_is_planted_comes_through() -> None:
    assert len(STREAM) >= STREAM_BYTES
    assert {place.detector for place in PLACES} == {it.name for it in DETECTORS if it.default}
    assert {place.form for place in PLACES} == {"as it is", *FORMATS}
    assert let_through(STREAM, WHOLE[1], PLACES) == []


def test_t38_random_splits_of_the_whole_change_nothing() -> None:
    for cuts in splits(len(STREAM), 6, seed=5):
        assert masked(STREAM, cuts) == WHOLE, cuts


@pytest.mark.parametrize(
    "place", random.Random(3).sample(PLACES, 24), ids=lambda place: f"{place.detector}, {place.form}"
)
def test_t38_a_cut_at_any_place_near_a_secret_changes_nothing(place: Planted) -> None:
    assert list(cuts_that_fail(STREAM, place)) == []
