"""Quantiles, ratios and histograms say what they claim to say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.figures import Histogram, bound_s, bytes_text, median, quantile, ratio, seconds_text, step_of

TIMES = st.floats(min_value=0, max_value=1e4, allow_nan=False)


def histogram_of(times: list[float]) -> Histogram:
    histogram = Histogram()
    for seconds in times:
        histogram.add(seconds)
    return histogram


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3, 1, 2], 0.5, 2),
        ([4, 3, 2, 1], 0.5, 2),
        ([1], 0.999, 1),
        (range(1, 1001), 0.999, 999),
        (range(1, 1001), 1.0, 1000),
        (range(1, 11), 0.0, 1),
    ],
)
def test_quantile_is_the_nearest_rank(values: list[float], share: float, expected: float) -> None:
    assert quantile(values, share) == expected


@pytest.mark.parametrize(("values", "expected"), [([5], 5), ([9, 1, 2], 2), ([1, 2, 3, 10], 2.5)])
def test_median(values: list[float], expected: float) -> None:
    assert median(values) == expected


@pytest.mark.parametrize("figure", [median, lambda values: quantile(values, 0.5)])
def test_nothing_has_no_figure(figure: object) -> None:
    assert callable(figure)
    with pytest.raises(ValueError, match="of nothing"):
        figure([])
    with pytest.raises(ValueError, match="of nothing"):
        Histogram().quantile(0.5)


def test_ratio_is_of_medians_ours_in_parts_of_theirs() -> None:
    assert ratio([1, 1, 100], [2, 2, 2]) == 0.5


@given(TIMES)
def test_a_time_lies_within_its_step(seconds: float) -> None:
    step = step_of(seconds)
    assert seconds <= bound_s(step) * (1 + 1e-9)
    assert step == 0 or seconds > bound_s(step - 1) * (1 - 1e-9)


@given(st.lists(TIMES, min_size=1), st.floats(min_value=0.001, max_value=1))
def test_a_histogram_never_flatters(times: list[float], share: float) -> None:
    true = quantile(times, share)
    said = histogram_of(times).quantile(share)
    assert true * (1 - 1e-9) <= said <= max(true, 1e-6) * 2 ** (1 / 4) * (1 + 1e-9)


@given(st.lists(TIMES, min_size=1))
def test_a_histogram_comes_back_from_json(times: list[float]) -> None:
    histogram = histogram_of(times)
    again = Histogram.from_json(json.loads(json.dumps(histogram.as_json())))
    assert again == histogram
    assert again.total == len(times)
    assert again.longest_s == max(times)


def test_histogram_lines_have_one_bar_for_each_doubling() -> None:
    lines = histogram_of([0.0015, 0.0016, 0.0017, 0.03]).lines(width=6)
    assert [line.split() for line in lines] == [
        ["to", "2.05", "ms", "3", "######"],
        ["to", "32.8", "ms", "1", "##"],
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.34, "12.3 s"), (0.0042, "4.2 ms"), (0.000187, "187 us"), (-0.002, "-2 ms")]
)
def test_seconds_in_words(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(256 << 20, "256 MiB"), (1 << 30, "1 GiB"), (1 << 19, "0.5 MiB")])
def test_bytes_in_words(size: int, text: str) -> None:
    assert bytes_text(size) == text
