"""The endpoints of the OpenAI dialect that Flyball reads: each has a request, a stream and an answer of its own shape."""

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


PATHS: Final[Mapping[str, Endpoint]] = MappingProxyType(
    {
        "/chat/completions": Endpoint.CHAT,
        "/completions": Endpoint.COMPLETIONS,
        "/responses": Endpoint.RESPONSES,
        "/embeddings": Endpoint.EMBEDDINGS,
    }
)
"""Path under a base URL (`…/v1`) → endpoint."""
