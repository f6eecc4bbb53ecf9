"""Schemas for people."""

from typing import Any

from policies.schema import DIALECT, as_toml, in_words, node_at, tidied

RAW: dict[str, Any] = {
    "title": "Generated",
    "properties": {
        "title": {"title": "Title", "type": "string"},
        "file": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "title": "File"},
        "when": {"$ref": "#/$defs/When", "default": {"a": None, "b": 1}},
        "rows": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/When"}},
    },
    "$defs": {"When": {"title": "When", "type": "object", "properties": {"a": {"type": "boolean"}}}},
}


def test_tidied_schema_has_no_generated_titles_and_no_null() -> None:
    schema = tidied(RAW, "one title")
    assert (schema["$schema"], schema["title"]) == (DIALECT, "one title")
    assert schema["properties"]["title"] == {"type": "string"}
    assert schema["properties"]["file"] == {"type": "string"}
    assert schema["properties"]["when"]["default"] == {"b": 1}
    assert "title" not in schema["$defs"]["When"]


def test_node_is_found_through_lists_and_references() -> None:
    assert node_at(RAW, ("rows", 3, "a")) == {"type": "boolean"}
    assert node_at(RAW, ("rows", "nothing", 3, "there")) == {}


def test_node_is_said_in_words() -> None:
    assert in_words(RAW, node_at(RAW, ("rows",))) == "a list of at least one table"
    assert in_words(RAW, {"const": "ssh"}) == '"ssh"'
    assert in_words(RAW, {"anyOf": [{"type": "string"}, {"type": "integer"}]}) == "a string or a whole number"
    assert in_words(RAW, {}) == "a value that the reference lists"
    assert as_toml({"env": ["a", True]}) == '{ env = ["a", true] }'
