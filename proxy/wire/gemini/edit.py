"""Changes a Gemini request in place: the model in its path, its output limit; every other byte stays."""

from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.endpoint import Endpoint
from proxy.wire.gemini.names import Members, decoded
from proxy.wire.gemini.paths import with_model
from proxy.wire.members import begins

_CONFIG: Final = "generationConfig"
_LIMIT: Final = "maxOutputTokens"
_FORMS: Final = ("responseSchema", "responseJsonSchema", "_responseJsonSchema", "responseFormat")
_MODEL_PREFIX: Final = "models/"


def retarget(path: str, body: bytes, model: str) -> tuple[str, bytes]:
    """Path and body for another model. A body names it too where it asks for several embeddings, or counts a request.

    `path` and `body` have passed `read_request`.
    """
    named = with_model(path, model)
    return (path, body) if named == path else (named, _with_models(body, model))


def _with_models(body: bytes, model: str) -> bytes:
    members = Members(body)
    if "model" in members.written:
        members = Members(members.with_value("model", _named(members, model)))
    requests = members.get("requests")
    if requests is not None and begins(requests, b"["):
        parts = msgspec.json.decode(requests, type=list[Raw])
        changed = [_with_models(bytes(part), model) if begins(part, b"{") else bytes(part) for part in parts]
        return members.with_value("requests", b"[%b]" % b",".join(changed))
    nested = members.object("generateContentRequest")
    if nested is not None:
        return members.with_value("generateContentRequest", _with_models(nested.body, model))
    return members.body


def _named(members: Members, model: str) -> bytes:
    """A model as the client has written its own: with what stands before it."""
    given = members.get("model")
    name = None if given is None else decoded(given)
    prefix = name[: name.rfind(_MODEL_PREFIX) + len(_MODEL_PREFIX)] if isinstance(name, str) and "/" in name else ""
    return msgspec.json.encode(prefix + model)


def with_output_limit(endpoint: Endpoint, body: bytes, limit: int, *, new_name: str) -> bytes:
    """The body with no output limit above this one. `new_name` is not used: the dialect has one name for it."""
    members = Members(body)
    config = members.object(_CONFIG)
    if config is None:
        return members.with_value(_CONFIG, b'{"%b":%d}' % (_LIMIT.encode(), limit))
    given = config.get(_LIMIT)
    value = None if given is None else decoded(given)
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, int | float) and 0 < value <= limit:
        return body
    return members.with_value(_CONFIG, config.with_value(_LIMIT, b"%d" % limit))


def asks_for_form(body: bytes) -> bool:
    """Whether the answer must have a form (JSON, a schema, sound, an image), so that half of it is worth nothing."""
    config = Members(body).object(_CONFIG)
    if config is None:
        return False
    if any(config.get(name) is not None for name in _FORMS):
        return True
    media = config.get("responseMimeType")
    modalities = config.get("responseModalities")
    return (media is not None and decoded(media) != "text/plain") or (
        modalities is not None and decoded(modalities) not in ([], ["TEXT"])
    )
