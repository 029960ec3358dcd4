"""What a provider's error means, where many say the same in words of their own: a closed list, for rows.

Sources: providers' error references and recorded errors.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

ErrorKind: TypeAlias = Literal[
    "rate_limited", "overloaded", "server_error", "timeout", "context_length", "content_filter", "request"
]
"""What is to be made of an error that is told in words alone; `request`: the request's own, wherever it is sent."""

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

_KINDS: Final[Mapping[str, ErrorKind]] = {
    **dict.fromkeys(("overloaded_error", "overloaded", "server_is_overloaded", "slow_down"), "overloaded"),
    **dict.fromkeys(("UNAVAILABLE", "ServiceUnavailableException", "ModelNotReadyException"), "overloaded"),
    **dict.fromkeys(("rate_limit_error", "rate_limit_exceeded", "insufficient_quota"), "rate_limited"),
    **dict.fromkeys(("RESOURCE_EXHAUSTED", "ThrottlingException", "throttlingException"), "rate_limited"),
    **dict.fromkeys(("timeout_error", "DEADLINE_EXCEEDED", "ModelTimeoutException"), "timeout"),
    **dict.fromkeys(("invalid_request_error", "INVALID_ARGUMENT", "ValidationException"), "request"),
    **dict.fromkeys(("authentication_error", "permission_error", "not_found_error", "billing_error"), "request"),
}
"""By type, code or status: OpenAI and its clones, Anthropic, Google, Bedrock."""
_SPENT: Final = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "project_spend_limit_exceeded",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
    }
)
"""Sent with 429, and the same however often one asks."""


def kind_of_error(error: bytes) -> ErrorKind:
    """What an error's body or error object is of, where no status says so; one that says nothing is the server's."""
    meaning = meaning_of(error)
    if meaning == CONTEXT_LENGTH:
        return "context_length"
    if meaning == CONTENT_FILTER:
        return "content_filter"
    for told in _objects(_read(error)):
        for word in (told.get("code"), told.get("type"), told.get("status")):
            found = _KINDS.get(word) if isinstance(word, str) else None
            if found is not None:
                return found
            number = _status(word)
            if number is not None:
                return kind_of_status(number)
    return "server_error"


def kind_of_status(status: int) -> ErrorKind:
    """What an error is of by its HTTP status alone."""
    if status == 429:
        return "rate_limited"
    if status == 529:
        return "overloaded"
    if status in (408, 504):
        return "timeout"
    return "server_error" if status >= 500 else "request"


def is_spent(error: bytes) -> bool:
    """Whether an error's body says that our account there has no money left: waiting changes nothing."""
    for told in _objects(_read(error)):
        details = told.get("details")
        inner = details.get("error_code") if isinstance(details, dict) else None
        if any(isinstance(word, str) and word in _SPENT for word in (told.get("code"), told.get("type"), inner)):
            return True
    return False


def _status(word: object) -> int | None:
    """A word that is a status: some providers write theirs as a string."""
    if isinstance(word, str) and word.isdigit():
        word = int(word)
    return word if isinstance(word, int) and not isinstance(word, bool) and 400 <= word <= 599 else None


def meaning_of(error: bytes) -> str | None:
    """What an error's body or error object says, if it is on the list."""
    for told in _objects(_read(error)):
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


def _read(error: bytes) -> Any:
    try:
        return msgspec.json.decode(error[:_MOST_READ])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The error object, wrapped as each dialect wraps it: bare, under `error`, in an array of one."""
    if isinstance(value, list) and value:
        value = value[0]
    for _ in range(3):
        if not isinstance(value, dict):
            return
        yield value
        value = value.get("error") or value.get("innererror")
