"""What is asked of images, sound and moderations: read from JSON, or from a form whose bytes stay as they came.

Sources of fields and defaults: OpenAI's API reference (images, audio, moderations).
"""

from collections.abc import Mapping
from typing import Final, NoReturn

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from proxy.core.refusal import Refusal, Refused
from proxy.wire.bodies import MAX_MODEL_CHARS
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import Media, RequestFacts
from proxy.wire.members import raw_members
from proxy.wire.multipart import Form, NotAForm, boundary_of, read_form, sizes, with_field
from proxy.wire.openai.edit import with_model
from proxy.wire.openai.request import MAX_CHOICES, read_request

DEFAULT_MODERATION: Final = "omni-moderation-latest"
"""What OpenAI takes where a moderation names no model."""
FORMS: Final = frozenset(
    {Endpoint.IMAGE_EDITS, Endpoint.IMAGE_VARIATIONS, Endpoint.TRANSCRIPTIONS, Endpoint.TRANSLATIONS}
)
_IMAGES: Final = frozenset({Endpoint.IMAGES, Endpoint.IMAGE_EDITS, Endpoint.IMAGE_VARIATIONS})
_OPEN: Final = frozenset({"auto", ""})


def read_media(endpoint: Endpoint, content_type: bytes, body: bytes) -> RequestFacts:
    """The facts of a request.

    Raises:
        Refused: INVALID_REQUEST, naming the field and what to do.
    """
    if content_type.lstrip()[:10].lower() == b"multipart/":
        if endpoint not in FORMS:
            _refuse("the body must be JSON here, not a form")
        return _of_form(endpoint, content_type, body)
    if endpoint in FORMS and endpoint is not Endpoint.IMAGE_EDITS:
        _refuse("the body must be a form here: multipart/form-data")
    return _of_json(endpoint, body)


def with_media_model(body: bytes, model: str) -> bytes:
    """The body of any of these endpoints with another model's name in place; it has passed `read_media`."""
    if is_form(body):
        return with_field(read_form(boundary_of(body), body), "model", model)
    if "model" not in raw_members(body):
        at = body.index(b"{") + 1
        comma = b"" if not raw_members(body) else b","
        return body[:at] + b'"model":' + msgspec.json.encode(model) + comma + body[at:]
    return with_model(body, model)


def is_form(body: bytes) -> bool:
    """Whether a body that was read is a form."""
    return body.startswith(b"--")


def form_as_json(body: bytes) -> bytes:
    """The texts of a form as one JSON object, as rules see it."""
    form = read_form(boundary_of(body), body)
    told: dict[str, str | list[str]] = {}
    for part in form.parts:
        if part.filename is None and part.end - part.start <= 65_536:
            text = body[part.start : part.end].decode("utf-8", "replace")
            known = told.get(part.name)
            told[part.name] = text if known is None else [*(known if isinstance(known, list) else [known]), text]
    return msgspec.json.encode(told)


# forms


def _of_form(endpoint: Endpoint, content_type: bytes, body: bytes) -> RequestFacts:
    try:
        form = read_form(content_type, body)
        fields = {name: form.text(name) for name in ("model", "stream", "n", "size", "quality", "prompt", "user")}
        partials = form.text("partial_images")
    except NotAForm as error:
        _refuse(str(error))
    count = _whole("n", fields["n"], 1, MAX_CHOICES)
    streamed = _switch("stream", fields["stream"])
    media = Media(prompt=fields["prompt"] or "")
    if endpoint in _IMAGES:
        media = _images(fields, count, media, pictures=len(form.files("image", "mask")))
        media = replace(media, partials=_whole("partial_images", partials, 0, 16) if partials else 0)
    else:
        files = form.files("file")
        if len(files) != 1:
            _refuse("there must be one `file`", "file")
        media = replace(media, sound_bytes=max(1, sizes(files)))
    model = _model(fields["model"])
    return RequestFacts(model=model, streamed=streamed, choices=count, user=fields["user"], media=media)


def _switch(name: str, text: str | None) -> bool:
    told = (text or "").strip().lower()
    if told not in ("", "true", "false", "1", "0", "null"):
        _refuse(f"`{name}` must be true or false", name)
    return told in ("true", "1")


def _whole(name: str, text: str | None, least: int, most: int) -> int:
    if text is None or not text.strip() or text.strip() == "null":
        return max(1, least)
    if not text.strip().isascii() or not text.strip().isdigit() or not least <= int(text.strip()[:12]) <= most:
        _refuse(f"`{name}` must be between {least} and {most}", name)
    return int(text.strip())


def _model(model: str | None) -> str:
    if model is None:
        return ""  # only a provider that shares all it keeps is asked for its own choice
    if not model or model.isspace():
        _refuse("`model` is missing; name the model to call", "model")
    if len(model) > MAX_MODEL_CHARS or not model.isprintable():
        _refuse(f"`model` must be at most {MAX_MODEL_CHARS} printable characters", "model")
    return model


# JSON


def _of_json(endpoint: Endpoint, body: bytes) -> RequestFacts:
    if endpoint is Endpoint.MODERATIONS and body.lstrip()[:1] == b"{" and b'"model"' not in body:
        facts = read_request(endpoint, with_media_model(body, DEFAULT_MODERATION))
    else:
        facts = read_request(endpoint, body)
    members = raw_members(body)
    media = Media()
    if endpoint is Endpoint.SPEECH:
        said = _string(members, "input")
        media = Media(prompt=said + _string(members, "instructions"), characters=len(said))
        facts = replace(facts, streamed=_string(members, "stream_format") == "sse")
    elif endpoint in _IMAGES:
        media = _images_of_json(members, facts.choices)
    elif endpoint is Endpoint.MODERATIONS:
        media = Media(prompt=bytes(members.get("input", Raw(b""))).decode())
    stateful = facts.stateful or (("images.file_id",) if b'"file_id"' in bytes(members.get("images", Raw(b""))) else ())
    return replace(facts, media=media, stateful=stateful)


def _images_of_json(members: Mapping[str, Raw], count: int) -> Media:
    fields = {name: _string(members, name) for name in ("size", "quality", "prompt")}
    given = bytes(members.get("images", Raw(b"")))
    pictures = given.count(b'"image_url"') + given.count(b'"file_id"') + ("mask" in members)
    raw = bytes(members.get("partial_images", Raw(b"")))
    partials = int(raw[:6]) if raw.isdigit() else 0
    return replace(_images(fields, count, Media(prompt=fields["prompt"]), pictures=pictures), partials=partials)


def _string(members: Mapping[str, Raw], name: str) -> str:
    raw = members.get(name)
    if raw is None or bytes(raw) == b"null":
        return ""
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        _refuse(f"`{name}` must be a string", name)


def _images(fields: Mapping[str, str | None], count: int, media: Media, *, pictures: int) -> Media:
    size, quality = (fields[name] or "" for name in ("size", "quality"))
    return replace(
        media,
        images=count,
        size="" if size in _OPEN else size,
        quality="" if quality in _OPEN else quality,
        pictures=pictures,
    )


def _refuse(message: str, param: str | None = None) -> NoReturn:
    raise Refused(Refusal.INVALID_REQUEST, message, param=param)


__all__ = ["Form", "form_as_json", "is_form", "read_media", "with_media_model"]
