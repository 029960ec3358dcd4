"""Our own rate limits in the words of the IETF draft `draft-ietf-httpapi-ratelimit-headers` (structured fields).

`x-ratelimit-*` are left alone: they are the provider's, about its own limits.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from proxy.budget import HoldLine, Unit
from proxy.journey.call import Headers

NS: Final = 1_000_000_000
_QUOTA_UNITS: Final = {Unit.SLOTS: "concurrent-requests", Unit.REQUESTS: ""}
"""The draft's word for what a quota counts; requests are its default, and for tokens it has none: ours is `tokens`."""
_DAY_S: Final = 86_400


def limit_headers(standing: Iterable[tuple[HoldLine, int]], now_ns: int) -> Headers:
    """`ratelimit-policy` and `ratelimit` of limits, each with what is left of it; nothing for none."""
    policies, limits = [], []
    for line, left in standing:
        policies.append(_policy(line.name, line.limit, line.unit, line.window, line.counted_from, line.resets_at_ns))
        reset = "" if line.resets_at_ns is None else f";t={max(0, -(-(line.resets_at_ns - now_ns) // NS))}"
        limits.append(f'"{line.name}";r={max(0, left)}{reset}')
    if not limits:
        return []
    return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(limits).encode())]


@lru_cache(maxsize=1024)
def _policy(name: str, limit: int, unit: Unit, window: str, oldest: str | None, ends_ns: int | None) -> str:
    quota_unit = _QUOTA_UNITS.get(unit, "tokens")
    length_s = _length_s(window, oldest, ends_ns)
    return "".join(
        (
            f'"{name}";q={limit}',
            f';qu="{quota_unit}"' if quota_unit else "",
            f";w={length_s}" if length_s else "",
        )
    )


def _length_s(window: str, oldest: str | None, ends_ns: int | None) -> int:
    """A window's length in seconds, by its name; 0 where it has none, or none that is always the same."""
    if oldest is not None:
        return _began_s(window) - _began_s(oldest)
    if ends_ns is None:
        return 0
    if "T" in window:
        return ends_ns // NS - _began_s(window)
    return _DAY_S if len(window) == len("2026-11-20") else 0


def _began_s(window: str) -> int:
    """When a window began that is named by that; to the minute or to the second."""
    text = window.removesuffix("Z")
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
