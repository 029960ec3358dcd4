"""Reads a chat request for another dialect: every field taken, or refused by name."""

from collections.abc import Mapping
from typing import Final, cast, get_args

import msgspec

from proxy.wire.translate.asked import Asked, Choice, Effort, Form, Tier, Tool
from proxy.wire.translate.chat.marks import cache_mark
from proxy.wire.translate.chat.messages import read_turns
from proxy.wire.translate.members import Json, Members, invalid, missing
from proxy.wire.translate.treatment import Treatments, check

_EFFORTS: Final = get_args(Effort)
_TIERS: Final[Mapping[str, Tier]] = {"auto": "auto", "default": "standard"}


def read_chat(body: bytes, treatments: Treatments, provider: str) -> Asked:
    """What a chat request asks for; the body has passed `read_request`.

    Raises:
        Refused: CAPABILITY_MISSING naming a field that cannot be carried, INVALID_REQUEST naming one that is wrong.
    """
    decoded: dict[str, Json] = msgspec.json.decode(body)
    check(decoded, treatments, provider)
    given = Members(decoded, "")
    options = given.part("stream_options")
    asked = Asked(
        model=given.needed_text("model"),
        turns=read_turns(given.items("messages"), provider),
        max_output=_max_output(given),
        temperature=given.number("temperature"),
        top_p=given.number("top_p"),
        top_k=given.whole("top_k"),
        stop=_stop(given),
        tools=[_tool(each, f"tools[{at}]", provider) for at, each in enumerate(given.items("tools"))],
        parallel=given.flag("parallel_tool_calls"),
        form=_form(given.part("response_format"), provider),
        effort=_effort(given),
        user=given.text("safety_identifier") or given.text("user"),
        tier=_tier(given, provider),
        seed=given.whole("seed"),
        presence_penalty=given.number("presence_penalty"),
        frequency_penalty=given.number("frequency_penalty"),
        streamed=given.flag("stream") is True,
    )
    _read_choice(given.take("tool_choice"), asked, provider)
    if options is not None:
        asked.wants_usage = options.flag("include_usage") is True
        options.drop("include_obfuscation")
        options.end(provider)
    return asked


def _max_output(given: Members) -> int | None:
    newer, older = given.whole("max_completion_tokens"), given.whole("max_tokens")
    limit = newer if newer is not None else older
    if limit is not None and limit < 1:
        invalid("max_completion_tokens" if newer is not None else "max_tokens", "must be at least 1")
    return limit


def _stop(given: Members) -> list[str]:
    stop = given.take("stop")
    stops = [] if stop is None else [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(each, str) for each in stops):
        invalid("stop", "must be a string or an array of strings")
    return cast(list[str], stops)


def _tool(value: Json, at: str, provider: str) -> Tool:
    given = Members(value, at)
    kind = given.text("type")
    if kind != "function":
        missing(f"{at}.type", provider, f"tools of type {kind!r} are not there, only functions")
    function = Members(given.take("function"), f"{at}.function")
    tool = Tool(
        name=function.needed_text("name"),
        description=function.text("description"),
        schema=function.take("parameters"),
        strict=function.flag("strict") is True,
        cache=cache_mark(given, provider),
        at=at,
    )
    function.end(provider)
    given.end(provider)
    return tool


def _form(given: Members | None, provider: str) -> Form | None:
    if given is None:
        return None
    kind = given.text("type")
    form: Form | None = None
    if kind == "json_schema":
        inner = Members(given.take("json_schema"), given.place("json_schema"))
        form = Form(inner.take("schema"), inner.text("name") or "", inner.text("description") or "")
        inner.drop("strict")
        inner.end(provider)
    elif kind == "json_object":
        form = Form()
    elif kind not in (None, "text"):
        missing("response_format.type", provider, f"{kind!r} is not a form it knows")
    given.end(provider)
    return form


def _effort(given: Members) -> Effort | None:
    effort = given.text("reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        invalid("reasoning_effort", f"must be one of {', '.join(_EFFORTS)}")
    return cast(Effort | None, effort)


def _tier(given: Members, provider: str) -> Tier | None:
    tier = given.text("service_tier")
    if tier is None:
        return None
    if tier not in _TIERS:
        missing("service_tier", provider, f"the tier {tier!r} is OpenAI's")
    return _TIERS[tier]


def _read_choice(choice: Json, asked: Asked, provider: str) -> None:
    if choice is None:
        return
    if choice == "auto" or choice == "none" or choice == "required":
        asked.choice = cast(Choice, choice)
        return
    given = Members(choice, "tool_choice")
    kind = given.text("type")
    if kind != "function":
        missing("tool_choice.type", provider, f"the choice {kind!r} is not there")
    function = Members(given.take("function"), "tool_choice.function")
    asked.chosen = function.needed_text("name")
    function.end(provider)
    given.end(provider)
