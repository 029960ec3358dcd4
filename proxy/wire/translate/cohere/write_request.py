"""Writes a request as Cohere's chats take it (API reference of `/v2/chat`)."""

from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.translate.asked import Asked, Image, Part, Text, Thought, Tool, ToolCall, ToolOutput, Turn
from proxy.wire.translate.members import Json, missing
from proxy.wire.translate.translated import Context, Header, TranslatedRequest

PROVIDER: Final = "Cohere"
FORMAT: Final = "cohere-v2"
"""Whose thinking it is, in what is told of it."""
PATH: Final = "/v2/chat"
_HEADERS: Final[list[Header]] = [(b"content-type", b"application/json")]
_CHOICES: Final = {"required": "REQUIRED", "none": "NONE"}


def cohere_request(asked: Asked, context: Context) -> TranslatedRequest:
    """A request for a chat.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field.
    """
    body: dict[str, Json] = {"model": context.model, "messages": [_message(turn) for turn in asked.turns]}
    told: dict[str, Json] = {
        "max_tokens": asked.max_output,
        "temperature": asked.temperature,
        "p": asked.top_p,
        "k": asked.top_k,
        "seed": asked.seed,
        "frequency_penalty": asked.frequency_penalty,
        "presence_penalty": asked.presence_penalty,
    }
    body |= {name: value for name, value in told.items() if value is not None}
    if asked.stop:
        body["stop_sequences"] = list(asked.stop)
    _write_tools(body, asked)
    if asked.form is not None:
        form: dict[str, Json] = {"type": "json_object"}
        if asked.form.schema is not None:
            form["json_schema"] = asked.form.schema
        body["response_format"] = form
    if asked.effort is not None:
        if asked.effort != "none":
            missing("reasoning_effort", PROVIDER, "it has a budget of thinking tokens, and no efforts but `none`")
        body["thinking"] = {"type": "disabled"}
    body["stream"] = asked.streamed
    return TranslatedRequest(PATH, b"", msgspec.json.encode(body), list(_HEADERS))


def _message(turn: Turn) -> Json:
    if turn.role == "tool":
        return _output(turn)
    message: dict[str, Json] = {"role": turn.role}
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    content = [written for part in turn.parts if not isinstance(part, ToolCall) for written in _content(part)]
    if content or not calls:
        message["content"] = content or ""
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    return message


def _content(part: Part) -> list[Json]:
    if isinstance(part, Text):
        return [{"type": "text", "text": part.text}]
    if isinstance(part, Thought):
        return []  # signed by another provider: its own thinking is not signed, and cannot be told from what is made up
    if isinstance(part, Image):
        url = part.url or f"data:{part.media_type};base64,{part.data}"
        return [{"type": "image_url", "image_url": {"url": url}}]
    missing(part.at, PROVIDER, "it reads texts and pictures only")


def _output(turn: Turn) -> Json:
    (output,) = turn.parts
    if not isinstance(output, ToolOutput):
        raise TypeError("a turn of a tool holds what came of one call")
    for part in output.parts:
        if not isinstance(part, Text):
            missing(part.at, PROVIDER, "what came of a call is text there")
    said: list[Json] = [{"type": "text", "text": part.text} for part in output.parts if isinstance(part, Text)]
    return {"role": "tool", "tool_call_id": output.id, "content": said or ""}


def _call(call: ToolCall) -> Json:
    given: Raw = call.arguments
    function: dict[str, Json] = {"name": call.name, "arguments": bytes(given).decode()}
    return {"id": call.id, "type": "function", "function": function}


def _write_tools(body: dict[str, Json], asked: Asked) -> None:
    if not asked.tools:
        return
    body["tools"] = [_tool(tool) for tool in asked.tools]
    if any(tool.strict for tool in asked.tools):
        if not all(tool.strict for tool in asked.tools):
            missing("tools", PROVIDER, "either all of them are `strict` or none is")
        body["strict_tools"] = True
    if asked.chosen is not None:
        missing("tool_choice", PROVIDER, "no one function can be demanded; `required` demands any")
    if asked.choice in _CHOICES:
        body["tool_choice"] = _CHOICES[asked.choice]


def _tool(tool: Tool) -> Json:
    function: dict[str, Json] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.schema or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}
