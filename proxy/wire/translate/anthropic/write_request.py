"""Writes a request as Anthropic's Messages API takes it (API reference of 2026-10; `anthropic` 2.10's types)."""

from typing import Final

import msgspec

from proxy.wire.translate.anthropic.thinking import with_thinking
from proxy.wire.translate.anthropic.write_parts import FORMAT, cached, written_part
from proxy.wire.translate.asked import Asked, Part, Text, Thought, Tool, Turn
from proxy.wire.translate.members import Json, invalid, missing
from proxy.wire.translate.translated import Context, Header, TranslatedRequest

PROVIDER: Final = "Anthropic"
DEFAULT_OUTPUT: Final = 4096
"""The API wants a limit; a request without one gets the model's own, or this where that is not known."""
_HEADERS: Final[list[Header]] = [(b"content-type", b"application/json"), (b"anthropic-version", b"2023-06-01")]
_CHOICES: Final = {"auto": "auto", "none": "none", "required": "any"}


def messages_request(asked: Asked, context: Context) -> TranslatedRequest:
    """A request to the Messages API.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field.
    """
    return TranslatedRequest("/v1/messages", b"", write_messages(asked, context), list(_HEADERS))


def write_messages(asked: Asked, context: Context) -> bytes:
    """The body of a request.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field.
    """
    body: dict[str, Json] = {"model": context.model}
    system, turns = _split(asked.turns)
    if system:
        body["system"] = system
    body["messages"] = _messages(turns)
    body["max_tokens"] = asked.max_output or context.most_output or DEFAULT_OUTPUT
    _write_sampling(body, asked)
    _write_tools(body, asked)
    _write_form(body, asked)
    with_thinking(body, asked, context)
    if asked.user:
        body["metadata"] = {"user_id": asked.user}
    if asked.tier is not None:
        body["service_tier"] = "auto" if asked.tier == "auto" else "standard_only"
    if asked.streamed:
        body["stream"] = True
    return msgspec.json.encode(body)


def _split(turns: list[Turn]) -> tuple[Json, list[Turn]]:
    """The instructions that everything begins with, and what is said from there on."""
    at = 0
    while at < len(turns) and turns[at].role == "system":
        at += 1
    blocks = [part for turn in turns[:at] for part in turn.parts]
    only = blocks[0] if len(blocks) == 1 else None
    if isinstance(only, Text) and not only.cache:
        return only.text, turns[at:]
    return [_instruction(part) for part in blocks], turns[at:]


def _instruction(part: Part) -> Json:
    if not isinstance(part, Text):
        missing(getattr(part, "at", "messages"), PROVIDER, "instructions are text there")
    return written_part(part)


def _messages(turns: list[Turn]) -> list[Json]:
    """The turns; what came of the calls of one answer stands in one message, as the API wants it."""
    messages: list[Json] = []
    results: list[Json] | None = None
    for turn in turns:
        # Thinking that another provider signed can be read there only; a model does without what it thought before.
        parts = [part for part in turn.parts if not isinstance(part, Thought) or part.form in ("", FORMAT)]
        content: list[Json] = [written_part(part) for part in parts]
        if turn.role == "tool":
            if results is None:
                results = []
                messages.append({"role": "user", "content": results})
            results += content
            continue
        results = None
        if turn.role == "system":
            messages.append({"role": "system", "content": [_instruction(part) for part in turn.parts]})
        elif content or turn.role == "user":
            messages.append({"role": turn.role, "content": _plain(parts) or content})
    return messages


def _plain(parts: list[Part]) -> str:
    """The content of a message that is nothing but one text."""
    only = parts[0] if len(parts) == 1 else None
    return only.text if isinstance(only, Text) and not only.cache else ""


def _write_sampling(body: dict[str, Json], asked: Asked) -> None:
    if asked.temperature is not None:
        if asked.temperature > 1:
            missing("temperature", PROVIDER, "its temperature ends at 1")
        body["temperature"] = asked.temperature
    if asked.top_p is not None:
        body["top_p"] = asked.top_p
    if asked.top_k is not None:
        body["top_k"] = asked.top_k
    if asked.stop:
        body["stop_sequences"] = list(asked.stop)


def _write_tools(body: dict[str, Json], asked: Asked) -> None:
    if not asked.tools and asked.chosen is None and asked.choice != "required":
        return
    body["tools"] = [_tool(tool) for tool in asked.tools]
    choice: dict[str, Json] = {"type": "auto" if asked.choice is None else _CHOICES[asked.choice]}
    if asked.chosen is not None:
        choice = {"type": "tool", "name": asked.chosen}
    if asked.parallel is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    if asked.choice is not None or asked.chosen is not None or asked.parallel is False:
        body["tool_choice"] = choice


def _tool(tool: Tool) -> Json:
    written: dict[str, Json] = {"name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    written["input_schema"] = tool.schema or {"type": "object", "properties": {}}
    if tool.strict:
        written["strict"] = True
    return cached(written, tool.cache)


def _write_form(body: dict[str, Json], asked: Asked) -> None:
    form = asked.form
    if form is None:
        return
    if form.schema is None:
        missing("response_format.type", PROVIDER, "it takes a JSON schema, not just any JSON object")
    schema = form.schema
    if not isinstance(schema, dict):
        invalid("response_format.json_schema.schema", "must be an object")
    if form.description:
        if schema.get("description", form.description) != form.description:
            missing("response_format.json_schema.description", PROVIDER, "the schema has a description of its own")
        schema = {**schema, "description": form.description}
    body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
