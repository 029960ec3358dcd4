"""The door of translation: what a pair of dialects makes of one call, and of its answer."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from msgspec import Struct

Header: TypeAlias = tuple[bytes, bytes]


class Unreadable(Exception):
    """A whole answer that is not of its provider's dialect: nothing of it can be told to the client."""


class Context(Struct, frozen=True, kw_only=True):
    """What a translation needs to know beside the request.

    `model` is what the provider calls the model. `most_output` is the most output tokens the model makes, None where
    that is not known. `at_s` is the time of the call, Unix seconds. `answer_id` is for answers whose provider gives
    them none. `limit_name` is what chats call their output limit there; `asks_usage`, whether streams tell their usage
    only where they are asked.
    """

    model: str
    at_s: int
    most_output: int | None = None
    answer_id: str = ""
    limit_name: str = "max_tokens"
    asks_usage: bool = False


class TranslatedRequest(Struct):
    """A request in the provider's dialect; `path` continues its base URL. `headers` are the dialect's own."""

    path: str
    query: bytes
    body: bytes
    headers: list[Header]


class Metered(Struct):
    """What is metered of an answer: the provider's own usage object, its members as they were sent, and in its own
    words the tier that served it and why it ended."""

    usage: bytes | None = None
    service_tier: str | None = None
    finish: str = ""


class TranslatedAnswer(Struct):
    """An answer in one piece, or an error, in the client's dialect."""

    body: bytes
    metered: Metered


class TranslatedStream(Protocol):
    """A stream on its way from the provider's dialect to the client's."""

    def feed(self, chunk: bytes) -> bytes:
        """What these bytes of the provider's make in the client's dialect: whole events, perhaps none."""
        ...

    def close(self) -> bytes:
        """What is left to be said when the provider's bytes are over."""
        ...

    def metered(self) -> Metered:
        """What is metered of it so far."""
        ...


class TranslatedCall(Protocol):
    """One call between two dialects: it is asked once, and its answer read once, whole or as a stream."""

    request: TranslatedRequest

    def answer(self, status: int, body: bytes) -> TranslatedAnswer:
        """A whole answer, inflated, or an error.

        Raises:
            Unreadable: it is none of the provider's dialect.
        """
        ...

    def stream(self) -> TranslatedStream:
        """The answer as a stream."""
        ...

    def headers(self, headers: list[Header], *, streamed: bool) -> list[Header]:
        """The headers of the provider's answer, as the client gets them."""
        ...


Translation: TypeAlias = Callable[[bytes, Context], TranslatedCall]
"""Translates one request body; raises Refused, CAPABILITY_MISSING naming a field that cannot be carried."""
