"""The endpoints of the OpenAI dialect that are read: each has a request, a stream and an answer of its own shape."""

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

    @property
    def has_output(self) -> bool:
        """Whether its answers are made of output tokens."""
        return self is not Endpoint.EMBEDDINGS

    @property
    def takes_stream_options(self) -> bool:
        """Whether `stream_options.include_usage` belongs in its requests."""
        return self in (Endpoint.CHAT, Endpoint.COMPLETIONS)


PATHS: Final[Mapping[str, Endpoint]] = MappingProxyType(
    {
        "/chat/completions": Endpoint.CHAT,
        "/completions": Endpoint.COMPLETIONS,
        "/responses": Endpoint.RESPONSES,
        "/embeddings": Endpoint.EMBEDDINGS,
    }
)
"""Path under a base URL (`…/v1`) → endpoint."""
