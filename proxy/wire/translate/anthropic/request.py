"""Reads a request to the Messages API for another dialect: every field taken, or refused by name."""

from collections.abc import Mapping
from typing import Final, cast, get_args

import msgspec

from proxy.wire.translate.anthropic.messages import read_system, read_turns
from proxy.wire.translate.asked import Asked, Choice, Effort, Form, Tier, Tool
from proxy.wire.translate.members import Json, Members, invalid, missing
from proxy.wire.translate.treatment import Treatments, check

_EFFORTS: Final = get_args(Effort)
_TIERS: Final[Mapping[str | None, Tier | None]] = {None: None, "auto": "auto", "standard_only": "standard"}
_CHOICES: Final[Mapping[str, Choice]] = {"auto": "auto", "any": "required", "none": "none"}
_LOW_BUDGET: Final = 4096
_HIGH_BUDGET: Final = 16384


def read_messages(body: bytes, treatments: Treatments, provider: str) -> Asked:
    """What a request asks for; the body is a JSON object.

    Raises:
        Refused: CAPABILITY_MISSING naming a field that cannot be carried, INVALID_REQUEST naming one that is wrong.
    """
    decoded: dict[str, Json] = msgspec.json.decode(body)
    check(decoded, treatments, provider)
    given = Members(decoded, "")
    asked = Asked(
        model=given.needed_text("model"),
        turns=read_system(given, provider) + read_turns(given.items("messages"), provider),
        max_output=given.whole("max_tokens"),
        temperature=given.number("temperature"),
        top_p=given.number("top_p"),
        stop=_stops(given),
        tools=[_tool(each, f"tools[{at}]", provider) for at, each in enumerate(given.items("tools"))],
        streamed=given.flag("stream") is True,
        wants_usage=True,
    )
    _read_tier(given, asked)
    _read_user(given.part("metadata"), asked, provider)
    _read_thinking(given.part("thinking"), asked, provider)
    _read_output(given.part("output_config"), asked, provider)
    _read_choice(given.part("tool_choice"), asked, provider)
    _check_edits(given.part("context_management"), provider)
    return asked


def _stops(given: Members) -> list[str]:
    stops = given.items("stop_sequences")
    if not all(isinstance(each, str) for each in stops):
        invalid("stop_sequences", "must be an array of strings")
    return cast(list[str], stops)


def _tool(value: Json, at: str, provider: str) -> Tool:
    given = Members(value, at)
    kind = given.text("type")
    if kind not in (None, "custom"):
        missing(f"{at}.type", provider, f"the tool {kind!r} is Anthropic's own")
    tool = Tool(
        name=given.needed_text("name"),
        description=given.text("description"),
        schema=given.take("input_schema"),
        strict=given.flag("strict") is True,
        at=at,
    )
    if given.flag("defer_loading"):
        missing(f"{at}.defer_loading", provider, "all tools are told at once")
    if given.take("allowed_callers") not in (None, ["direct"]):
        missing(f"{at}.allowed_callers", provider, "only the model itself calls tools")
    given.drop("cache_control", "eager_input_streaming")
    given.end(provider)
    return tool


def _read_tier(given: Members, asked: Asked) -> None:
    tier = given.text("service_tier")
    if tier not in _TIERS:
        invalid("service_tier", "must be auto or standard_only")
    asked.tier = _TIERS[tier]


def _read_user(given: Members | None, asked: Asked, provider: str) -> None:
    if given is not None:
        asked.user = given.text("user_id")
        given.end(provider)


def _read_thinking(given: Members | None, asked: Asked, provider: str) -> None:
    if given is None:
        return
    kind = given.text("type")
    if kind == "enabled":
        budget = given.whole("budget_tokens") or 0
        asked.effort = "low" if budget < _LOW_BUDGET else "medium" if budget < _HIGH_BUDGET else "high"
    elif kind not in ("adaptive", "disabled"):
        missing("thinking.type", provider, f"it cannot be told to think {kind!r}")
    given.drop("display")
    given.end(provider)


def _read_output(given: Members | None, asked: Asked, provider: str) -> None:
    if given is None:
        return
    effort = given.text("effort")
    if effort is not None:
        if effort not in _EFFORTS:
            invalid("output_config.effort", "must be low, medium, high, xhigh or max")
        asked.effort = cast(Effort, effort)
    form = given.part("format")
    if form is not None:
        if form.text("type") != "json_schema":
            missing("output_config.format.type", provider, "it takes schemas only")
        asked.form = Form(form.take("schema"), "answer")
        form.end(provider)
    given.end(provider)


def _read_choice(given: Members | None, asked: Asked, provider: str) -> None:
    if given is None:
        return
    kind = given.needed_text("type")
    if kind == "tool":
        asked.chosen = given.needed_text("name")
    elif kind in _CHOICES:
        asked.choice = _CHOICES[kind]
    else:
        invalid("tool_choice.type", "must be auto, any, tool or none")
    if given.flag("disable_parallel_tool_use"):
        asked.parallel = False
    given.end(provider)


def _check_edits(given: Members | None, provider: str) -> None:
    if given is None:
        return
    for at, edit in enumerate(given.items("edits")):
        kind = Members(edit, f"context_management.edits[{at}]").text("type") or ""
        if not kind.startswith("clear_thinking_"):
            missing(f"context_management.edits[{at}]", provider, "a conversation is edited by its client only")
    given.end(provider)
