"""What a request is known by in a cache: all of it that a provider is told, and where it would go."""

from functools import lru_cache
from typing import Final

from proxy.journey.state import Journey
from proxy.wire.endpoint import Endpoint

CACHEABLE: Final = frozenset(
    {
        Endpoint.CHAT,
        Endpoint.COMPLETIONS,
        Endpoint.RESPONSES,
        Endpoint.EMBEDDINGS,
        Endpoint.MESSAGES,
        Endpoint.GENERATE_CONTENT,
        Endpoint.GENERATE_CONTENT_LIST,
        Endpoint.EMBED_CONTENT,
        Endpoint.BATCH_EMBED_CONTENTS,
        Endpoint.CONVERSE,
        Endpoint.INVOKE,
    }
)
"""Endpoints whose answers depend on the request alone."""
_FAMILIES: Final = (b"openai-", b"anthropic-", b"x-amzn-bedrock-")
_ACCEPT: Final = b"accept"
_USUAL: Final = frozenset(
    {
        b"host", b"authorization", b"content-type", b"content-length", b"user-agent", b"accept-encoding", b"connection",
        b"x-api-key", b"x-stainless-lang", b"x-stainless-package-version", b"x-stainless-os", b"x-stainless-arch",
        b"x-stainless-runtime", b"x-stainless-runtime-version", b"x-stainless-async", b"x-stainless-retry-count",
        b"x-stainless-read-timeout", b"x-stainless-helper-method",
    }
)  # fmt: skip
"""What nearly every call has and no answer depends on: passed over without a closer look."""


def cache_key(journey: Journey) -> bytes:
    """32 bytes for the request as it would be sent now: path, query, headers that change an answer, and the body."""
    return journey.snapshot.caching.key(journey.principal.org, head_of(journey), journey.body)


def head_of(journey: Journey) -> bytes:
    """All of a request beside its body that may change its answer."""
    call, resolution = journey.call, journey.resolution
    route = "" if resolution is None else resolution.route
    head = _head(call.endpoint, call.dialect.name, call.method, journey.model, route, call.path, call.query)
    said = [pair for pair in call.raw_headers if pair[0] not in _USUAL and _matters(pair[0])]
    forwarded = _forwarded(journey)
    if forwarded:
        said += [pair for pair in call.raw_headers if pair[0] in forwarded]
    return head + repr(said).encode() if said else head


def _matters(name: bytes) -> bool:
    return name == _ACCEPT or name.startswith(_FAMILIES)


def _forwarded(journey: Journey) -> frozenset[bytes]:
    """The headers that a target is sent beside the usual ones, as its settings name them."""
    found: frozenset[bytes] = frozenset()
    if journey.resolution is not None:
        providers = journey.snapshot.providers
        for each in journey.resolution.candidates:
            more = providers[each.provider].forward_headers
            if more:
                found |= more
    return found


@lru_cache(maxsize=4096)
def _head(*parts: object) -> bytes:
    return repr(parts).encode()
