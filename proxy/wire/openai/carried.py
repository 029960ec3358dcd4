"""What is looked at in the body of a call that is carried as it is: the model it names, and tools it offers."""

import msgspec
from msgspec import Raw, Struct

from proxy.wire.bodies import MAX_MODEL_CHARS
from proxy.wire.facts import RequestFacts
from proxy.wire.openai.request import CLIENT_RUN_TOOLS


class _Tool(Struct, gc=False):
    type: str = ""


class _Body(Struct, gc=False):
    model: Raw = Raw(b"")
    stream: Raw = Raw(b"")
    tools: Raw = Raw(b"")


def carried_facts(body: bytes) -> RequestFacts:
    """The facts of a body as far as they are told; one that is no JSON object tells none.

    `hosted_tools` are, as elsewhere, the types of tools that the provider would run.
    """
    try:
        told = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return RequestFacts(model="", is_object=False)
    tools = _tools(told.tools)
    return RequestFacts(
        model=_text(told.model)[:MAX_MODEL_CHARS],
        streamed=bytes(told.stream) == b"true",
        has_tools=bool(tools),
        hosted_tools=tuple(each for each in tools if each not in CLIENT_RUN_TOOLS),
    )


def _tools(raw: Raw) -> list[str]:
    try:
        return [each.type for each in msgspec.json.decode(raw, type=list[_Tool])]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


def _text(raw: Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
