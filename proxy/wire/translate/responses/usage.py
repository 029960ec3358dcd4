"""Usage as responses tell it: cached and written tokens are part of the input, reasoning of the output."""

from proxy.wire.translate.members import Json
from proxy.wire.translate.telling import Told


def response_usage(told: Told) -> dict[str, Json]:
    """The usage object; the endpoint's types want all details, so that one that was not told is 0."""
    return {
        "input_tokens": told.given,
        "input_tokens_details": {"cached_tokens": told.cached or 0, "cache_write_tokens": told.written or 0},
        "output_tokens": told.made,
        "output_tokens_details": {"reasoning_tokens": told.thought or 0},
        "total_tokens": told.given + told.made,
    }
