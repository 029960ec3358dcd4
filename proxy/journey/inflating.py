"""Answers that come content-encoded, though streams ask for none: what can be read of them."""

from proxy.upstream import UpstreamResponse
from proxy.wire.encoding import Inflater


def inflater_of(response: UpstreamResponse) -> Inflater | None:
    """The inflater of an encoded answer; None for one that comes as it is."""
    for name, value in response.headers:
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            return Inflater(value.decode("latin-1"))
    return None


def inflated(response: UpstreamResponse, whole: bytes) -> bytes:
    """A whole answer as it reads; empty when it cannot be read."""
    inflater = inflater_of(response)
    if inflater is None:
        return whole
    body = inflater.feed(whole)
    return b"" if inflater.broken or inflater.overflow else body
