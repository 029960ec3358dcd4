"""That a cache was asked for the answer to a call, and what came of it."""

from msgspec import Struct

from proxy.cache import CachedAnswer, CacheRule, Flight
from proxy.core.money import ZERO, Nano
from proxy.wire.cache_control import NOTHING_SAID, CacheControl


class Looked(Struct):
    """By which key and with which body a cache was asked, and what came of it for the row.

    `key` is empty where the call is kept from caches. `status` is what the row says, `why` why it was a bypass.
    """

    key: bytes
    body: bytes
    rule: CacheRule
    serves: bool = False
    """Whether the cache answers, rather than only watching."""
    is_known: bool = False
    """Whether a cache that only watches would have had an answer."""
    control: CacheControl = NOTHING_SAID
    status: str = ""
    why: str = ""
    answer: CachedAnswer | None = None
    """What the call is answered with."""
    flight: Flight | None = None
    """Where others wait for the answer to this call."""
    age_s: int = 0
    similarity: float = 0.0
    """How alike the question is to the one whose answer is given; 0 where the request is the same."""
    would_save: Nano = ZERO
