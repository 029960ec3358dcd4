"""What a client says of caches in `cache-control` (RFC 9111 §5.2.1)."""

from functools import lru_cache
from typing import Final

from msgspec import Struct


class CacheControl(Struct, frozen=True):
    """The directives that are understood; others are passed over. `max_age` in seconds, None where none is said."""

    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: int | None = None


NOTHING_SAID: Final = CacheControl()
_LONGEST_S: Final = 2**31


@lru_cache(maxsize=256)
def read_cache_control(value: bytes) -> CacheControl:
    """The directives of a header's value; a `max-age` that is no number counts as 0, so that nothing old is given."""
    found: dict[bytes, bytes] = {}
    for part in value.lower().split(b","):
        name, _, argument = part.partition(b"=")
        found[name.strip()] = argument.strip().strip(b'"')
    age = found.get(b"max-age")
    seconds = None if age is None else (min(int(age), _LONGEST_S) if age.isdigit() else 0)
    return CacheControl(b"no-store" in found, b"no-cache" in found, b"only-if-cached" in found, seconds)
