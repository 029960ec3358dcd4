"""Instances of schemas meet them."""

from typing import Any

import pytest

from proxy.sim.instances import instance_of


@pytest.mark.parametrize(
    ("schema", "instance"),
    [
        ({"type": "string"}, "sample"),
        ({"type": "string", "minLength": 8}, "samplexx"),
        ({"type": "string", "maxLength": 3}, "sam"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "integer", "minimum": 3, "multipleOf": 2}, 4),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "number", "maximum": -2}, -3),
        ({"type": "boolean"}, True),
        ({"type": ["null", "string"]}, None),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 7}, 7),
        ({"type": "array", "items": {"type": "null"}, "minItems": 2}, [None, None]),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 0),
        ({"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}]}, {"a": 1}),
        ({}, "sample"),
        (None, "sample"),
    ],
)
def test_an_instance_is_minimal_and_valid(schema: Any, instance: Any) -> None:
    assert instance_of(schema) == instance


def test_references_are_followed_and_circles_end() -> None:
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                "required": ["next"],
            }
        },
    }
    assert instance_of(tree) == {"next": {"next": {"next": None}}}
