"""Reads a request for a response for another dialect: every field taken, or refused by name."""

from typing import Final, cast, get_args

import msgspec

from proxy.wire.translate.asked import Asked, Choice, Effort, Form, Tier, Tool
from proxy.wire.translate.members import Json, Members, invalid, missing
from proxy.wire.translate.responses.items import read_input
from proxy.wire.translate.treatment import Treatments, check

_EFFORTS: Final = get_args(Effort)
_TIERS: Final[dict[str | None, Tier | None]] = {None: None, "auto": "auto", "default": "standard"}
_INCLUDED: Final = "reasoning.encrypted_content"


def read_response_request(body: bytes, treatments: Treatments, provider: str) -> Asked:
    """What a request asks for; the body has passed `read_request`.

    Raises:
        Refused: CAPABILITY_MISSING naming a field that cannot be carried, INVALID_REQUEST naming one that is wrong.
    """
    decoded: dict[str, Json] = msgspec.json.decode(body)
    check(decoded, treatments, provider)
    given = Members(decoded, "")
    tier = given.text("service_tier")
    if tier not in _TIERS:
        missing("service_tier", provider, f"the tier {tier!r} is OpenAI's")
    asked = Asked(
        model=given.needed_text("model"),
        turns=read_input(given.text("instructions"), given.take("input"), provider),
        max_output=given.whole("max_output_tokens"),
        temperature=given.number("temperature"),
        top_p=given.number("top_p"),
        tools=[_tool(each, f"tools[{at}]", provider) for at, each in enumerate(given.items("tools"))],
        parallel=given.flag("parallel_tool_calls"),
        form=_form(given.part("text"), provider),
        effort=_effort(given.part("reasoning"), provider),
        user=given.text("safety_identifier") or given.text("user"),
        tier=_TIERS[tier],
        streamed=given.flag("stream") is True,
        wants_usage=True,
    )
    _read_choice(given.take("tool_choice"), asked, provider)
    for at, each in enumerate(given.items("include")):
        if each != _INCLUDED:
            missing(f"include[{at}]", provider, f"{each!r} is not there to be told")
    options = given.part("stream_options")
    if options is not None:
        options.drop("include_obfuscation")
        options.end(provider)
    return asked


def _tool(value: Json, at: str, provider: str) -> Tool:
    given = Members(value, at)
    kind = given.text("type")
    if kind != "function":
        missing(f"{at}.type", provider, f"tools of type {kind!r} are not there, only functions")
    tool = Tool(
        name=given.needed_text("name"),
        description=given.text("description"),
        schema=given.take("parameters"),
        strict=given.flag("strict") is True,
        at=at,
    )
    given.end(provider)
    return tool


def _form(text: Members | None, provider: str) -> Form | None:
    if text is None:
        return None
    verbosity = text.text("verbosity")
    if verbosity not in (None, "medium"):
        missing("text.verbosity", provider, "it has no such setting")
    given = text.part("format")
    text.end(provider)
    kind = None if given is None else given.text("type")
    if given is None or kind in (None, "text"):
        return None
    if kind == "json_object":
        return Form()
    if kind != "json_schema":
        missing("text.format.type", provider, f"{kind!r} is not a form it knows")
    form = Form(given.take("schema"), given.text("name") or "", given.text("description") or "")
    given.drop("strict")
    given.end(provider)
    return form


def _effort(given: Members | None, provider: str) -> Effort | None:
    if given is None:
        return None
    effort = given.text("effort")
    if effort is not None and effort not in _EFFORTS:
        invalid("reasoning.effort", f"must be one of {', '.join(_EFFORTS)}")
    given.drop("summary", "generate_summary")
    given.end(provider)
    return cast(Effort | None, effort)


def _read_choice(choice: Json, asked: Asked, provider: str) -> None:
    if choice is None:
        return
    if choice in ("auto", "none", "required"):
        asked.choice = cast(Choice, choice)
        return
    given = Members(choice, "tool_choice")
    kind = given.text("type")
    if kind != "function":
        missing("tool_choice.type", provider, f"the choice {kind!r} is not there")
    asked.chosen = given.needed_text("name")
    given.end(provider)
