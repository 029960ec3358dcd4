"""Ends a Gemini stream that we cut because its money ran out: one last chunk, in the words of the stream itself.

`finishReason: MAX_TOKENS` is true here: the answer was ended by a limit.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.facts import Cut

_IDENTITY: Final = ("modelVersion", "responseId", "createTime")


def cut_ending(first: bytes, candidates: Sequence[int], cut: Cut) -> bytes:
    """The chunk that ends these candidates; `first` is the stream's first chunk, whose names it repeats."""
    told = _members(first)
    chunk: dict[str, object] = {
        "candidates": [
            {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "MAX_TOKENS", "index": index}
            for index in candidates
        ],
        "usageMetadata": {
            "promptTokenCount": cut.input_tokens,
            "candidatesTokenCount": cut.output_tokens,
            "totalTokenCount": cut.input_tokens + cut.output_tokens,
        },
        **{name: told[name] for name in _IDENTITY if name in told},
        "flyball": dict(cut.flyball),
    }
    return msgspec.json.encode(chunk)


def _members(data: bytes) -> dict[str, Raw]:
    try:
        return msgspec.json.decode(data, type=dict[str, Raw]) if data else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
