"""What flyball.yaml says about caches (DESIGN §10)."""

import importlib.util
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from proxy.cache.semantic import SemanticMode, SemanticSettings, semantic_problems
from proxy.core.money import NotMoney, exact_usd
from proxy.core.secret import Secret

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
    url: str | Secret | None = field(
        default=None,
        repr=False,
        metadata={
            "doc": "Unset keeps answers in each worker's memory. A Redis (redis://host:6379, rediss://…, unix:///path; "
            "not a cluster) keeps them for all workers and hosts that name it and have the same body-key and "
            "configuration; its `maxmemory` bounds them. One with a password stands in url_env or url_file."
        },
    )
    max_answer_kb: int = field(default=1024, metadata={"doc": "Larger answers are not kept."})
    price_per_hit_usd: Decimal | None = field(
        default=None, metadata={"doc": "Dollars that an answer from memory costs who asked for it; unset is nothing."}
    )

    @property
    def redis(self) -> Secret | None:
        """The URL of the Redis that answers are kept in; None for memory."""
        return Secret(self.url) if isinstance(self.url, str) else self.url


@dataclass(frozen=True, kw_only=True)
class CacheOverride:
    """Another mode for some organisations and routes; the first that matches wins."""

    org: str = field(default="*", metadata={"doc": "The organisation, or a glob such as `acme-*`."})
    route: str = field(default="*", metadata={"doc": "The route by its `model`, letter by letter; `*` is every route."})
    exact: Mode | None = field(default=None, metadata={"doc": "Its mode of the exact cache; unset is the general one."})
    ttl_s: int | None = field(default=None, metadata={"doc": "Its `ttl_s`; unset is the general one."})
    semantic: SemanticMode | None = field(
        default=None, metadata={"doc": "Its mode of the semantic cache; unset is the general one."}
    )


@dataclass(frozen=True, kw_only=True)
class CacheSettings:
    """What may be answered from memory (docs/cache.md)."""

    exact: ExactSettings = field(
        default=ExactSettings(), metadata={"doc": "Whole requests that were seen before, byte for byte."}
    )
    semantic: SemanticSettings = field(
        default=SemanticSettings(), metadata={"doc": "Questions of the same meaning; needs `flyball[semantic]`."}
    )
    overrides: tuple[CacheOverride, ...] = field(
        default=(), metadata={"doc": "Other modes for some organisations and routes; the first that matches wins."}
    )

    @property
    def is_semantic(self) -> bool:
        """Whether any organisation and route has a semantic cache."""
        modes = (self.semantic.mode, *(each.semantic for each in self.overrides))
        return any(mode not in (None, "disabled") for mode in modes)


def cache_problems(settings: CacheSettings, providers: Container[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the settings, each with its key below `cache`."""
    yield from _exact_problems(settings.exact)
    for number, each in enumerate(settings.overrides):
        if each.ttl_s is not None and each.ttl_s < 0:
            yield f"overrides[{number}].ttl_s", f"must not be negative; it is {each.ttl_s}"
    embedder = settings.semantic.embedder
    if embedder is not None and embedder.provider not in providers:
        yield "semantic.embedder.provider", f"names {embedder.provider!r}, which is not among providers"
    yield from semantic_problems(settings.semantic, is_on=settings.is_semantic)
    exact, semantic = settings.exact.mode, settings.semantic.mode
    if semantic == "serve" and exact != "serve":
        yield "semantic.mode", "needs exact.mode: serve too, which keeps the answers"
    for at, each in enumerate(settings.overrides):
        if (each.semantic or semantic) == "serve" and (each.exact or exact) != "serve" and semantic != "serve":
            yield f"overrides[{at}].semantic", "needs exact: serve too, which keeps the answers"


def _exact_problems(exact: ExactSettings) -> Iterator[tuple[str, str]]:
    """Never repeats the URL: it may have a password in it."""
    for name, least in (("ttl_s", 0), ("max_mb", 1), ("max_answer_kb", 1)):
        if getattr(exact, name) < least:
            yield f"exact.{name}", f"must be {least} or more; it is {getattr(exact, name)}"
    if exact.price_per_hit_usd is not None:
        try:
            if exact_usd(exact.price_per_hit_usd) < 0:
                yield "exact.price_per_hit_usd", f"must not be negative; it is {exact.price_per_hit_usd}"
        except NotMoney as error:
            yield "exact.price_per_hit_usd", f"cannot be paid: {error}"
    if exact.redis is None:
        return
    parts = urlsplit(exact.redis.reveal())
    if parts.scheme not in ("redis", "rediss", "unix"):
        yield "exact.url", "must begin with redis://, rediss:// or unix://"
    elif isinstance(exact.url, str) and (parts.password or "password" in parts.query):
        yield "exact.url", "has a password in it, which must not stand in a file; use url_env or url_file"
    elif importlib.util.find_spec("redis") is None:
        yield "exact.url", "needs the `redis` package: install flyball[redis]"
