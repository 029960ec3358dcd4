"""What a provider's event tells: what a response used, what it called, and how much of it has come.

Event names and fields: the reference of OpenAI's Realtime API, of today and of its beta.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from proxy.wire.openai.realtime.client_event import is_narrow, most_output, tools_of, transcriber_of
from proxy.wire.strict import Unreadable, parsed
from proxy.wire.tool_calls import ToolCall

TRANSCRIBED: Final = "conversation.item.input_audio_transcription.completed"
SESSION: Final = frozenset({"session.created", "session.updated"})
AUDIO: Final = frozenset({"response.output_audio.delta", "response.audio.delta"})
CALLS: Final = (b"function_call", b"mcp_")
"""Whatever may be of a call says one of these somewhere."""


class ServerEvent(Struct, kw_only=True):
    """One event; `response` is the id of the response that it is of.

    `audio_chars` is the length of sound in base64, `text_chars` of text that came with it. `usage` is the usage object
    of a response that is done, or of a transcription, as it came; `status` how a response ended.
    """

    type: str
    response: str = ""
    audio_chars: int = 0
    text_chars: int = 0
    usage: bytes | None = None
    status: str = ""
    model: str = ""
    tools: list[dict[str, Any]] | None = None
    max_output_tokens: int | None = None
    transcribes_with: str | None = None
    narrow_audio: bool = False
    calls: int = 0


class _Event(Struct, gc=False):
    type: str
    response_id: str = ""
    delta: Raw = Raw(b"")
    response: Raw = Raw(b"")
    session: Raw = Raw(b"")
    usage: Raw = Raw(b"")


class _Response(Struct, gc=False):
    id: str = ""
    status: str | None = None
    usage: Raw = Raw(b"")
    output: list[Raw] | None = None


_event: Final = msgspec.json.Decoder(_Event).decode
_response: Final = msgspec.json.Decoder(_Response).decode


def read_server_event(body: bytes) -> ServerEvent:
    """What an event tells.

    Raises:
        Unreadable: it is no JSON object with a type, or not of the shape of its type.
    """
    try:
        event = _event(body)
        if event.type in ("response.created", "response.done"):
            return _of_response(event.type, _response(event.response))
        if event.type in SESSION:
            return _of_session(event.type, msgspec.json.decode(event.session, type=dict[str, Any]))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    told = ServerEvent(type=event.type, response=event.response_id)
    if event.type == TRANSCRIBED:
        told.usage = _object(event.usage)
    elif event.type in AUDIO:
        told.audio_chars = len(bytes(event.delta))
    elif event.type.endswith(".delta"):
        told.text_chars = max(0, len(bytes(event.delta)) - 2)
    return told


def _of_response(kind: str, response: _Response) -> ServerEvent:
    calls = sum(b'"function_call"' in bytes(item) for item in response.output or ())
    status = response.status or ""
    return ServerEvent(type=kind, response=response.id, usage=_object(response.usage), status=status, calls=calls)


def _of_session(kind: str, session: Mapping[str, Any]) -> ServerEvent:
    model = session.get("model")
    return ServerEvent(
        type=kind,
        model=model if isinstance(model, str) else "",
        tools=tools_of(session),
        max_output_tokens=most_output(session),
        transcribes_with=transcriber_of(session),
        narrow_audio=is_narrow(session),
    )


def _object(raw: Raw) -> bytes | None:
    told = bytes(raw)
    return told if told[:1] == b"{" and len(told) > 2 else None


class CallEvent(Struct, frozen=True, kw_only=True):
    """An event that is, or may be, of a tool call. `item` names the call's item; `call` is whole once it is done."""

    type: str
    item: str
    call: ToolCall | None = None


def may_be_of_a_call(body: bytes) -> bool:
    """Whether an event must be read as one that may carry a call."""
    return any(mark in body for mark in CALLS)


def read_call_event(body: bytes) -> CallEvent | None:
    """The event as one of a tool call; None where it is of none.

    Raises:
        Unreadable: it could be read in two ways.
    """
    fields = parsed(body)
    kind = str(fields.get("type"))
    item = fields.get("item")
    if isinstance(item, dict) and item.get("type") == "function_call":
        is_done = kind == "response.output_item.done"
        return CallEvent(type=kind, item=str(item.get("id", "")), call=call_of(item) if is_done else None)
    if kind.startswith("response.function_call_arguments."):
        return CallEvent(type=kind, item=str(fields.get("item_id", "")))
    return None


def call_of(item: Mapping[str, Any]) -> ToolCall:
    """A call as the item that holds it tells it.

    Raises:
        Unreadable: its name or its arguments are no text.
    """
    name, arguments = item.get("name"), item.get("arguments")
    if not isinstance(name, str) or not isinstance(arguments, str):
        raise Unreadable("a call without a name or arguments")
    return ToolCall(id=str(item.get("call_id", "")), name=name, arguments=arguments, index=0)


def calls_within(body: bytes) -> dict[str, ToolCall]:
    """The calls that a finished response repeats, by their items' ids.

    Raises:
        Unreadable: it could be read in two ways.
    """
    output = _dict(parsed(body).get("response")).get("output")
    items = [each for each in output if isinstance(each, dict)] if isinstance(output, list) else []
    return {str(each.get("id", "")): call_of(each) for each in items if each.get("type") == "function_call"}


def without_items(body: bytes, ids: frozenset[str]) -> bytes:
    """A finished response without these items of its output."""
    fields = parsed(body)
    response = _dict(fields.get("response"))
    output = response.get("output")
    if isinstance(output, list):
        left = [each for each in output if not (isinstance(each, dict) and str(each.get("id", "")) in ids)]
        fields["response"] = {**response, "output": left}
    return msgspec.json.encode(fields)


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
