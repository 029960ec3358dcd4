"""What an answer says of our caches: `x-flyball-cache-status`, and `cache-status` as RFC 9211 has it."""

from typing import Final

from proxy.journey.caching.looked import Looked
from proxy.journey.call import Headers

_FORWARDED: Final = {"miss": b"uri-miss", "no_cache": b"request", "repeat": b"request"}
"""Why a call was sent on, in the RFC's words; everything else is a bypass."""
_S: Final = 1_000_000_000


def cache_headers(looked: Looked) -> Headers:
    """Both headers, where a cache serves."""
    answer = looked.answer
    if answer is not None:
        ttl_s = max(0, (answer.until_ns - answer.made_ns) // _S - looked.age_s)
        kind = b"semantic; similarity=%.3f" % looked.similarity if looked.similarity else b"exact"
        detail = b'flyball; hit; ttl=%d; key="%s"; detail=%s' % (ttl_s, answer.entry.encode(), kind)
        return [(b"x-flyball-cache-status", b"hit"), (b"cache-status", detail)]
    forwarded = _FORWARDED.get(looked.why or looked.status, b"bypass")
    detail = b"flyball; fwd=%s" % forwarded
    if looked.why:
        detail += b"; detail=%s" % looked.why.encode()
    return [(b"x-flyball-cache-status", looked.status.encode()), (b"cache-status", detail)]
