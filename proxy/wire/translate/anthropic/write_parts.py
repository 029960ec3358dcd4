"""Writes the parts of a message as Anthropic's content blocks."""

from typing import Final

from msgspec import Raw

from proxy.wire.translate.asked import Document, Image, Part, Sound, Text, Thought, ToolCall, ToolOutput
from proxy.wire.translate.ids import plain_id
from proxy.wire.translate.members import Json, missing

FORMAT: Final = "anthropic-claude-v1"
"""Who can read the signatures of thinking that Anthropic's models sign."""
_PROVIDER: Final = "Anthropic"


def written_part(part: Part) -> Json:
    """One content block.

    Raises:
        Refused: CAPABILITY_MISSING for what has no block there.
    """
    if isinstance(part, Text):
        return cached({"type": "text", "text": part.text}, part.cache)
    if isinstance(part, ToolCall):
        call: dict[str, Json] = {"type": "tool_use", "id": plain_id(part.id), "name": part.name}
        call["input"] = raw(part.arguments)
        return cached(call, part.cache)
    if isinstance(part, ToolOutput):
        return _output(part)
    if isinstance(part, Thought):
        return _thought(part)
    return _shown(part)


def _shown(part: Image | Document | Sound) -> Json:
    if isinstance(part, Image):
        return cached({"type": "image", "source": _source(part.media_type, part.data, part.url)}, part.cache)
    if isinstance(part, Sound):
        missing(part.at, _PROVIDER, "its models hear no sound")
    return _document(part)


def _document(part: Document) -> Json:
    if part.text:
        source: Json = {"type": "text", "media_type": "text/plain", "data": part.text}
    elif part.url or part.media_type == "application/pdf":
        source = _source(part.media_type, part.data, part.url)
    else:
        missing(part.at, _PROVIDER, f"it reads PDF and plain text, not {part.media_type!r}")
    block: dict[str, Json] = {"type": "document", "source": source}
    if part.name:
        block["title"] = part.name
    return cached(block, part.cache)


def _source(media_type: str, data: str, url: str) -> Json:
    return {"type": "url", "url": url} if url else {"type": "base64", "media_type": media_type, "data": data}


def _output(part: ToolOutput) -> Json:
    block: dict[str, Json] = {"type": "tool_result", "tool_use_id": plain_id(part.id)}
    only = part.parts[0] if len(part.parts) == 1 else None
    if isinstance(only, Text) and not only.cache:
        block["content"] = only.text
    elif part.parts:
        block["content"] = [written_part(each) for each in part.parts]
    if part.failed:
        block["is_error"] = True
    return cached(block, part.cache)


def _thought(part: Thought) -> Json:
    if part.hidden:
        return {"type": "redacted_thinking", "data": part.hidden}
    return {"type": "thinking", "thinking": part.text, "signature": part.seal}


def cached(block: dict[str, Json], seconds: int) -> Json:
    """The block with the mark that asks to cache up to it, if it is asked for."""
    if seconds:
        block["cache_control"] = {"type": "ephemeral", "ttl": "1h"} if seconds > 300 else {"type": "ephemeral"}
    return block


def raw(value: Raw) -> Json:
    """JSON that is written as it came."""
    return value  # type: ignore[return-value]
