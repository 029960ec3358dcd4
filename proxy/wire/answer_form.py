"""Whether a whole answer is the JSON that its request asked for, whichever dialect it is in."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

_JSON: Final = frozenset({"json_object", "json_schema"})


def asks_for_json(body: bytes) -> bool:
    """Whether a request wants its answer as JSON: of a chat, a response, a message, or Google's."""
    try:
        request = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    if not isinstance(request, dict):
        return False
    config = _object(request.get("generationConfig"))
    forms = (
        _object(request.get("response_format")),
        _object(_object(request.get("text")).get("format")),
        _object(request.get("output_format")),
        _object(_object(request.get("output_config")).get("format")),
    )
    return config.get("responseMimeType") == "application/json" or any(form.get("type") in _JSON for form in forms)


def is_asked_form(body: bytes) -> bool:
    """Whether what the model wrote is JSON; true where it wrote nothing, or nothing can be read of it.

    Answers of several choices are not looked at: each would have to be.
    """
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True
    text = "".join(_written(answer)) if isinstance(answer, dict) else ""
    if not text:
        return True
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return False
    return True


def _written(answer: dict[str, Any]) -> Iterator[str]:
    """The text of an answer, without what the model thought: of a chat, a response, a message, or Google's."""
    choices = _listed(answer.get("choices"))
    if len(choices) == 1:
        yield from _texts([choices[0].get("message")], "content")
    for item in _listed(answer.get("output")):
        yield from _texts(_listed(item.get("content")), "text")
    yield from _texts(_listed(answer.get("content")), "text")
    candidates = _listed(answer.get("candidates"))
    if len(candidates) == 1 and isinstance(content := candidates[0].get("content"), dict):
        yield from _texts([part for part in _listed(content.get("parts")) if not part.get("thought")], "text")


def _texts(parts: list[Any], name: str) -> Iterator[str]:
    for part in parts:
        text = part.get(name) if isinstance(part, dict) else None
        if isinstance(text, str):
            yield text


def _listed(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
