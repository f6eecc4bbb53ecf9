"""The match of an identity, before any token meets it."""

from typing import Any

import pytest

from bastion.match_table import canonical_match, check_match


@pytest.mark.parametrize(
    "match",
    [
        {"repository_id": "1296269"},
        {"repository_id": "glob:*", "environment": "production"},
        {"ref_protected": True, "attempt": 1, "ref": ["glob:refs/tags/*", "refs/heads/main"]},
        {"kubernetes.io": {"namespace": "orders", "serviceaccount": {"name": "deployer"}}},
        {"base_ref": ""},
        {"sub": "glob:*x*"},
    ],
)
def test_match_that_says_something_is_taken(match: dict[str, Any]) -> None:
    assert check_match(match) == match


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ({}, "got an empty table, expected"),
        ({"kubernetes.io": {}}, '"kubernetes.io": got an empty table, expected a string,'),
        ({"a": {"b": 1.5}}, "a.b: got 1.5, expected a string, a whole number,"),
        ({"a": []}, "a: got an empty list, which would match nothing, expected"),
        ({"a": [["x"]]}, "a: got a list, expected"),
        ({"a": [{"b": "x"}]}, "a: got a table, expected"),
        ({"a": "glob:"}, 'a: got "glob:", expected a glob after it'),
        ({"": "x"}, '"": the claim has no name, expected the name'),
        ({"a": 1.5, "b": []}, "; b: got an empty list"),
    ],
)
def test_t12_value_that_no_claim_can_equal_is_named(match: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_match(match)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "match",
    [
        {"repository": "glob:*"},
        {"a": "glob:**", "b": {"c": "glob:?*"}},
        {"a": ["glob:*", "exact"]},
    ],
)
def test_t13_match_of_nothing_but_anything_is_refused(match: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match="would match every token of the issuer, expected a value to compare"
    ):
        check_match(match)


def test_same_match_is_known_however_it_is_written() -> None:
    one = canonical_match({"a": ["x", "y"], "b": {"c": 1}})
    assert one == canonical_match({"b": {"c": 1}, "a": ["y", "x"]})
    assert canonical_match({"a": "x"}) == canonical_match({"a": ["x"]})
    others = [
        {"a": ["x", "y"], "b": {"c": True}},
        {"a": ["x", "y"], "b": {"c": "1"}},
        {"a": ["x", "y"], "b.c": 1},
    ]
    assert len({one, *map(canonical_match, others)}) == 4
