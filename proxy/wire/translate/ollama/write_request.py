"""Writes a request as Ollama's own chats take it (docs/api.md of Ollama 0.12)."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.translate.asked import Asked, Effort, Image, Part, Text, Thought, Tool, ToolCall, ToolOutput, Turn
from proxy.wire.translate.members import Json, missing
from proxy.wire.translate.translated import Context, Header, TranslatedRequest

PROVIDER: Final = "Ollama"
FORMAT: Final = "ollama-v1"
"""Whose thinking it is, in what is told of it."""
PATH: Final = "/api/chat"
_HEADERS: Final[list[Header]] = [(b"content-type", b"application/json")]
_THINKING: Final[Mapping[Effort, Json]] = {"none": False, "low": "low", "medium": "medium", "high": "high"}


def ollama_request(asked: Asked, context: Context) -> TranslatedRequest:
    """A request for a chat.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field.
    """
    body: dict[str, Json] = {"model": context.model, "messages": [_message(turn) for turn in asked.turns]}
    body["stream"] = asked.streamed
    _write_tools(body, asked)
    if asked.form is not None:
        body["format"] = "json" if asked.form.schema is None else asked.form.schema
    if asked.effort is not None:
        if asked.effort not in _THINKING:
            missing("reasoning_effort", PROVIDER, f"it knows {', '.join(_THINKING)}")
        body["think"] = _THINKING[asked.effort]
    options = _options(asked)
    if options:
        body["options"] = options
    return TranslatedRequest(PATH, b"", msgspec.json.encode(body), list(_HEADERS))


def _options(asked: Asked) -> dict[str, Json]:
    told: dict[str, Json] = {
        "num_predict": asked.max_output,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "seed": asked.seed,
        "presence_penalty": asked.presence_penalty,
        "frequency_penalty": asked.frequency_penalty,
        "stop": [*asked.stop] or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _message(turn: Turn) -> Json:
    if turn.role == "tool":
        return _output(turn)
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    message: dict[str, Json] = {"role": turn.role, "content": _said(turn.parts)}
    pictures: list[Json] = [_picture(part) for part in turn.parts if isinstance(part, Image)]
    if pictures:
        message["images"] = pictures
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    return message


def _said(parts: list[Part]) -> str:
    """All texts of a message, which has one there; nothing of what cannot be read is left out."""
    for part in parts:
        if not isinstance(part, Text | Image | ToolCall | Thought):
            missing(part.at, PROVIDER, "it reads texts and pictures only")
    return "\n\n".join(part.text for part in parts if isinstance(part, Text))


def _picture(part: Image) -> str:
    if part.url:
        missing(part.at, PROVIDER, "it does not fetch pictures; send their bytes")
    return part.data


def _output(turn: Turn) -> Json:
    (output,) = turn.parts
    if not isinstance(output, ToolOutput):
        raise TypeError("a turn of a tool holds what came of one call")
    for part in output.parts:
        if not isinstance(part, Text):
            missing(part.at, PROVIDER, "what came of a call is text there")
    message: dict[str, Json] = {"role": "tool", "content": _said([*output.parts]), "tool_call_id": output.id}
    if output.name:
        message["tool_name"] = output.name
    return message


def _call(call: ToolCall) -> Json:
    given: Raw = call.arguments
    return {"id": call.id, "function": {"name": call.name, "arguments": given}}  # type: ignore[dict-item]


def _write_tools(body: dict[str, Json], asked: Asked) -> None:
    if asked.chosen is not None or asked.choice == "required":
        missing("tool_choice", PROVIDER, "no call can be demanded")
    if asked.tools and asked.choice != "none":
        body["tools"] = [_tool(tool) for tool in asked.tools]


def _tool(tool: Tool) -> Json:
    if tool.strict:
        missing(f"{tool.at}.function.strict", PROVIDER, "calls are not kept to their schemas")
    function: dict[str, Json] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.schema or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}
