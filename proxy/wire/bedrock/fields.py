"""Reading bodies of Bedrock's dialect: the same object for us as for whoever reads it behind us."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn, TypeAlias

import msgspec

from proxy.core.refusal import Refusal, Refused
from proxy.wire.strict import Unreadable, parsed

Json: TypeAlias = Any
Fields: TypeAlias = Mapping[str, Json]
_BOM: Final = b"\xef\xbb\xbf"


def read_fields(body: bytes) -> Fields:
    """The members of a request's body.

    Raises:
        Refused: INVALID_REQUEST unless it is one JSON object in UTF-8 in which no member stands twice.
    """
    if body.startswith(_BOM):
        refuse("the body starts with a byte order mark; send JSON in UTF-8 without one")
    if not body.strip():
        refuse("the body is empty; send a JSON object")
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        refuse("the body is nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        refuse(f"the body is not valid JSON: {str(error).removeprefix('JSON is malformed: ')}")
    if not isinstance(value, dict):
        refuse("the body must be a JSON object")
    try:
        return parsed(body)
    except Unreadable as error:
        refuse(f"the body can be read in more than one way ({error}); give each member once")


def decoded(body: bytes) -> Fields:
    """The members of a body that has passed `read_fields`."""
    value: Fields = msgspec.json.decode(body)
    return value


def refuse(message: str, param: str | None = None) -> NoReturn:
    """Refuse the request.

    Raises:
        Refused: INVALID_REQUEST.
    """
    raise Refused(Refusal.INVALID_REQUEST, message, param=param)


def child(fields: Fields, name: str) -> Fields:
    """The object under a name; empty where there is none."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def objects(value: Json) -> Iterator[Fields]:
    """The objects of a list; none where it is none."""
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def text(value: Json) -> str:
    """A text; empty for anything else."""
    return value if isinstance(value, str) else ""


def tool_specs(fields: Fields) -> Iterator[tuple[str, Json]]:
    """The tools that the client runs, each with the JSON Schema of its input or None: Converse's and Nova's
    `toolSpec`, and those of Anthropic's and OpenAI's bodies."""
    for tool in objects(child(fields, "toolConfig").get("tools")):
        if isinstance(spec := tool.get("toolSpec"), dict):
            yield text(spec.get("name")), child(spec, "inputSchema").get("json")
    for tool in objects(fields.get("tools")):
        named = tool["function"] if isinstance(tool.get("function"), dict) else tool
        if not is_hosted(tool):
            yield text(named.get("name")), named.get("input_schema", named.get("parameters"))


def hosted_tools(fields: Fields) -> Iterator[str]:
    """The tools that the provider runs: Converse's `systemTool`, and Anthropic's by their type."""
    for tool in objects(child(fields, "toolConfig").get("tools")):
        if isinstance(system := tool.get("systemTool"), dict):
            yield text(system.get("name"))
    yield from (text(tool.get("type")) for tool in objects(fields.get("tools")) if is_hosted(tool))


def is_hosted(tool: Fields) -> bool:
    """Whether a tool of an Anthropic body is run by the provider: it has a type of its own and no schema."""
    return text(tool.get("type")) not in ("", "custom", "function") and "input_schema" not in tool
