"""Where a client's key may stand (DESIGN §3): each SDK has its own header."""

from collections.abc import Mapping

OWN_HEADER = b"x-flyball-key"
BARE_HEADERS = (b"api-key", b"x-api-key", b"x-goog-api-key")


def secret_of(headers: Mapping[bytes, bytes]) -> str:
    """The client's secret, empty when it sent none; `x-flyball-key` wins over what an SDK sends by itself."""
    if own := headers.get(OWN_HEADER):
        return _text(own)
    if authorization := headers.get(b"authorization"):
        scheme, _, rest = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            return _text(rest)
    for name in BARE_HEADERS:
        if bare := headers.get(name):
            return _text(bare)
    return ""


def _text(raw: bytes) -> str:
    return raw.strip().decode("latin-1")
