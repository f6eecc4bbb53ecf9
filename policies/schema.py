"""Turn a generated JSON Schema into one for people, and into words.

In      a JSON Schema as pydantic writes it
Out     the same without noise (`tidied`), the node of a key in it (`node_at`), a node in words (`in_words`)
Source  JSON Schema 2020-12, core and validation
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from policies.problem import listed

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = Mapping[str, Any]

_NAMED = frozenset({"properties", "$defs"})  # their keys are names that we chose, not keywords
_PLAIN = {
    "string": ("a string", "strings"),
    "integer": ("a whole number", "whole numbers"),
    "boolean": ("true or false", "booleans"),
    "object": ("a table", "tables"),
    "array": ("a list", "lists"),
}


def tidied(schema: Schema, title: str) -> dict[str, Any]:
    """Return the schema under one title, without generated titles and without null, which TOML cannot say."""
    return {"$schema": DIALECT, "title": title, **_tidy(schema)}


def _tidy(node: Any) -> Any:
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    tidy: dict[str, Any] = {}
    for key, value in node.items():
        if key in _NAMED:
            tidy[key] = {name: _tidy(child) for name, child in value.items()}
        elif key in ("default", "examples"):
            if value is not None:
                tidy[key] = _without_null(value)
        elif key != "title":
            tidy[key] = _tidy(value)
    choices = [choice for choice in tidy.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del tidy["anyOf"]
        return {**choices[0], **tidy}
    if choices:
        tidy["anyOf"] = choices
    return tidy


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: child for key, child in value.items() if child is not None}
    return value


def node_at(schema: Schema, location: Sequence[str | int]) -> Schema:
    """Return the node that describes the key at `location`; an empty one where nothing does."""
    node = _resolved(schema, schema)
    for step in location:
        if isinstance(step, int):
            lists = [choice for choice in (node, *node.get("anyOf", ())) if "items" in choice]
            child = lists[0]["items"] if lists else {}
        else:
            child = node.get("properties", {}).get(step, node.get("additionalProperties", {}))
        node = _resolved(schema, child if isinstance(child, Mapping) else {})
    return node


def in_words(schema: Schema, node: Schema) -> str:
    """Return what a node asks for, such as `a list of strings such as ["deploy"]`."""
    examples = node.get("examples", ())
    return _kind(schema, node) + (f" such as {as_toml(examples[0])}" if examples else "")


def _kind(schema: Schema, node: Schema) -> str:
    node = _resolved(schema, node)
    if "const" in node:
        return as_toml(node["const"])
    if "enum" in node:
        return listed([as_toml(value) for value in node["enum"]])
    if "anyOf" in node:
        return listed([_kind(schema, choice) for choice in node["anyOf"]])
    if node.get("type") == "array" and "items" in node:
        item = _resolved(schema, node["items"])
        if "enum" in item:
            return f"a list of {_kind(schema, item)}"
        one, many = _PLAIN.get(item.get("type", ""), ("a value", "values"))
        return (
            f"a list of at least one {one.removeprefix('a ')}"
            if node.get("minItems")
            else f"a list of {many}"
        )
    return _PLAIN.get(node.get("type", ""), ("a value that the reference lists", ""))[0]


def _resolved(schema: Schema, node: Schema) -> Schema:
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return node
    target: Schema = schema["$defs"][reference.removeprefix("#/$defs/")]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def as_toml(value: object) -> str:
    """Return a value as TOML would write it on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {as_toml(child)}" for key, child in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return json.dumps(value, ensure_ascii=False)
