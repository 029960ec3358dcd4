"""What a provider's error means, where many say the same in words of their own: a closed list, for rows.

Sources: providers' error references and recorded errors.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

CONTEXT_LENGTH: Final = "context_length"
"""The prompt, or prompt and answer, are longer than the model's window."""
CONTENT_FILTER: Final = "content_filter"
"""The provider would not take the prompt, or not go on with the answer, for what they say."""

_MOST_READ: Final = 64 * 1024
_CODES: Final[Mapping[str, str]] = {
    "context_length_exceeded": CONTEXT_LENGTH,  # OpenAI, Azure, OpenRouter
    "model_max_prompt_tokens_exceeded": CONTEXT_LENGTH,
    "content_filter": CONTENT_FILTER,  # Azure
    "content_policy_violation": CONTENT_FILTER,  # OpenAI's images
    "ResponsibleAIPolicyViolation": CONTENT_FILTER,
}
_SAID: Final = (
    (re.compile(r"prompt is too long: \d+ tokens"), CONTEXT_LENGTH),  # Anthropic
    (re.compile(r"maximum context length"), CONTEXT_LENGTH),  # OpenAI and its clones, vLLM
    (re.compile(r"input token count .{0,40}exceeds the maximum number of tokens"), CONTEXT_LENGTH),  # Gemini
    (re.compile(r"[Ii]nput is too long"), CONTEXT_LENGTH),  # Bedrock
)
_REASONS: Final[Mapping[str, str]] = {
    "refusal": CONTENT_FILTER,
    "model_context_window_exceeded": CONTEXT_LENGTH,
    **dict.fromkeys(("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY"), CONTENT_FILTER),
}
"""Anthropic's reasons to stop that are no ends of an answer; Google's, by which prompts are blocked, too."""


def meaning_of(error: bytes) -> str | None:
    """What an error's body or error object says, if it is on the list."""
    try:
        value = msgspec.json.decode(error[:_MOST_READ])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    for told in _objects(value):
        code = told.get("code")
        if isinstance(code, str) and code in _CODES:
            return _CODES[code]
        message = told.get("message")
        if isinstance(message, str):
            found = next((meaning for pattern, meaning in _SAID if pattern.search(message[:2000])), None)
            if found is not None:
                return found
    return None


def meaning_of_end(finish_reason: str | None) -> str | None:
    """What an answer ended for, if that is on the list."""
    return None if finish_reason is None else _REASONS.get(finish_reason)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The error object, wrapped as each dialect wraps it: bare, under `error`, in an array of one."""
    if isinstance(value, list) and value:
        value = value[0]
    for _ in range(3):
        if not isinstance(value, dict):
            return
        yield value
        value = value.get("error") or value.get("innererror")
