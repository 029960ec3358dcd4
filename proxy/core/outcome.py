"""How an operation or an attempt ended."""

from enum import StrEnum


class Outcome(StrEnum):
    """The one word a row carries for how it ended (DESIGN §5); a mid-stream error is never `ok`."""

    OK = "ok"
    CACHED = "cached"
    CANCELLED = "cancelled"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    UPSTREAM_ERROR = "upstream_error"
    LOST = "lost"


class Purpose(StrEnum):
    """Why an attempt was made; every one but `serve` is charged to the org's overhead account."""

    SERVE = "serve"
    RETRY = "retry"
    HEDGE = "hedge"
    SHADOW = "shadow"
    CACHE_EMBED = "cache_embed"
    CACHE_AUDIT = "cache_audit"
    JUDGE = "judge"
    DRAIN = "drain"
