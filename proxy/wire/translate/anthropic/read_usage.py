"""Reads Anthropic's usage: its input excludes what was cached and written, and a stream tells it member by member."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from proxy.wire.translate.telling import Told

_NULL: Final = b"null"


class _Written(Struct, gc=False):
    ephemeral_1h_input_tokens: int | None = None


class _Made(Struct, gc=False):
    thinking_tokens: int | None = None


class _Usage(Struct, gc=False):
    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _Written | None = None
    output_tokens: int | None = None
    output_tokens_details: _Made | None = None
    service_tier: str | None = None


_USAGE: Final = msgspec.json.Decoder(_Usage)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])


def merged(before: dict[str, Raw], usage: Raw) -> dict[str, Raw]:
    """What was told before with what is told now: the last value of each member that is not null, as it was sent."""
    try:
        told = _MEMBERS.decode(usage) if usage else {}
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return before
    # Copied: a raw value keeps the whole event alive.
    return before | {name: Raw(bytes(value)) for name, value in told.items() if bytes(value) != _NULL}


def tier_of(usage: dict[str, Raw]) -> str | None:
    """The service tier among the members of a usage object."""
    value = bytes(usage.get("service_tier", Raw(b"")))
    return value[1:-1].decode("latin-1") if value[:1] == b'"' else None


def read_told(usage: bytes) -> Told:
    """What a usage object tells; nothing of one that cannot be read."""
    try:
        raw = _USAGE.decode(usage)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Told()
    cached, written = raw.cache_read_input_tokens, raw.cache_creation_input_tokens
    return Told(
        given=(raw.input_tokens or 0) + (cached or 0) + (written or 0),
        made=raw.output_tokens or 0,
        cached=cached,
        written=written,
        written_1h=None if raw.cache_creation is None else raw.cache_creation.ephemeral_1h_input_tokens,
        thought=None if raw.output_tokens_details is None else raw.output_tokens_details.thinking_tokens,
        tier=raw.service_tier,
    )
