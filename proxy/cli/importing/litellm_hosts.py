"""Where LiteLLM's providers are: the prefix of a model's name → address, dialect and the variable that holds the key.

Sources, as of Nov 2026: each provider's own documentation for its address; LiteLLM's provider pages for prefixes and
variables. A prefix without an address is a server of one's own, named by `api_base`.
"""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """One provider. `path` is put behind an `api_base` that does not have it; `extra` are settings of the provider."""

    name: str
    base_url: str = ""
    key_env: str = ""
    dialect: str = "openai"
    path: str = ""
    extra: tuple[tuple[str, str], ...] = field(default=())


_ALL: Final = (
    Host(name="openai", base_url="https://api.openai.com/v1", key_env="OPENAI_API_KEY"),
    Host(name="azure", key_env="AZURE_API_KEY", path="/openai/v1", extra=(("profile", "azure"),)),
    Host(name="gemini", base_url="https://generativelanguage.googleapis.com/v1beta/openai", key_env="GEMINI_API_KEY"),
    Host(name="anthropic", base_url="https://api.anthropic.com", key_env="ANTHROPIC_API_KEY", dialect="anthropic"),
    Host(name="mistral", base_url="https://api.mistral.ai/v1", key_env="MISTRAL_API_KEY"),
    Host(name="groq", base_url="https://api.groq.com/openai/v1", key_env="GROQ_API_KEY"),
    Host(name="deepseek", base_url="https://api.deepseek.com/v1", key_env="DEEPSEEK_API_KEY"),
    Host(name="xai", base_url="https://api.x.ai/v1", key_env="XAI_API_KEY"),
    Host(name="openrouter", base_url="https://openrouter.ai/api/v1", key_env="OPENROUTER_API_KEY"),
    Host(name="together_ai", base_url="https://api.together.xyz/v1", key_env="TOGETHERAI_API_KEY"),
    Host(name="fireworks_ai", base_url="https://api.fireworks.ai/inference/v1", key_env="FIREWORKS_AI_API_KEY"),
    Host(name="perplexity", base_url="https://api.perplexity.ai", key_env="PERPLEXITYAI_API_KEY"),
    Host(name="cerebras", base_url="https://api.cerebras.ai/v1", key_env="CEREBRAS_API_KEY"),
    Host(name="sambanova", base_url="https://api.sambanova.ai/v1", key_env="SAMBANOVA_API_KEY"),
    Host(name="nvidia_nim", base_url="https://integrate.api.nvidia.com/v1", key_env="NVIDIA_NIM_API_KEY"),
    Host(name="deepinfra", base_url="https://api.deepinfra.com/v1/openai", key_env="DEEPINFRA_API_KEY"),
    Host(name="moonshot", base_url="https://api.moonshot.ai/v1", key_env="MOONSHOT_API_KEY"),
    Host(name="zai", base_url="https://api.z.ai/api/paas/v4", key_env="ZAI_API_KEY"),
    Host(name="huggingface", base_url="https://router.huggingface.co/v1", key_env="HF_TOKEN"),
    Host(name="hosted_vllm", key_env="HOSTED_VLLM_API_KEY", extra=(("profile", "vllm"),)),
    Host(name="vllm", key_env="HOSTED_VLLM_API_KEY", extra=(("profile", "vllm"),)),
    Host(name="lm_studio", key_env="LM_STUDIO_API_KEY"),
    Host(name="llamafile", base_url="http://127.0.0.1:8080/v1"),
    Host(name="ollama", base_url="http://127.0.0.1:11434/v1", path="/v1", extra=(("profile", "ollama"),)),
    Host(name="ollama_chat", base_url="http://127.0.0.1:11434/v1", path="/v1", extra=(("profile", "ollama"),)),
    Host(name="custom_openai", key_env="OPENAI_API_KEY"),
    Host(name="openai_like", key_env="OPENAI_LIKE_API_KEY"),
)
HOSTS: Final = MappingProxyType({host.name: host for host in _ALL})
_UNPREFIXED: Final = (
    (("gpt-", "o1", "o3", "o4", "chatgpt-", "text-embedding-", "codex-"), "openai"),
    (("claude-",), "anthropic"),
    (("deepseek-",), "deepseek"),
    (("mistral-", "ministral-", "codestral-", "magistral-"), "mistral"),
)


def host_of(model: str, custom: str = "") -> tuple[Host | None, str]:
    """The provider of a LiteLLM model name and the name that it knows the model by; None for one we do not know.

    `custom` is `custom_llm_provider`, which stands for the prefix.
    """
    prefix, slash, rest = model.partition("/")
    if custom:
        return HOSTS.get(custom), rest if slash and prefix == custom else model
    if slash and prefix in HOSTS:
        return HOSTS[prefix], rest
    for beginnings, name in _UNPREFIXED:
        if not slash and model.startswith(beginnings):
            return HOSTS[name], model
    return None, model
