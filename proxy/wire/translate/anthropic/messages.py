"""Reads the messages of a request to the Messages API: every member of every block taken, or refused by name."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.translate.asked import Document, Image, Part, Shown, Text, Thought, ToolCall, ToolOutput, Turn
from proxy.wire.translate.ids import original_id
from proxy.wire.translate.members import Json, Members, invalid, missing


def read_system(given: Members, provider: str) -> list[Turn]:
    """The instructions that stand before all messages, as one turn or none."""
    parts = _content(given, "system", provider)
    return [Turn("system", parts, "system")] if parts else []


def read_turns(messages: list[Json], provider: str) -> list[Turn]:
    """The messages; what came of calls stands in turns of its own, before what the user says beside it."""
    turns: list[Turn] = []
    names: dict[str, str] = {}
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        given = Members(message, at)
        role = given.needed_text("role")
        if role not in ("user", "assistant", "system"):
            invalid(f"{at}.role", "must be user, assistant or system")
        parts = _content(given, "content", provider)
        given.end(provider)
        for part in parts:
            if isinstance(part, ToolCall):
                names[part.id] = part.name
            elif isinstance(part, ToolOutput):
                part.name = names.get(part.id, "")
                turns.append(Turn("tool", [part], at))
        said: list[Part] = [part for part in parts if not isinstance(part, ToolOutput)]
        if said or not parts:
            turns.append(
                Turn("assistant" if role == "assistant" else "system" if role == "system" else "user", said, at)
            )
    if turns and turns[-1].role == "assistant":
        missing(turns[-1].at, provider, "it does not go on from the beginning of an answer; end with a user's message")
    return turns


def _content(given: Members, name: str, provider: str) -> list[Part]:
    content, at = given.take(name), given.place(name)
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content, at=at)]
    if not isinstance(content, list):
        invalid(at, "must be a string or an array of blocks")
    return [_block(value, f"{at}[{index}]", provider) for index, value in enumerate(content)]


def _block(value: Json, at: str, provider: str) -> Part:
    given = Members(value, at)
    kind = given.needed_text("type")
    read = _BLOCKS.get(kind)
    if read is None:
        missing(f"{at}.type", provider, f"blocks of type {kind!r} are Anthropic's own")
    part = read(given, provider)
    part.at = at
    # Chats cache by themselves; what an earlier answer quoted is no part of what the model reads.
    given.drop("cache_control")
    given.end(provider)
    return part


def _text(given: Members, provider: str) -> Part:
    given.drop("citations")
    return Text(given.needed_text("text"))


def _image(given: Members, provider: str) -> Part:
    source = Members(given.take("source"), given.place("source"))
    kind = source.text("type")
    if kind == "base64":
        image = Image(source.needed_text("media_type"), source.needed_text("data"))
    elif kind == "url":
        image = Image(url=source.needed_text("url"))
    else:
        missing(source.place("type"), provider, f"a picture of the kind {kind!r} is kept at Anthropic; send its bytes")
    source.end(provider)
    return image


def _document(given: Members, provider: str) -> Part:
    source = Members(given.take("source"), given.place("source"))
    kind = source.text("type")
    if kind == "base64":
        document = Document(source.needed_text("media_type"), source.needed_text("data"))
    elif kind == "text":
        source.drop("media_type")
        document = Document("text/plain", text=source.needed_text("data"))
    elif kind == "url":
        document = Document(url=source.needed_text("url"))
    else:
        missing(source.place("type"), provider, f"documents of the kind {kind!r} are Anthropic's own")
    source.end(provider)
    document.name = given.text("title") or ""
    citations = given.part("citations")
    if citations is not None and citations.flag("enabled"):
        missing(given.place("citations"), provider, "it does not cite")
    return document


def _call(given: Members, provider: str) -> Part:
    # Who called is always the model here: another caller would be a tool that was refused.
    given.drop("caller")
    arguments = Raw(msgspec.json.encode(given.take("input") or {}))
    return ToolCall(original_id(given.needed_text("id")), given.needed_text("name"), arguments)


def _output(given: Members, provider: str) -> Part:
    parts = _content(given, "content", provider)
    shown: list[Shown] = [part for part in parts if isinstance(part, Text | Image | Document)]
    if len(shown) < len(parts):
        missing(given.place("content"), provider, "a tool's output is text, pictures or documents")
    call_id = original_id(given.needed_text("tool_use_id"))
    return ToolOutput(call_id, shown, failed=given.flag("is_error") is True)


def _thinking(given: Members, provider: str) -> Part:
    return Thought(given.text("thinking") or "", given.text("signature") or "")


def _redacted(given: Members, provider: str) -> Part:
    return Thought(hidden=given.text("data") or "")


_BLOCKS: Final[Mapping[str, Callable[[Members, str], Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "tool_use": _call,
    "tool_result": _output,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
}
