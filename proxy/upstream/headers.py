"""Which headers pass (DESIGN §4): those of a list towards the provider, all but a few towards the client."""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol, TypeAlias

from proxy.wire.encoding import readable

RawHeader: TypeAlias = tuple[bytes, bytes]

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"trailers",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110 §7.6.1 and the names older software uses: they speak of one connection, never of the call."""

_FORWARDED: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"content-type",
        b"content-encoding",
        b"user-agent",
        b"idempotency-key",
        b"traceparent",
        b"tracestate",
    }
)
_FORWARDED_FAMILIES: Final = (b"openai-", b"anthropic-", b"x-stainless-", b"x-amzn-bedrock-")

NEVER_FORWARDED: Final = _HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"expect",
    b"authorization",
    b"cookie",
    b"x-api-key",
    b"api-key",
    b"x-goog-api-key",
}
"""What a setting cannot let through either: framing is the connection's, credentials are made anew."""

_CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
_NOT_RELAYED: Final = _HOP_BY_HOP | {b"set-cookie", b"set-cookie2", b"alt-svc", b"server"}
_OURS: Final = b"x-flyball-"
_PLAIN_CONNECTION: Final = frozenset({b"keep-alive", b"close", b""})
_NOTHING: Final[frozenset[bytes]] = frozenset()
_CONNECTION: Final = b"connection"
_ACCEPT_ENCODING: Final = b"accept-encoding"


class HeaderRules(Protocol):
    """What a provider's settings say about headers."""

    @property
    def forward_headers(self) -> frozenset[bytes]:
        """Client headers passed on beside the usual ones, lower-case."""
        ...

    @property
    def extra_headers(self) -> Mapping[str, str]:
        """Headers that every request to the provider carries; they replace the client's."""
        ...

    @property
    def passes_credentials(self) -> bool:
        """Whether the client's own credential is sent on; its key for Flyball never is."""
        ...


def forwardable(headers: Iterable[RawHeader], provider: HeaderRules) -> list[RawHeader]:
    """Those of a client's headers that go to the provider, in order. Names must be lower-case, as ASGI has them."""
    extra, replaced = provider.forward_headers, provider.extra_headers
    passing, named = [], _NOTHING
    for pair in headers:
        name = pair[0]
        if name in _FORWARDED or name.startswith(_FORWARDED_FAMILIES) or name in extra:
            # An answer in an encoding that cannot be read here would tell its usage to nobody.
            passing.append((name, readable(pair[1])) if name == _ACCEPT_ENCODING else pair)
        elif name == _CONNECTION:
            named |= _named(pair[1])
        elif name in _CREDENTIALS and provider.passes_credentials:
            passing.append(pair)
    if named or replaced:
        return [pair for pair in passing if pair[0] not in named and pair[0].decode("latin-1") not in replaced]
    return passing


def relayable(headers: Iterable[RawHeader]) -> list[RawHeader]:
    """Those of a provider's headers that go to the client, in their order. Names must be lower-case."""
    passing, named = [], _NOTHING
    for pair in headers:
        name = pair[0]
        if name == _CONNECTION:
            named |= _named(pair[1])
        elif name not in _NOT_RELAYED and not name.startswith(_OURS):
            passing.append(pair)
    return [pair for pair in passing if pair[0] not in named] if named else passing


def _named(connection: bytes) -> frozenset[bytes]:
    """Headers that a `Connection` declares to be of this hop only."""
    if connection.lower() in _PLAIN_CONNECTION:
        return _NOTHING
    return frozenset([token.strip().lower() for token in connection.split(b",")])
