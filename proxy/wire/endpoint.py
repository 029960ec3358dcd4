"""The endpoints that are read: each has a request, a stream and an answer of its own shape."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Endpoint(StrEnum):
    """One endpoint; the values stand in the `endpoint` column of a row."""

    CHAT = "chat.completions"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    REALTIME = "realtime"
    MESSAGES = "messages"
    COUNT_TOKENS = "messages.count_tokens"

    @property
    def dialect(self) -> str:
        """The name of the dialect it belongs to."""
        return _DIALECTS.get(self, "openai")

    @property
    def has_output(self) -> bool:
        """Whether its answers are made of output tokens."""
        return self not in _WITHOUT_OUTPUT

    @property
    def is_free(self) -> bool:
        """Whether providers charge nothing for it."""
        return self in _FREE

    @property
    def takes_stream_options(self) -> bool:
        """Whether `stream_options.include_usage` belongs in its requests."""
        return self in (Endpoint.CHAT, Endpoint.COMPLETIONS)


_DIALECTS: Final[Mapping[Endpoint, str]] = MappingProxyType(
    {
        Endpoint.MESSAGES: "anthropic",
        Endpoint.COUNT_TOKENS: "anthropic",
    }
)
"""Those of other dialects than OpenAI's."""
_WITHOUT_OUTPUT: Final = frozenset({Endpoint.EMBEDDINGS, Endpoint.COUNT_TOKENS})
_FREE: Final = frozenset({Endpoint.COUNT_TOKENS})
ONE_WINDOW: Final = frozenset({Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES})
"""Where all input goes into one window of the model; elsewhere each of many inputs has one of its own."""

PATHS: Final[Mapping[str, Endpoint]] = MappingProxyType(
    {
        "/chat/completions": Endpoint.CHAT,
        "/completions": Endpoint.COMPLETIONS,
        "/responses": Endpoint.RESPONSES,
        "/embeddings": Endpoint.EMBEDDINGS,
    }
)
"""Path of the OpenAI dialect under a base URL (`…/v1`) → endpoint."""
