"""Facts about providers of the OpenAI dialect, as data: what they need to tell usage, and how their numbers nest.

Sources: providers' documentation and recorded answers. Where nothing is known of a provider, the fact is the one
that cannot break a call: no usage injection, OpenAI's arithmetic, cancel on disconnect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, Literal


class Arithmetic(StrEnum):
    """How a provider's usage numbers nest."""

    OPENAI = "openai"
    """Cached and written are parts of the prompt, reasoning is a part of the completion."""
    XAI = "xai"
    """Reasoning is not in completion_tokens: billable output is their sum."""
    GEMINI_COMPAT = "gemini_compat"
    """Thinking is missing from completion_tokens but not from the total: billable output is total minus prompt."""
    DEEPSEEK = "deepseek"
    """Cached is told as prompt_cache_hit_tokens, the rest as prompt_cache_miss_tokens."""
    OPENROUTER = "openrouter"
    """OpenAI's, and `cost`: what was charged, in USD."""
    MISTRAL = "mistral"
    """Cached may be told as num_cached_tokens."""
    GROQ = "groq"
    """OpenAI's, with times of the run beside the tokens."""
    TOP_LEVEL_CACHED = "top_level_cached"
    """Cached is told as cached_tokens at the top level of usage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What must be known of one provider.

    `hosts` are host suffixes, compared label by label; a label may hold `*`. `inject_usage`: a stream tells its
    usage only when asked by `stream_options.include_usage`, and the provider is known to take that field.
    `on_client_disconnect`: `cancel` where dropping the connection stops the bill, `drain` where the provider
    bills on regardless, so that reading to the end costs nothing more and tells the exact usage.
    """

    name: str
    hosts: tuple[str, ...] = ()
    inject_usage: bool = False
    arithmetic: Arithmetic = Arithmetic.OPENAI
    price_provider: str = ""
    on_client_disconnect: Literal["cancel", "drain"] = "cancel"


GENERIC: Final = Profile(name="openai-compatible")
"""A provider nothing is known of."""

_KNOWN: Final = (
    Profile(name="openai", hosts=("api.openai.com",), inject_usage=True, price_provider="openai"),
    Profile(
        name="azure",
        hosts=(
            "openai.azure.com",
            "openai.azure.us",
            "openai.azure.cn",
            "cognitiveservices.azure.com",
            "services.ai.azure.com",
        ),
        inject_usage=True,
        price_provider="azure",
    ),
    Profile(
        name="mistral",
        hosts=("mistral.ai",),
        arithmetic=Arithmetic.MISTRAL,
        price_provider="mistral",
        on_client_disconnect="drain",
    ),
    Profile(
        name="groq",
        hosts=("groq.com",),
        arithmetic=Arithmetic.GROQ,
        price_provider="groq",
        on_client_disconnect="drain",
    ),
    Profile(name="deepseek", hosts=("api.deepseek.com",), arithmetic=Arithmetic.DEEPSEEK, price_provider="deepseek"),
    Profile(name="openrouter", hosts=("openrouter.ai",), arithmetic=Arithmetic.OPENROUTER, price_provider="openrouter"),
    Profile(
        name="together",
        hosts=("api.together.xyz", "api.together.ai"),
        arithmetic=Arithmetic.TOP_LEVEL_CACHED,
        price_provider="together",
    ),
    Profile(
        name="huggingface",
        hosts=("huggingface.co",),
        arithmetic=Arithmetic.TOP_LEVEL_CACHED,
        price_provider="huggingface",
        on_client_disconnect="drain",
    ),
    # Where Anthropic speaks OpenAI's dialect it is a provider like others.
    Profile(name="anthropic", hosts=("api.anthropic.com",), price_provider="anthropic"),
    Profile(name="xai", hosts=("api.x.ai",), arithmetic=Arithmetic.XAI, price_provider="xai"),
    # Nothing is known of a cancelled stream's bill at z.ai: reading on never tells too little.
    Profile(name="zai", hosts=("api.z.ai",), price_provider="zai", on_client_disconnect="drain"),
    Profile(
        name="gemini",
        hosts=("generativelanguage.googleapis.com", "aiplatform.googleapis.com", "*-aiplatform.googleapis.com"),
        arithmetic=Arithmetic.GEMINI_COMPAT,
        price_provider="gemini",
        on_client_disconnect="drain",
    ),
    # A server of one's own tells usage only when asked, and has no host name to know it by: chosen by name only.
    Profile(name="vllm", inject_usage=True, price_provider="vllm"),
    Profile(name="ollama", inject_usage=True, price_provider="ollama"),
    Profile(
        name="bedrock-mantle",
        hosts=("bedrock-mantle.*.api.aws",),
        price_provider="bedrock",
        on_client_disconnect="drain",
    ),
    # Dropping the connection does not end the bill at Bedrock.
    Profile(
        name="bedrock",
        hosts=("bedrock-runtime.*.amazonaws.com", "bedrock-runtime-fips.*.amazonaws.com"),
        price_provider="bedrock",
        on_client_disconnect="drain",
    ),
    Profile(name="cohere", hosts=("api.cohere.com", "api.cohere.ai"), price_provider="cohere"),
    Profile(name="sim", inject_usage=True, price_provider="sim"),
    GENERIC,
)

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType({profile.name: profile for profile in _KNOWN})
"""Every profile by its name, as a provider's `profile:` setting may name it."""


def profile_of(host: str) -> Profile:
    """The profile of the provider at a host name (no port); an unknown host gets the generic one."""
    labels = host.lower().rstrip(".").split(".")
    for profile in _KNOWN:
        if any(_ends_with(labels, suffix.split(".")) for suffix in profile.hosts):
            return profile
    return GENERIC


def _ends_with(labels: list[str], suffix: list[str]) -> bool:
    if len(labels) < len(suffix):
        return False
    return all(fnmatchcase(label, wanted) for label, wanted in zip(labels[-len(suffix) :], suffix, strict=True))
