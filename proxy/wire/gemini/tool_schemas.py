"""The functions that a Gemini request declares, with the schema of their arguments as JSON Schema.

`parameters` is OpenAPI's subset of it, with types in capitals and `nullable`; `parametersJsonSchema` is JSON Schema.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from proxy.wire.gemini.names import Json, fields, objects, text
from proxy.wire.gemini.tools import FUNCTIONS
from proxy.wire.tool_schemas import RequestTools

_SCHEMAS: Final = frozenset({"items", "additionalProperties"})
_LISTS: Final = frozenset({"anyOf", "prefixItems"})
_NAMED: Final = frozenset({"properties", "$defs", "defs"})
_NUMBERS: Final = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_DEEPEST: Final = 32


def request_tools(body: bytes) -> RequestTools:
    """The tools of a body that has passed `read_request`."""
    return RequestTools(_offered(body))


def _offered(body: bytes) -> Iterator[tuple[tuple[str, str], Json]]:
    for tool in objects(fields(msgspec.json.decode(body)).get("tools")):
        for declared in objects(tool.get(FUNCTIONS)):
            schema = declared.get("parametersJsonSchema")
            if schema is None:
                schema = _json_schema(declared.get("parameters"), 0)
            yield ("function", text(declared.get("name"))), schema


def _json_schema(schema: Json, depth: int) -> Json:
    """A schema of OpenAPI's subset as JSON Schema; what is no schema stays as it is, for nothing to keep to."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return schema
    made: dict[str, Json] = {}
    for name, value in fields(schema).items():
        if name == "type" and isinstance(value, str):
            made[name] = value.lower()
        elif name in _SCHEMAS:
            made[name] = _json_schema(value, depth + 1)
        elif name in _LISTS and isinstance(value, list):
            made[name] = [_json_schema(each, depth + 1) for each in value]
        elif name in _NAMED and isinstance(value, dict):
            made[name] = {key: _json_schema(each, depth + 1) for key, each in value.items()}
        elif name in _NUMBERS and isinstance(value, str) and value.isdigit():
            made[name] = int(value)  # 64-bit numbers are written as texts
        elif name not in ("nullable", "format", "propertyOrdering", "example"):
            made[name] = value
    if schema.get("nullable") is True:
        return {"anyOf": [made, {"type": "null"}]}
    return made
