"""What a policy may ask about a request's body: messages, tools and parameters."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

Json: TypeAlias = Any
MAX_MESSAGES: Final = 1024
MAX_TEXT_CHARS: Final = 1_048_576
MAX_PARAM_BYTES: Final = 4096


class Message(msgspec.Struct, frozen=True):
    """One message: who said it, and all its text."""

    role: str
    text: str


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """A body as policies see it.

    `tools` are the functions the caller runs, `provider_tools` the types of those that the provider runs. `params` are
    all other members of the body, those over 4 KB as null. `messages` are bounded to a million characters of text;
    `is_whole` tells whether that was all.
    """

    messages: tuple[Message, ...]
    count: int
    is_whole: bool
    tools: tuple[tuple[str, str], ...]
    provider_tools: tuple[str, ...]
    params: Mapping[str, Json]


def view_of(
    messages: Iterable[Message],
    *,
    tools: tuple[tuple[str, str], ...],
    provider_tools: tuple[str, ...],
    params: Mapping[str, Json],
) -> PolicyView:
    """What was read of a body, within the bounds that hold for rules in every dialect."""
    kept, chars, is_whole, count = [], 0, True, 0
    for message in messages:
        count += 1
        chars += len(message.text)
        if chars > MAX_TEXT_CHARS or count > MAX_MESSAGES:
            is_whole = False
        else:
            kept.append(message)
    return PolicyView(
        messages=tuple(kept),
        count=count,
        is_whole=is_whole,
        tools=tools,
        provider_tools=provider_tools,
        params={name: _bounded(value) for name, value in params.items()},
    )


def _bounded(value: Json) -> Json:
    if value is None or isinstance(value, bool | int | float):
        return value
    return value if len(msgspec.json.encode(value)) <= MAX_PARAM_BYTES else None
