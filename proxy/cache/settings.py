"""What flyball.yaml says about caches (DESIGN §10)."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["disabled", "shadow", "serve"]


@dataclass(frozen=True, kw_only=True)
class ExactSettings:
    """Answers to whole requests that were seen before."""

    mode: Mode = field(
        default="shadow",
        metadata={
            "doc": "`shadow` keeps no answer, only keyed hashes of requests, and writes into rows what a cache would "
            "have saved; `serve` answers from memory; `disabled` does nothing."
        },
    )
    ttl_s: int = field(default=3600, metadata={"doc": "How long an answer counts as fresh, in seconds."})
    max_mb: int = field(
        default=256,
        metadata={"doc": "What a host's workers keep in memory at most, together; a quarter of it for hashes."},
    )
    max_answer_kb: int = field(default=1024, metadata={"doc": "Larger answers are not kept."})
    price_per_hit_usd: Decimal | None = field(
        default=None, metadata={"doc": "Dollars that an answer from memory costs who asked for it; unset is nothing."}
    )


@dataclass(frozen=True, kw_only=True)
class SemanticSettings:
    """Answers to requests of the same meaning."""

    mode: Literal["disabled"] = field(
        default="disabled", metadata={"doc": "Not available in this version, so only `disabled` is taken."}
    )


@dataclass(frozen=True, kw_only=True)
class CacheOverride:
    """Another mode for some organisations and routes; the first that matches wins."""

    org: str = field(default="*", metadata={"doc": "The organisation, or a glob such as `acme-*`."})
    route: str = field(default="*", metadata={"doc": "The route by its `model`, letter by letter; `*` is every route."})
    exact: Mode | None = field(default=None, metadata={"doc": "Its mode of the exact cache; unset is the general one."})
    ttl_s: int | None = field(default=None, metadata={"doc": "Its `ttl_s`; unset is the general one."})


@dataclass(frozen=True, kw_only=True)
class CacheSettings:
    """What may be answered from memory (docs/cache.md)."""

    exact: ExactSettings = field(
        default=ExactSettings(), metadata={"doc": "Whole requests that were seen before, byte for byte."}
    )
    semantic: SemanticSettings = field(default=SemanticSettings(), metadata={"doc": "Requests of the same meaning."})
    overrides: tuple[CacheOverride, ...] = field(
        default=(), metadata={"doc": "Other modes for some organisations and routes; the first that matches wins."}
    )
