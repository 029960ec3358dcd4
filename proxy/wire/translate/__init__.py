"""Translation between dialects, pair by pair: complete, or refused by name; nothing is silently dropped."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.translate import (
    anthropic_openai,
    openai_anthropic,
    openai_bedrock,
    openai_cohere,
    openai_gemini,
    openai_ollama,
    responses_chat,
)
from proxy.wire.translate.pair import Pair
from proxy.wire.translate.translated import Context, Metered, TranslatedCall, TranslatedStream, Translation, Unreadable

__all__ = [
    "PAIRS",
    "Context",
    "Metered",
    "TranslatedCall",
    "TranslatedStream",
    "Unreadable",
    "is_reached",
    "translation_of",
]

PAIRS: Final[Mapping[tuple[str, str], Pair]] = MappingProxyType(
    {
        ("chat.completions", "anthropic"): openai_anthropic.PAIR,
        ("chat.completions", "gemini"): openai_gemini.PAIR,
        ("chat.completions", "bedrock"): openai_bedrock.PAIR,
        ("chat.completions", "cohere"): openai_cohere.PAIR,
        ("chat.completions", "ollama"): openai_ollama.PAIR,
        ("messages", "openai"): anthropic_openai.PAIR,
        ("responses", "openai"): responses_chat.PAIR,
    }
)
"""Endpoint that a client calls and dialect that a provider speaks → what joins the two."""

_REACHED: Final = frozenset((Endpoint(endpoint).dialect, dialect) for endpoint, dialect in PAIRS)
_TRANSLATIONS: Final[Mapping[tuple[str, str], Translation]] = {key: pair.translation() for key, pair in PAIRS.items()}


def translation_of(endpoint: str, provider_dialect: str) -> Translation | None:
    """The translation of an endpoint's calls to a dialect; None where there is none."""
    return _TRANSLATIONS.get((endpoint, provider_dialect))


def is_reached(client_dialect: str, provider_dialect: str) -> bool:
    """Whether a client of the one dialect can ask a provider of the other at all: at some endpoint, if not at each."""
    return client_dialect == provider_dialect or (client_dialect, provider_dialect) in _REACHED
