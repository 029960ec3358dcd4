"""Writes a request as AWS Bedrock's Converse takes it (botocore's model of bedrock-runtime, 2026-11)."""

from typing import Final
from urllib.parse import quote

import msgspec

from proxy.wire.translate.anthropic.thinking import with_thinking
from proxy.wire.translate.asked import Asked, Text, Tool, ToolCall, ToolOutput, Turn
from proxy.wire.translate.bedrock.write_parts import PROVIDER, cache_point, written_parts
from proxy.wire.translate.members import Json, missing
from proxy.wire.translate.translated import Context, Header, TranslatedRequest

_HEADERS: Final[list[Header]] = [(b"content-type", b"application/json")]
_CLAUDE: Final = "anthropic.claude"
_DEFAULT_OUTPUT: Final = 4096


def converse_request(asked: Asked, context: Context) -> TranslatedRequest:
    """A request to Converse, or to its stream.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field.
    """
    action = "converse-stream" if asked.streamed else "converse"
    path = f"/model/{quote(context.model, safe='')}/{action}"
    return TranslatedRequest(path, b"", msgspec.json.encode(_body(asked, context)), list(_HEADERS))


def _body(asked: Asked, context: Context) -> dict[str, Json]:
    body: dict[str, Json] = {}
    system, turns = _split(asked.turns)
    if system:
        body["system"] = system
    body["messages"] = _messages(turns)
    _write_limits(body, asked, context)
    _write_tools(body, asked, turns)
    form = asked.form
    if form is not None:
        if form.schema is None:
            missing("response_format.type", PROVIDER, "it takes a JSON schema, not just any JSON object")
        schema: dict[str, Json] = {"schema": msgspec.json.encode(form.schema).decode()}
        schema |= {name: told for name, told in (("name", form.name), ("description", form.description)) if told}
        body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
    return body


def _split(turns: list[Turn]) -> tuple[list[Json], list[Turn]]:
    at = 0
    system: list[Json] = []
    while at < len(turns) and turns[at].role == "system":
        for part in turns[at].parts:
            if not isinstance(part, Text):
                missing(turns[at].at, PROVIDER, "instructions are text there")
            system += [{"text": part.text}, *cache_point(part.cache)]
        at += 1
    for turn in turns[at:]:
        if turn.role == "system":
            missing(f"{turn.at}.role", PROVIDER, "instructions stand before all else, not within a conversation")
    return system, turns[at:]


def _messages(turns: list[Turn]) -> list[Json]:
    """The turns; roles take turns there, so that neighbours of one role are one message."""
    messages: list[Json] = []
    before, content = "", list[Json]()
    for turn in turns:
        role = "assistant" if turn.role == "assistant" else "user"
        if role != before:
            before, content = role, []
            messages.append({"role": role, "content": content})
        content += written_parts(turn.parts)
    return [message for message in messages if isinstance(message, dict) and message["content"]]


def _write_limits(body: dict[str, Json], asked: Asked, context: Context) -> None:
    limit = asked.max_output
    if asked.effort is not None:
        limit = _write_thinking(body, asked, context)
    told: dict[str, Json] = {"maxTokens": limit, "temperature": asked.temperature, "topP": asked.top_p}
    config: dict[str, Json] = {name: value for name, value in told.items() if value is not None}
    if asked.stop:
        config["stopSequences"] = list(asked.stop)
    if config:
        body["inferenceConfig"] = config


def _write_thinking(body: dict[str, Json], asked: Asked, context: Context) -> int | None:
    """Write how hard to think; the output limit that it takes."""
    if _CLAUDE not in context.model:
        if asked.effort == "none":
            return asked.max_output
        missing("reasoning_effort", PROVIDER, "only of Anthropic's models is it known how they are told to think")
    fields: dict[str, Json] = {"max_tokens": asked.max_output or context.most_output or _DEFAULT_OUTPUT}
    with_thinking(fields, asked, context)
    limit = fields.pop("max_tokens")
    body["additionalModelRequestFields"] = fields
    return limit if isinstance(limit, int) else None


def _write_tools(body: dict[str, Json], asked: Asked, turns: list[Turn]) -> None:
    if not asked.tools:
        return
    if asked.choice == "none":
        if any(isinstance(part, ToolCall | ToolOutput) for turn in turns for part in turn.parts):
            missing("tool_choice", PROVIDER, "tools that a conversation has used must be there, and may be called")
        return
    config: dict[str, Json] = {"tools": [each for tool in asked.tools for each in _tool(tool)]}
    if asked.chosen is not None:
        config["toolChoice"] = {"tool": {"name": asked.chosen}}
    elif asked.choice == "required":
        config["toolChoice"] = {"any": {}}
    elif asked.choice == "auto":
        config["toolChoice"] = {"auto": {}}
    body["toolConfig"] = config


def _tool(tool: Tool) -> list[Json]:
    spec: dict[str, Json] = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    spec["inputSchema"] = {"json": tool.schema or {"type": "object", "properties": {}}}
    if tool.strict:
        spec["strict"] = True
    return [{"toolSpec": spec}, *cache_point(tool.cache)]
