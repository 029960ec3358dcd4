"""Providers that need no file: their usual environment variable is enough (DESIGN §10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from proxy.core.secret import Secret
from proxy.routing import RouteSettings, TargetSettings
from proxy.upstream import ProviderSettings


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A public provider, the dialect it speaks and the model names that mean it.

    `also` is a second variable for its key. `native`: where it speaks a dialect of its own beside that, for clients of
    it: (provider's name, dialect, URL).
    """

    name: str
    variable: str
    base_url: str
    models: tuple[str, ...]
    dialect: Literal["openai", "anthropic"] = "openai"
    also: str = ""
    native: tuple[str, Literal["gemini"], str] | None = None


EXAMPLES: Final = {
    "openai": "gpt-5-mini",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
    "mistral": "mistral-small-latest",
    "deepseek": "deepseek-chat",
    "xai": "grok-4",
    "openrouter": "openai/gpt-5-mini",
}
"""A model of each provider to make a first call with."""

KNOWN: Final = (
    KnownProvider(
        "openai",
        "OPENAI_API_KEY",
        "https://api.openai.com/v1",
        ("gpt-*", "o1*", "o3*", "o4*", "chatgpt-*", "text-embedding-*", "codex-*"),
    ),
    KnownProvider("anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com", ("claude-*",), "anthropic"),
    KnownProvider(
        "gemini",
        "GEMINI_API_KEY",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("gemini-*", "gemma-*"),
        also="GOOGLE_API_KEY",
        native=("google", "gemini", "https://generativelanguage.googleapis.com"),
    ),
    KnownProvider(
        "mistral",
        "MISTRAL_API_KEY",
        "https://api.mistral.ai/v1",
        ("mistral-*", "ministral-*", "magistral-*", "codestral-*", "pixtral-*", "open-mi*"),
    ),
    KnownProvider("deepseek", "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1", ("deepseek-*",)),
    KnownProvider("xai", "XAI_API_KEY", "https://api.x.ai/v1", ("grok-*",)),
    KnownProvider("openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1", ("*/*",)),
)


def from_environment(
    environment: Mapping[str, str],
) -> tuple[dict[str, ProviderSettings], tuple[RouteSettings, ...]]:
    """Providers and routes for every known variable that is set, in the order of the list."""
    providers: dict[str, ProviderSettings] = {}
    routes: list[RouteSettings] = []
    for known in KNOWN:
        key = environment.get(known.variable, "").strip() or environment.get(known.also, "").strip()
        if not key:
            continue
        providers[known.name] = ProviderSettings(dialect=known.dialect, base_url=known.base_url, api_key=Secret(key))
        targets = [TargetSettings(provider=known.name)]
        if known.native is not None:
            name, dialect, base_url = known.native
            providers[name] = ProviderSettings(dialect=dialect, base_url=base_url, api_key=Secret(key))
            targets.append(TargetSettings(provider=name))
        routes += [RouteSettings(model=pattern, targets=tuple(targets)) for pattern in known.models]
    return providers, tuple(routes)
