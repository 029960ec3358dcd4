"""What a whole answer of images, sound or moderations tells."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from proxy.wire.facts import UnaryFacts

MOST_ERROR_BYTES: Final = 64 * 1024


class _Answer(Struct, gc=False):
    model: str | None = None
    usage: Raw = Raw(b"")
    data: list[Raw] | None = None
    error: Raw = Raw(b"")
    duration: Raw = Raw(b"")


_decode: Final = msgspec.json.Decoder(_Answer).decode


def read_media_response(body: bytes) -> UnaryFacts:
    """The facts of an inflated answer; sound, subtitles and plain text have none."""
    if body.lstrip()[:1] != b"{":
        return UnaryFacts()
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return UnaryFacts()
    facts = UnaryFacts(model=answer.model, made=len(answer.data or ()))
    usage = bytes(answer.usage)
    if usage[:1] == b"{" and len(usage) > 2:
        facts.raw_usage = usage
    elif bytes(answer.duration):
        # `verbose_json` of a model that is charged by time tells how long it was.
        facts.raw_usage = b'{"seconds":%b}' % bytes(answer.duration).strip(b'"')
    error = bytes(answer.error)
    if error not in (b"", b"null"):
        facts.is_error, facts.error = True, error[:MOST_ERROR_BYTES]
    return facts
