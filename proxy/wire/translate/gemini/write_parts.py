"""Writes the parts of a turn as Google's generateContent has them."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec import Raw

from proxy.wire.translate.asked import Document, Image, Part, Sound, Text, Thought, ToolCall, ToolOutput
from proxy.wire.translate.ids import is_made
from proxy.wire.translate.members import Json, invalid, missing

PROVIDER: Final = "Google"
FORMAT: Final = "google-gemini-v1"
"""Who can read the signatures of Gemini's thinking."""
_NO_SEAL: Final = "skip_thought_signature_validator"
"""What Google's documentation gives for calls whose signature is not there, because another model made them."""
_TYPES: Final[Mapping[str, str]] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "pdf": "application/pdf",
}


def written_parts(parts: list[Part], *, needs_seals: bool) -> list[Json]:
    """The parts of a turn; `needs_seals`: the model refuses calls that come back without a signature.

    Raises:
        Refused: CAPABILITY_MISSING for what has no part there.
    """
    written: list[Json] = []
    sealed = not needs_seals
    for part in parts:
        if isinstance(part, Thought):
            if part.hidden and part.form == FORMAT:
                written.append({"text": "", "thoughtSignature": part.hidden})
        elif isinstance(part, ToolCall):
            # Of parallel calls only the first has one.
            written.append(_call(part, "" if sealed else _NO_SEAL))
            sealed = True
        elif isinstance(part, ToolOutput):
            written.append(_output(part))
        elif not isinstance(part, Text) or part.text:
            written.append(_shown(part))
    return written


def _call(part: ToolCall, seal: str) -> Json:
    call: dict[str, Json] = {"name": part.name, "args": _raw(part.arguments)}
    if not is_made(part.id):
        call["id"] = part.id
    written: dict[str, Json] = {"functionCall": call}
    if part.seal or seal:
        written["thoughtSignature"] = part.seal or seal
    return written


def _output(part: ToolOutput) -> Json:
    if not part.name:
        invalid(f"{part.at}.tool_call_id", "names a call that no message before it makes")
    texts = [each.text for each in part.parts if isinstance(each, Text)]
    if len(texts) < len(part.parts):
        missing(f"{part.at}.content", PROVIDER, "what comes of a call is text there")
    output: dict[str, Json] = {"name": part.name, "response": {"error" if part.failed else "output": "".join(texts)}}
    if not is_made(part.id):
        output["id"] = part.id
    return {"functionResponse": output}


def _shown(part: Text | Image | Document | Sound) -> Json:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Sound):
        return {"inlineData": {"mimeType": f"audio/{part.form}", "data": part.data}}
    if part.url:
        return {"fileData": {"mimeType": _type_of(part.url, part.at), "fileUri": part.url}}
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}


def _type_of(url: str, at: str) -> str:
    ending = urlsplit(url).path.rpartition(".")[2].lower()
    if ending not in _TYPES:
        missing(at, PROVIDER, "it must be told what is at an address, and this one does not end in a known type")
    return _TYPES[ending]


def _raw(value: Raw) -> Json:
    return value  # type: ignore[return-value]
