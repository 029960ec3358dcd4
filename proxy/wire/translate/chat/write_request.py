"""Writes a request as chat completions take it."""

import hashlib
from typing import Final

import msgspec

from proxy.wire.translate.asked import Asked, Tool
from proxy.wire.translate.chat.write_messages import written_turns
from proxy.wire.translate.members import Json
from proxy.wire.translate.translated import Context, Header, TranslatedRequest

PROVIDER: Final = "the chat provider"
_HEADERS: Final[list[Header]] = [(b"content-type", b"application/json")]
_MOST_USER: Final = 64
"""OpenAI takes no longer id of an end user."""


def chat_request(asked: Asked, context: Context) -> TranslatedRequest:
    """A request for a chat completion.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field.
    """
    body: dict[str, Json] = {"model": context.model, "messages": written_turns(asked.turns)}
    if asked.max_output is not None:
        body[context.limit_name] = asked.max_output
    _write_sampling(body, asked)
    _write_tools(body, asked)
    _write_form(body, asked)
    if asked.effort is not None:
        body["reasoning_effort"] = asked.effort
    if asked.user:
        body["user"] = asked.user if len(asked.user) <= _MOST_USER else hashlib.sha256(asked.user.encode()).hexdigest()
    if asked.tier is not None:
        body["service_tier"] = "auto" if asked.tier == "auto" else "default"
    if asked.streamed:
        body["stream"] = True
        if context.asks_usage:
            body["stream_options"] = {"include_usage": True}
    return TranslatedRequest("/chat/completions", b"", msgspec.json.encode(body), list(_HEADERS))


def _write_sampling(body: dict[str, Json], asked: Asked) -> None:
    if asked.temperature is not None:
        body["temperature"] = asked.temperature
    if asked.top_p is not None:
        body["top_p"] = asked.top_p
    if asked.stop:
        body["stop"] = list(asked.stop)


def _write_tools(body: dict[str, Json], asked: Asked) -> None:
    if asked.tools:
        body["tools"] = [_tool(tool) for tool in asked.tools]
    if asked.chosen is not None:
        body["tool_choice"] = {"type": "function", "function": {"name": asked.chosen}}
    elif asked.choice is not None and asked.tools:
        body["tool_choice"] = asked.choice
    if asked.parallel is not None and asked.tools:
        body["parallel_tool_calls"] = asked.parallel


def _tool(tool: Tool) -> Json:
    function: dict[str, Json] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.schema is not None:
        function["parameters"] = tool.schema
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _write_form(body: dict[str, Json], asked: Asked) -> None:
    form = asked.form
    if form is None:
        return
    if form.schema is None:
        body["response_format"] = {"type": "json_object"}
        return
    schema: dict[str, Json] = {"name": form.name or "answer", "schema": form.schema, "strict": True}
    if form.description:
        schema["description"] = form.description
    body["response_format"] = {"type": "json_schema", "json_schema": schema}
