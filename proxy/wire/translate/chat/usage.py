"""Usage as chat completions tell it: cached and written tokens are part of the prompt, reasoning of the completion."""

from collections.abc import Mapping
from typing import Final

from proxy.wire.translate.members import Json
from proxy.wire.translate.telling import Finish, Told

FINISHES: Final[Mapping[Finish, str]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "context": "length",
    "tool_calls": "tool_calls",
    "filtered": "content_filter",
    "paused": "stop",
}

TIERS: Final[Mapping[str, str]] = {
    "standard": "default",
    "default": "default",
    "priority": "priority",
    "flex": "flex",
    "fast": "fast",
}
"""Service tiers by the names of OpenAI's; others are not told."""


def chat_usage(told: Told) -> dict[str, Json]:
    """The usage object; details that were not told are left out."""
    usage: dict[str, Json] = {
        "prompt_tokens": told.given,
        "completion_tokens": told.made,
        "total_tokens": told.given + told.made,
    }
    given: dict[str, Json] = {}
    if told.cached is not None:
        given["cached_tokens"] = told.cached
    if told.written is not None:
        given["cache_write_tokens"] = told.written
    if given:
        usage["prompt_tokens_details"] = given
    if told.thought is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": told.thought}
    return usage
