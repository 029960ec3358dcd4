"""Writes a request as Google's generateContent takes it (API reference of 2026-11, v1beta)."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from proxy.wire.translate.asked import Asked, Effort, Text, Tool, Turn
from proxy.wire.translate.gemini.write_parts import PROVIDER, written_parts
from proxy.wire.translate.members import Json, missing
from proxy.wire.translate.translated import Context, Header, TranslatedRequest

_HEADERS: Final[list[Header]] = [(b"content-type", b"application/json")]
_BY_BUDGET: Final = re.compile(r"gemini-(1\.|2\.)")
"""Models of before levels of thinking: they know budgets of tokens."""
_BUDGETS: Final[Mapping[Effort, int]] = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 24576,
    "max": 24576,
}
"""As Google's own chat endpoint has them."""
_LEVELS: Final[Mapping[Effort, str]] = {
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
_MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def content_request(asked: Asked, context: Context) -> TranslatedRequest:
    """A request to generateContent, or to its stream.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field.
    """
    method, query = ("streamGenerateContent", b"alt=sse") if asked.streamed else ("generateContent", b"")
    path = f"/v1beta/models/{quote(context.model, safe='')}:{method}"
    return TranslatedRequest(path, query, _body(asked, context), list(_HEADERS))


def _body(asked: Asked, context: Context) -> bytes:
    body: dict[str, Json] = {}
    system, turns = _split(asked.turns)
    if system:
        body["systemInstruction"] = {"parts": system}
    needs_seals = not _BY_BUDGET.match(context.model)
    body["contents"] = _contents(turns, needs_seals=needs_seals)
    _write_tools(body, asked)
    config = _config(asked)
    if asked.effort is not None:
        config["thinkingConfig"] = _thinking(asked.effort, context)
    if config:
        body["generationConfig"] = config
    return msgspec.json.encode(body)


def _split(turns: list[Turn]) -> tuple[list[Json], list[Turn]]:
    at = 0
    system: list[Json] = []
    while at < len(turns) and turns[at].role == "system":
        for part in turns[at].parts:
            if not isinstance(part, Text):
                missing(turns[at].at, PROVIDER, "instructions are text there")
            system.append({"text": part.text})
        at += 1
    for turn in turns[at:]:
        if turn.role == "system":
            missing(f"{turn.at}.role", PROVIDER, "instructions stand before all else, not within a conversation")
    return system, turns[at:]


def _contents(turns: list[Turn], *, needs_seals: bool) -> list[Json]:
    """The turns; neighbours of one role are one content, as what came of parallel calls must be."""
    contents: list[Json] = []
    before, parts = "", list[Json]()
    for turn in turns:
        role = "model" if turn.role == "assistant" else "user"
        kind = turn.role if turn.role != "assistant" else "model"
        if kind != before:
            before, parts = kind, []
            contents.append({"role": role, "parts": parts})
        parts += written_parts(turn.parts, needs_seals=needs_seals)
    return [content for content in contents if isinstance(content, dict) and content["parts"]]


def _write_tools(body: dict[str, Json], asked: Asked) -> None:
    if asked.tools:
        body["tools"] = [{"functionDeclarations": [_declared(tool) for tool in asked.tools]}]
    config: dict[str, Json] = {}
    if asked.chosen is not None:
        config = {"mode": "ANY", "allowedFunctionNames": [asked.chosen]}
    elif asked.choice is not None:
        config = {"mode": _MODES[asked.choice]}
    if config.get("mode", "AUTO") == "AUTO" and any(tool.strict for tool in asked.tools):
        # The mode in which calls keep to their schemas.
        config = {"mode": "VALIDATED"}
    if config and asked.tools:
        body["toolConfig"] = {"functionCallingConfig": config}


def _declared(tool: Tool) -> Json:
    declared: dict[str, Json] = {"name": tool.name}
    if tool.description is not None:
        declared["description"] = tool.description
    if tool.schema:
        declared["parametersJsonSchema"] = tool.schema
    return declared


def _config(asked: Asked) -> dict[str, Json]:
    told: dict[str, Json] = {
        "temperature": asked.temperature,
        "topP": asked.top_p,
        "topK": asked.top_k,
        "maxOutputTokens": asked.max_output,
        "seed": asked.seed,
        "presencePenalty": asked.presence_penalty,
        "frequencyPenalty": asked.frequency_penalty,
    }
    config: dict[str, Json] = {name: value for name, value in told.items() if value is not None}
    if asked.stop:
        config["stopSequences"] = list(asked.stop)
    if asked.form is not None:
        config["responseMimeType"] = "application/json"
        if asked.form.schema is not None:
            config["responseJsonSchema"] = asked.form.schema
            if asked.form.description:
                missing("response_format.json_schema.description", PROVIDER, "only the schema itself has one")
    return config


def _thinking(effort: Effort, context: Context) -> Json:
    if _BY_BUDGET.match(context.model):
        return {"thinkingBudget": _BUDGETS[effort]}
    if effort == "none":
        missing("reasoning_effort", PROVIDER, "this model cannot be kept from thinking; the least is `minimal`")
    return {"thinkingLevel": _LEVELS[effort]}
