"""What an error means by its status alone, and how the provider's own is kept beside its translation."""

from collections.abc import Mapping
from typing import Final

import msgspec

from proxy.wire.translate.telling import Failure, Kind

__all__ = ["Kind", "kind_of_status", "original_of", "unreadable"]

_MOST_ORIGINAL: Final = 64 * 1024
_KINDS: Final[Mapping[int, Kind]] = {
    400: "invalid",
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    422: "invalid",
    424: "server",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}


def kind_of_status(status: int) -> Kind:
    """What an HTTP status means where the body says no more."""
    return _KINDS.get(status, "invalid" if 400 <= status < 500 else "server")


def original_of(body: bytes) -> bytes:
    """The provider's error as JSON: as it came but in one line, for it may stand in an event; or where it is none, as a
    string; at most 64 KB of it."""
    if len(body) <= _MOST_ORIGINAL:
        try:
            msgspec.json.decode(body)
            return body.strip().replace(b"\r", b" ").replace(b"\n", b" ")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    return msgspec.json.encode(body[:_MOST_ORIGINAL].decode("utf-8", "replace"))


def unreadable(what: bytes) -> Failure:
    """An answer, or an event of it, that is not of the provider's dialect."""
    return Failure("server", "The provider's answer could not be read.", original_of(what[:1024]))
