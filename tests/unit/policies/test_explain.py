"""Findings of a validator, in words."""

from typing import Any

from policies.explain import explain

SCHEMA: dict[str, Any] = {
    "properties": {
        "name": {"type": "string", "examples": ["web-1"]},
        "ports": {"type": "array", "items": {"type": "integer"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "auth": {"$ref": "#/$defs/Auth"},
    },
    "$defs": {"Auth": {"type": "object", "properties": {"kind": {"enum": ["key", "none"]}}}},
}


def said(kind: str, *location: str | int, value: object = None, **context: object) -> str:
    finding = {"type": kind, "loc": location, "input": value, "ctx": context, "msg": "never shown"}
    (problem,) = explain("f.toml", SCHEMA, [finding])
    return str(problem)


def test_missing_key_says_what_belongs_there() -> None:
    assert said("missing", "name") == 'f.toml: name: is missing, expected a string such as "web-1"'
    assert said("missing", "auth") == "f.toml: auth: is missing, expected a table"


def test_wrong_type_says_what_was_got_and_what_was_expected() -> None:
    assert said("string_type", "name", value=5) == 'f.toml: name: got 5, expected a string such as "web-1"'
    assert said("int_type", "ports", 1, value="x") == 'f.toml: ports[1]: got "x", expected a whole number'
    assert (
        said("list_type", "ports", value=True) == "f.toml: ports: got true, expected a list of whole numbers"
    )
    assert said("string_type", "labels", "a b", value=1) == 'f.toml: labels."a b": got 1, expected a string'
    assert (
        said("literal_error", "auth", "kind", value="x")
        == 'f.toml: auth.kind: got "x", expected "key" or "none"'
    )


def test_unknown_key_says_which_are_known_and_which_is_near() -> None:
    assert said("extra_forbidden", "nmae").startswith(
        'f.toml: nmae: unknown key (did you mean "name"?), expected'
    )
    assert said("extra_forbidden", "auth", "zzz") == "f.toml: auth.zzz: unknown key, expected kind"


def test_text_of_our_own_checks_is_said_as_it_is() -> None:
    line = said("value_error", "labels", "k", "[key]", error=ValueError("got 1, expected 2"))
    assert line == "f.toml: labels.k: got 1, expected 2"
