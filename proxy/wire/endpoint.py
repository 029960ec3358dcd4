"""The endpoints: those that are read, and those whose calls are carried as they are."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Final


class Endpoint(StrEnum):
    """One endpoint; the values stand in the `endpoint` column of a row."""

    CHAT = "chat.completions"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    REALTIME = "realtime"
    FILES = "files"
    UPLOADS = "uploads"
    BATCHES = "batches"
    STORED_RESPONSES = "responses.stored"
    STORED_CHATS = "chat.completions.stored"
    CONVERSATIONS = "conversations"
    VECTOR_STORES = "vector_stores"
    CONTAINERS = "containers"
    FINE_TUNING = "fine_tuning"
    EVALS = "evals"
    ASSISTANTS = "assistants"
    THREADS = "threads"
    VIDEOS = "videos"
    PASSTHROUGH = "passthrough"
    MESSAGES = "messages"
    COUNT_TOKENS = "messages.count_tokens"
    GENERATE_CONTENT = "gemini.generate_content"
    GENERATE_CONTENT_LIST = "gemini.generate_content_list"
    EMBED_CONTENT = "gemini.embed_content"
    BATCH_EMBED_CONTENTS = "gemini.batch_embed_contents"
    GEMINI_COUNT_TOKENS = "gemini.count_tokens"
    MODERATIONS = "moderations"
    IMAGES = "images.generations"
    IMAGE_EDITS = "images.edits"
    IMAGE_VARIATIONS = "images.variations"
    SPEECH = "audio.speech"
    TRANSCRIPTIONS = "audio.transcriptions"
    TRANSLATIONS = "audio.translations"
    CONVERSE = "bedrock.converse"
    INVOKE = "bedrock.invoke"

    @cached_property
    def dialect(self) -> str:
        """The name of the dialect it belongs to."""
        return _DIALECTS.get(self, "openai")

    @cached_property
    def has_output(self) -> bool:
        """Whether its answers are made of output tokens."""
        return self not in _WITHOUT_OUTPUT and self not in CARRIED

    @cached_property
    def is_carried(self) -> bool:
        """Whether its calls are carried as they are: they name what a provider keeps, and no prompt."""
        return self in CARRIED

    @cached_property
    def is_free(self) -> bool:
        """Whether its provider charges nothing for it: nothing is held, and the row costs zero."""
        return self in _FREE

    @cached_property
    def takes_pings(self) -> bool:
        """Whether something may be put between the events of its streams that every client passes over."""
        return self is not Endpoint.GENERATE_CONTENT_LIST

    @cached_property
    def is_media(self) -> bool:
        """Whether it is of images, sound or moderations, where tokens may not be the unit."""
        return self in MEDIA

    @cached_property
    def takes_stream_options(self) -> bool:
        """Whether `stream_options.include_usage` belongs in its requests."""
        return self in (Endpoint.CHAT, Endpoint.COMPLETIONS)


CARRIED: Final = frozenset(
    {
        Endpoint.FILES,
        Endpoint.UPLOADS,
        Endpoint.BATCHES,
        Endpoint.STORED_RESPONSES,
        Endpoint.STORED_CHATS,
        Endpoint.CONVERSATIONS,
        Endpoint.VECTOR_STORES,
        Endpoint.CONTAINERS,
        Endpoint.FINE_TUNING,
        Endpoint.EVALS,
        Endpoint.ASSISTANTS,
        Endpoint.THREADS,
        Endpoint.VIDEOS,
        Endpoint.PASSTHROUGH,
    }
)
"""What is not read as a prompt: objects that a provider keeps, and what nobody here knows."""
_DIALECTS: Final[Mapping[Endpoint, str]] = MappingProxyType(
    {
        Endpoint.MESSAGES: "anthropic",
        Endpoint.COUNT_TOKENS: "anthropic",
        Endpoint.GENERATE_CONTENT: "gemini",
        Endpoint.GENERATE_CONTENT_LIST: "gemini",
        Endpoint.EMBED_CONTENT: "gemini",
        Endpoint.BATCH_EMBED_CONTENTS: "gemini",
        Endpoint.GEMINI_COUNT_TOKENS: "gemini",
        Endpoint.CONVERSE: "bedrock",
        Endpoint.INVOKE: "bedrock",
    }
)
"""Those of other dialects than OpenAI's."""
_FREE: Final = frozenset({Endpoint.COUNT_TOKENS, Endpoint.GEMINI_COUNT_TOKENS})
IMAGES: Final = frozenset({Endpoint.IMAGES, Endpoint.IMAGE_EDITS, Endpoint.IMAGE_VARIATIONS})
MEDIA: Final = IMAGES | {Endpoint.MODERATIONS, Endpoint.SPEECH, Endpoint.TRANSCRIPTIONS, Endpoint.TRANSLATIONS}
_WITHOUT_OUTPUT: Final = MEDIA | _FREE | {Endpoint.EMBEDDINGS, Endpoint.EMBED_CONTENT, Endpoint.BATCH_EMBED_CONTENTS}
ONE_WINDOW: Final = frozenset(
    {
        Endpoint.CHAT,
        Endpoint.RESPONSES,
        Endpoint.MESSAGES,
        Endpoint.GENERATE_CONTENT,
        Endpoint.GENERATE_CONTENT_LIST,
        Endpoint.CONVERSE,
    }
)
"""Where all input goes into one window of the model; elsewhere each of many inputs has one of its own."""

PATHS: Final[Mapping[str, Endpoint]] = MappingProxyType(
    {
        "/chat/completions": Endpoint.CHAT,
        "/completions": Endpoint.COMPLETIONS,
        "/responses": Endpoint.RESPONSES,
        "/embeddings": Endpoint.EMBEDDINGS,
        "/moderations": Endpoint.MODERATIONS,
        "/images/generations": Endpoint.IMAGES,
        "/images/edits": Endpoint.IMAGE_EDITS,
        "/images/variations": Endpoint.IMAGE_VARIATIONS,
        "/audio/speech": Endpoint.SPEECH,
        "/audio/transcriptions": Endpoint.TRANSCRIPTIONS,
        "/audio/translations": Endpoint.TRANSLATIONS,
    }
)
"""Path of the OpenAI dialect under a base URL (`…/v1`) → endpoint."""
