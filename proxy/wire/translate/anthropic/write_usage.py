"""Usage as the Messages API tells it: input without what was cached and written."""

from collections.abc import Mapping
from typing import Final

from proxy.wire.translate.members import Json
from proxy.wire.translate.telling import Finish, Told

REASONS: Final[Mapping[Finish, str]] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "context": "model_context_window_exceeded",
    "tool_calls": "tool_use",
    "filtered": "refusal",
    "paused": "pause_turn",
}


def messages_usage(told: Told) -> dict[str, Json]:
    """The usage object; its caches are null where they were not told."""
    usage: dict[str, Json] = {
        "input_tokens": max(0, told.given - (told.cached or 0) - (told.written or 0)),
        "cache_creation_input_tokens": told.written,
        "cache_read_input_tokens": told.cached,
        "output_tokens": told.made,
    }
    if told.thought is not None:
        usage["output_tokens_details"] = {"thinking_tokens": told.thought}
    return usage
