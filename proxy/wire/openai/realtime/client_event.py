"""What a client's event asks for: read strictly, since of two readings one would be governed and the other obeyed.

Event names and fields: the reference of OpenAI's Realtime API, of today and of its beta.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from proxy.wire.members import is_plain_layout, raw_members
from proxy.wire.strict import Unreadable, parsed

APPEND: Final = "input_audio_buffer.append"
BYTES_PER_TOKEN: Final = 2
"""Text of the API's events has twice as many bytes as tokens, and more."""
FREE: Final = frozenset(
    {
        "input_audio_buffer.clear",
        "output_audio_buffer.clear",
        "response.cancel",
        "conversation.item.delete",
        "conversation.item.truncate",
        "conversation.item.retrieve",
    }
)
"""What adds nothing to what a session costs."""


class ClientEvent(Struct, frozen=True, kw_only=True):
    """One event.

    `text_tokens` bounds the text in it, `audio_chars` is the length of its audio in base64. `model` is the one that a
    session is to have, `transcribes_with` another one that writes down what is said. `max_output_tokens` is None where
    nothing is said of it, 0 for no limit. `hosted` are types of tools that the provider would run, `stateful` what
    leans on what a provider keeps.
    """

    type: str
    id: str = ""
    text_tokens: int = 0
    audio_chars: int = 0
    starts_response: bool = False
    model: str | None = None
    transcribes_with: str | None = None
    max_output_tokens: int | None = None
    narrow_audio: bool = False
    hosted: tuple[str, ...] = ()
    stateful: str = ""


def read_client_event(text: str) -> ClientEvent:
    """What an event asks for.

    Raises:
        Unreadable: it is no JSON object with a type, or names a member twice.
    """
    body = text.encode()
    try:
        members = raw_members(body)
        kind = msgspec.json.decode(members.get("type", b"null"))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    if not isinstance(kind, str):
        raise Unreadable("an event without a type")
    if kind == APPEND and is_plain_layout(body, members):
        return ClientEvent(type=kind, audio_chars=len(members.get("audio", b"")))
    fields = parsed(body)
    if kind == APPEND:
        return ClientEvent(type=kind, audio_chars=len(str(fields.get("audio", ""))))
    if kind in FREE:
        return ClientEvent(type=kind)
    return _asked(kind, fields, len(body) // BYTES_PER_TOKEN)


def _asked(kind: str, fields: Mapping[str, Any], tokens: int) -> ClientEvent:
    session, response = _object(fields.get("session")), _object(fields.get("response"))
    config = session if kind.endswith("session.update") else response
    return ClientEvent(
        type=kind,
        id=_text(fields.get("event_id")) or "",
        text_tokens=tokens,
        starts_response=kind == "response.create",
        model=_text(session.get("model")),
        transcribes_with=transcriber_of(session),
        max_output_tokens=most_output(config),
        narrow_audio=is_narrow(session),
        hosted=tuple(_hosted(config)),
        stateful="prompt" if config.get("prompt") else "",
    )


def most_output(config: Mapping[str, Any]) -> int | None:
    """The output limit of a session or response: None where it says nothing, 0 for none."""
    for name in ("max_output_tokens", "max_response_output_tokens"):
        value = config.get(name)
        if value is not None:
            return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
    return None


def transcriber_of(session: Mapping[str, Any]) -> str | None:
    """The model that writes down what a client says; None where it is not said."""
    audio = _object(_object(session.get("audio")).get("input"))
    wanted = _object(audio.get("transcription")) or _object(session.get("input_audio_transcription"))
    return _text(wanted.get("model"))


def is_narrow(session: Mapping[str, Any]) -> bool:
    """Whether its audio comes in with eight kilobytes a second instead of forty-eight."""
    told = _object(_object(session.get("audio")).get("input")).get("format") or session.get("input_audio_format")
    kind = _object(told).get("type") if isinstance(told, dict) else told
    return isinstance(kind, str) and kind not in ("audio/pcm", "pcm16")


def tools_of(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools that a session or response offers."""
    tools = config.get("tools")
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


def _hosted(config: Mapping[str, Any]) -> Iterator[str]:
    for tool in tools_of(config):
        if tool.get("type", "function") != "function":
            yield str(tool.get("type"))[:64]


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
