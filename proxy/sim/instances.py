"""A small instance of a JSON schema: what a model with structured output would at least have to say."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

_DEEPEST: Final = 24
_FORMATS: Final = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT1H",
    "email": "sample@example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
}


def instance_of(schema: object) -> Any:
    """A minimal instance: required members only, shortest lists, smallest numbers. Regular expressions are not met."""
    root = schema if isinstance(schema, Mapping) else {}
    return _instance(root, root, 0)


def _instance(schema: Schema, root: Schema, depth: int) -> Any:
    schema = _resolved(schema, root)
    if depth > _DEEPEST:
        return None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    choice = _choice(schema, depth)
    if choice is not None:
        return _instance(choice, root, depth + 1)
    return _of_type(_type_of(schema), schema, root, depth)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Follow local references and fold `allOf` into one schema."""
    for _ in range(_DEEPEST):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        found: Any = root
        for step in filter(None, reference[1:].split("/")):
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        schema = found if isinstance(found, Mapping) else {}
    for part in schema.get("allOf", ()):
        schema = _merged(schema, _resolved(part, root))
    return schema


def _merged(one: Schema, other: Schema) -> Schema:
    return {
        **one,
        **other,
        "properties": {**one.get("properties", {}), **other.get("properties", {})},
        "required": [*one.get("required", ()), *other.get("required", ())],
    }


def _choice(schema: Schema, depth: int) -> Schema | None:
    """The branch to take of anyOf/oneOf: the first, but `null` once the schema starts to go in circles."""
    branches = schema.get("anyOf") or schema.get("oneOf")
    if not branches:
        return None
    nulls = [branch for branch in branches if branch.get("type") == "null"]
    picked: Schema = nulls[0] if nulls and depth > 3 else branches[0]
    return picked


def _type_of(schema: Schema) -> str:
    named = schema.get("type")
    if isinstance(named, list):
        named = named[0] if named else None
    if named is None:
        named = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(named)


def _of_type(kind: str, schema: Schema, root: Schema, depth: int) -> Any:
    if kind == "object":
        members = schema.get("properties", {})
        return {name: _instance(members.get(name, {}), root, depth + 1) for name in schema.get("required", ())}
    if kind == "array":
        items = schema.get("items", {})
        return [_instance(items, root, depth + 1) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        return _number(schema)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _text(schema)


def _number(schema: Schema) -> Any:
    step = schema.get("multipleOf", 1)
    lowest = schema.get("minimum", schema.get("exclusiveMinimum"))
    highest = schema.get("maximum", schema.get("exclusiveMaximum"))
    if lowest is None:
        value = 0 if highest is None or highest > 0 else -(-highest // step) * step - step
    else:
        value = -(-lowest // step) * step
        if value == schema.get("exclusiveMinimum"):
            value += step
    return value


def _text(schema: Schema) -> str:
    text = _FORMATS.get(schema.get("format", ""), "sample")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]
