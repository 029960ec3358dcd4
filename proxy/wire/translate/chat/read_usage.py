"""Reads usage as chat completions tell it, for a client of another dialect; what is billed is read elsewhere."""

from typing import Final

import msgspec
from msgspec import Struct

from proxy.wire.translate.telling import Told


class _Given(Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Made(Struct, gc=False):
    reasoning_tokens: int | None = None


class _Usage(Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Given | None = None
    completion_tokens_details: _Made | None = None
    prompt_cache_hit_tokens: int | None = None


_USAGE: Final = msgspec.json.Decoder(_Usage)


def read_chat_told(usage: bytes) -> Told:
    """What a usage object tells; nothing of one that cannot be read."""
    try:
        raw = _USAGE.decode(usage)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Told()
    given = raw.prompt_tokens_details or _Given()
    cached = given.cached_tokens if given.cached_tokens is not None else raw.prompt_cache_hit_tokens
    return Told(
        given=raw.prompt_tokens or 0,
        made=raw.completion_tokens or 0,
        cached=cached,
        written=given.cache_write_tokens,
        thought=None if raw.completion_tokens_details is None else raw.completion_tokens_details.reasoning_tokens,
    )
