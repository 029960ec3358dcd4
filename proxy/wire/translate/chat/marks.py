"""Reads the marks up to which a client asks its provider to cache a prompt."""

from typing import Final

from proxy.wire.translate.members import Members, invalid

_MARKS: Final[tuple[tuple[str, dict[str | None, int]], ...]] = (
    ("prompt_cache_breakpoint", {None: 300, "30m": 3600, "12h": 3600}),
    ("cache_control", {None: 300, "5m": 300, "1h": 3600}),
)
"""OpenAI's, and Anthropic's that clients send in chat requests too, with the seconds to keep what is cached."""


def cache_mark(given: Members, provider: str) -> int:
    """For how many seconds the provider is asked to cache up to here; 0 for no mark."""
    for name, times in _MARKS:
        mark = given.part(name)
        if mark is None:
            continue
        mark.drop("mode", "type")
        ttl = mark.text("ttl")
        mark.end(provider)
        if ttl not in times:
            invalid(f"{given.place(name)}.ttl", f"must be one of {', '.join(key for key in times if key)}")
        return times[ttl]
    return 0
