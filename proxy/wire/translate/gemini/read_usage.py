"""Reads Google's usage: thinking is not among the candidates' tokens, and what tools used is input of its own."""

from typing import Final

import msgspec
from msgspec import Struct

from proxy.wire.translate.telling import Told


class _Usage(Struct, gc=False):
    promptTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    thoughtsTokenCount: int | None = None
    toolUsePromptTokenCount: int | None = None
    serviceTier: str | None = None
    trafficType: str | None = None


_USAGE: Final = msgspec.json.Decoder(_Usage)


def read_content_told(usage: bytes) -> Told:
    """What a usage object tells; nothing of one that cannot be read."""
    try:
        raw = _USAGE.decode(usage)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Told()
    return Told(
        given=(raw.promptTokenCount or 0) + (raw.toolUsePromptTokenCount or 0),
        made=(raw.candidatesTokenCount or 0) + (raw.thoughtsTokenCount or 0),
        cached=raw.cachedContentTokenCount,
        thought=raw.thoughtsTokenCount,
        tier=raw.serviceTier or raw.trafficType,
    )
