"""Sizes."""

import pytest

from policies.size import parse_size


@pytest.mark.parametrize(
    ("value", "size_bytes"),
    [("1GiB", 1 << 30), ("512MiB", 512 << 20), ("64KiB", 65536), ("7B", 7), (4096, 4096)],
)
def test_size_is_read_as_written(value: object, size_bytes: int) -> None:
    assert parse_size(value) == size_bytes


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        "1GB",
        "1 GiB",
        "1gib",
        "1.5GiB",
        "-1B",
        0,
        -1,
        "0B",
        True,
        1.0,
        [],
        "9999TiB",
        10**40,
        "1GiB\n",
    ],
)
def test_what_is_no_size_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(ValueError, match=r'^got .*, expected a size such as "1GiB"'):
        parse_size(value)
