"""What a policy may ask about a request's body: messages, tools and parameters."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

Json: TypeAlias = Any


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
