"""Reads the messages of a chat request: every member of every part taken, or refused by name."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Final

from proxy.wire.translate.asked import (
    Document,
    Image,
    Part,
    Role,
    Shown,
    Sound,
    Text,
    Thought,
    ToolCall,
    ToolOutput,
    Turn,
)
from proxy.wire.translate.chat.marks import cache_mark
from proxy.wire.translate.members import Json, Members, invalid, missing, object_of

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_WHOLE_PICTURE: Final = (None, "auto", "high", "original")
"""Details of a picture that ask for all of it, which is what other providers look at."""


def read_turns(messages: list[Json], provider: str) -> list[Turn]:
    """The messages of a request, each as one turn; the outputs of tools know the names of their tools."""
    names: dict[str, str] = {}
    return [_turn(message, f"messages[{at}]", names, provider) for at, message in enumerate(messages)]


def _turn(message: Json, at: str, names: dict[str, str], provider: str) -> Turn:
    given = Members(message, at)
    told = given.needed_text("role")
    role = _ROLES.get(told)
    if role is None:
        missing(f"{at}.role", provider, f"messages of the role {told!r} are not there")
    turn = Turn(role, [], at)
    if role == "assistant":
        _read_assistant(given, turn, names, provider)
    elif role == "tool":
        call_id = given.needed_text("tool_call_id")
        parts = read_shown(given, "content", provider)
        given.drop("name")
        turn.parts.append(ToolOutput(call_id, parts, names.get(call_id, ""), cache=cache_mark(given, provider), at=at))
    else:
        turn.parts.extend(read_shown(given, "content", provider))
        mark = cache_mark(given, provider)
        if mark and turn.parts:
            turn.parts[-1].cache = mark  # type: ignore[union-attr]
    given.end(provider)
    return turn


def _read_assistant(given: Members, turn: Turn, names: dict[str, str], provider: str) -> None:
    turn.parts.extend(_thoughts(given))
    shown = read_shown(given, "content", provider)
    turn.parts.extend(part for part in shown if not isinstance(part, Text) or part.text)
    refusal = given.text("refusal")
    if refusal and not shown:
        turn.parts.append(Text(refusal, at=given.place("refusal")))
    for at, call in enumerate(given.items("tool_calls")):
        made = _call(call, f"{turn.at}.tool_calls[{at}]", provider)
        names[made.id] = made.name
        turn.parts.append(made)
    # What the model thought is taken from its details, where it is whole; notes on an answer are no part of a prompt.
    given.drop("reasoning_content", "reasoning", "annotations")


def _call(value: Json, at: str, provider: str) -> ToolCall:
    given = Members(value, at)
    kind = given.text("type")
    if kind not in (None, "function"):
        missing(f"{at}.type", provider, f"calls of type {kind!r} are not there")
    function = Members(given.take("function"), f"{at}.function")
    arguments = object_of(function.text("arguments") or "", function.place("arguments"))
    call = ToolCall(given.needed_text("id"), function.needed_text("name"), arguments, at=at)
    sealed = given.part("extra_content")
    if sealed is not None:
        # Where Google's own chat endpoint keeps what its models want back with a call.
        google = sealed.part("google")
        if google is not None:
            call.seal = google.text("thought_signature") or ""
            google.end(provider)
        sealed.end(provider)
    given.drop("index")
    function.end(provider)
    given.end(provider)
    return call


def _thoughts(given: Members) -> list[Part]:
    """Thinking as our own answers tell it (docs/translation.md); what is not sealed cannot be given back."""
    thoughts: list[Part] = []
    for at, value in enumerate(given.items("reasoning_details")):
        place = f"{given.place('reasoning_details')}[{at}]"
        detail = Members(value, place)
        kind, form = detail.text("type"), detail.text("format") or ""
        if kind == "reasoning.encrypted":
            thoughts.append(Thought(hidden=detail.needed_text("data"), form=form, at=place))
        elif kind == "reasoning.text":
            seal = detail.text("signature")
            thoughts += [Thought(detail.text("text") or "", seal, form=form, at=place)] if seal else []
    return thoughts


def read_shown(given: Members, name: str, provider: str) -> list[Shown]:
    """The content of a message: a text, or parts."""
    content = given.take(name)
    at = given.place(name)
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content, at=at)]
    if not isinstance(content, list):
        invalid(at, "must be a string or an array of parts")
    return [_part(value, f"{at}[{index}]", provider) for index, value in enumerate(content)]


def _part(value: Json, at: str, provider: str) -> Shown:
    given = Members(value, at)
    kind = given.needed_text("type")
    read = _PARTS.get(kind)
    if read is None:
        missing(f"{at}.type", provider, f"parts of type {kind!r} are not there")
    part = read(given, provider)
    if not isinstance(part, Sound):
        part.cache = cache_mark(given, provider)
    part.at = at
    given.end(provider)
    return part


def _text(given: Members, provider: str) -> Shown:
    return Text(given.needed_text("text"))


def _refusal(given: Members, provider: str) -> Shown:
    return Text(given.needed_text("refusal"))


def _image(given: Members, provider: str) -> Shown:
    inner = Members(given.take("image_url"), given.place("image_url"))
    url, detail = inner.needed_text("url"), inner.text("detail")
    if detail not in _WHOLE_PICTURE:
        missing(inner.place("detail"), provider, f"it looks at whole pictures only, not with the detail {detail!r}")
    inner.end(provider)
    if not url.startswith("data:"):
        return Image(url=url)
    media_type, data = data_url(url, inner.place("url"))
    return Image(media_type, data)


def _file(given: Members, provider: str) -> Shown:
    inner = Members(given.take("file"), given.place("file"))
    if inner.text("file_id"):
        missing(inner.place("file_id"), provider, "the file is kept at another provider; send it as `file_data`")
    data, name = inner.needed_text("file_data"), inner.text("filename") or ""
    inner.end(provider)
    place = inner.place("file_data")
    if data.startswith("data:"):
        media_type, data = data_url(data, place)
    elif name.lower().endswith(".pdf"):
        media_type = "application/pdf"
    else:
        invalid(place, "must be a data URL that tells the file's type")
    return document(media_type, data, name, place)


def _sound(given: Members, provider: str) -> Shown:
    inner = Members(given.take("input_audio"), given.place("input_audio"))
    sound = Sound(inner.needed_text("format"), inner.needed_text("data"))
    inner.end(provider)
    given.drop("prompt_cache_breakpoint")
    return sound


_PARTS: Final[Mapping[str, Callable[[Members, str], Shown]]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
    "input_audio": _sound,
}


def data_url(url: str, at: str) -> tuple[str, str]:
    """The media type and the base64 of a data URL (RFC 2397)."""
    head, comma, data = url[5:].partition(",")
    if not comma or not head.endswith(";base64"):
        invalid(at, "must be a data URL of the form data:<type>;base64,<data>")
    media_type = head[: -len(";base64")].partition(";")[0].strip().lower()
    return media_type, data


def document(media_type: str, data: str, name: str, at: str) -> Document:
    """A file from its bytes in base64; plain text is decoded."""
    if not media_type.startswith("text/"):
        return Document(media_type, data, name=name)
    try:
        text = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        invalid(at, "must be text in UTF-8, in base64")
    return Document(media_type, data, text, name=name)
