"""Writes the parts of a message as Converse's content blocks."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from proxy.wire.translate.asked import Document, Image, Part, Sound, Text, Thought, ToolCall, ToolOutput
from proxy.wire.translate.ids import plain_id
from proxy.wire.translate.members import Json, missing

PROVIDER: Final = "Bedrock"
FORMAT: Final = "bedrock-converse-v1"
"""Who can read the signatures of thinking that come from Bedrock."""
_PICTURES: Final = frozenset({"png", "jpeg", "gif", "webp"})
_SOUNDS: Final = frozenset({"mp3", "opus", "wav", "aac", "flac", "pcm"})
_DOCUMENTS: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9\s()\[\]-]+|\s{2,}")


def written_parts(parts: list[Part]) -> list[Json]:
    """The blocks of a message.

    Raises:
        Refused: CAPABILITY_MISSING for what has no block there.
    """
    written: list[Json] = []
    for part in parts:
        if isinstance(part, Thought):
            written += _thought(part)
            continue
        if isinstance(part, ToolCall):
            written.append({"toolUse": {"toolUseId": plain_id(part.id), "name": part.name, "input": _raw(part)}})
        elif isinstance(part, ToolOutput):
            written.append({"toolResult": _output(part)})
        elif not isinstance(part, Text) or part.text:
            written.append(_shown(part))
        written += cache_point(0 if isinstance(part, Sound) else part.cache)
    return written


def cache_point(seconds: int) -> list[Json]:
    """The block that asks to cache up to it, if it is asked for."""
    if not seconds:
        return []
    return [{"cachePoint": {"type": "default", "ttl": "1h"} if seconds > 300 else {"type": "default"}}]


def _output(part: ToolOutput) -> Json:
    return {
        "toolUseId": plain_id(part.id),
        "content": [_shown(each) for each in part.parts],
        "status": "error" if part.failed else "success",
    }


def _thought(part: Thought) -> list[Json]:
    if part.form != FORMAT:
        return []
    if part.hidden:
        return [{"reasoningContent": {"redactedContent": part.hidden}}]
    return [{"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.seal}}}]


def _shown(part: Text | Image | Document | Sound) -> Json:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Image):
        return {"image": _seen(part)}
    if isinstance(part, Sound):
        if part.form not in _SOUNDS:
            missing(part.at, PROVIDER, f"it hears {', '.join(sorted(_SOUNDS))}, not {part.form!r}")
        return {"audio": {"format": part.form, "source": {"bytes": part.data}}}
    form = _DOCUMENTS.get(part.media_type)
    if form is None:
        missing(part.at, PROVIDER, f"it does not read {part.media_type!r}")
    name = _NOT_IN_NAMES.sub(" ", part.name.rpartition(".")[0] or part.name).strip() or "document"
    return {"document": {"format": form, "name": name, "source": {"bytes": part.data}}}


def _seen(part: Image) -> Json:
    form = part.media_type.removeprefix("image/").replace("jpg", "jpeg")
    if part.url:
        missing(part.at, PROVIDER, "it does not fetch pictures; send their bytes")
    if form not in _PICTURES:
        missing(part.at, PROVIDER, f"it sees {', '.join(sorted(_PICTURES))}, not {part.media_type!r}")
    return {"format": form, "source": {"bytes": part.data}}


def _raw(part: ToolCall) -> Json:
    value: Raw = part.arguments
    return value  # type: ignore[return-value]
