"""What a policy may ask about a Gemini request: messages, tools and parameters, read in one pass."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from proxy.wire.endpoint import Endpoint
from proxy.wire.gemini.names import Json, fields, objects, text
from proxy.wire.gemini.tools import CLIENT_RUN, FUNCTIONS
from proxy.wire.policy_view import Message, PolicyView, view_of

_NO_PARAMS: Final = frozenset(
    {"contents", "content", "systemInstruction", "requests", "generateContentRequest", "tools"}
)
_STRUCTURE: Final = frozenset({"role", "mimeType", "data", "fileUri", "id", "thoughtSignature", "language", "outcome"})
_NAMED_BY_ANYONE: Final = frozenset({"args", "response"})
_OF_A_TOOL: Final = ("functionResponse", "codeExecutionResult")
_ROLES: Final = {"model": "assistant", "function": "tool"}
_DEEPEST: Final = 16


def read_view(endpoint: Endpoint, body: bytes) -> PolicyView:
    """The view of a body that was found to be a JSON object; off the loop where it is large.

    Roles are told in the words that rules are written in: `model` is `assistant`, and what a tool returned is a tool's.
    Members of `generationConfig` are parameters beside all others.
    """
    told = fields(msgspec.json.decode(body))
    tools = [tool for tool in objects(told.get("tools"))]
    params = {**told, **fields(told.get("generationConfig"))}
    return view_of(
        _messages(told),
        tools=tuple((name, "function") for tool in tools for name in _names(tool)),
        provider_tools=tuple(name for tool in tools for name in tool if name not in CLIENT_RUN),
        params={name: value for name, value in params.items() if name not in _NO_PARAMS},
    )


def _messages(told: Mapping[str, Json]) -> Iterator[Message]:
    nested = fields(told.get("generateContentRequest"))
    if nested:
        yield from _messages(nested)
    if told.get("systemInstruction"):
        yield Message("system", _texts(told["systemInstruction"]))
    for member in ("contents", "content"):
        for content in objects(told.get(member)):
            yield _message(content)
    for request in objects(told.get("requests")):
        yield from _messages(request)


def _message(content: Mapping[str, Json]) -> Message:
    role = text(content.get("role")) or "user"
    if any(fields(part).keys() & set(_OF_A_TOOL) for part in objects(content.get("parts"))):
        role = "tool"
    return Message(_ROLES.get(role, role), _texts(content.get("parts")))


def _texts(value: Json, depth: int = 0, *, is_free: bool = False) -> str:
    """All text but the structure's own words, joined by line ends; `is_free`: members are called what anyone likes."""
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return "\n".join(said for each in value if (said := _texts(each, depth + 1, is_free=is_free)))
    if isinstance(value, Mapping):
        parts = (
            _texts(each, depth + 1, is_free=is_free or name in _NAMED_BY_ANYONE)
            for name, each in fields(value).items()
            if is_free or name not in _STRUCTURE
        )
        return "\n".join(part for part in parts if part)
    return ""


def _names(tool: Mapping[str, Json]) -> Iterator[str]:
    for declared in objects(tool.get(FUNCTIONS)):
        yield text(declared.get("name"))
    if tool.get("computerUse") is not None:
        yield "computerUse"
