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
_FORWARDED_FAMILIES: Final = (b"openai-", b"anthropic-", b"x-stainless-")

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

_NOT_RELAYED: Final = _HOP_BY_HOP | {b"set-cookie", b"set-cookie2", b"alt-svc", b"server"}
_OURS: Final = b"x-flyball-"
_PLAIN_CONNECTION: Final = frozenset({b"keep-alive", b"close", b""})
_NOTHING: Final[frozenset[bytes]] = frozenset()


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


def forwardable(headers: Iterable[RawHeader], provider: HeaderRules) -> list[RawHeader]:
    """Those of a client's headers that go to the provider, in order. Names must be lower-case, as ASGI has them."""
    headers = list(headers)
    extra, replaced, named = provider.forward_headers, provider.extra_headers, _named_by_connection(headers)
    return [
        # An answer in an encoding that cannot be read here would tell its usage to nobody.
        (name, readable(value) if name == b"accept-encoding" else value)
        for name, value in headers
        if (name in _FORWARDED or name in extra or name.startswith(_FORWARDED_FAMILIES))
        and name not in named
        and not (replaced and name.decode("latin-1") in replaced)
    ]


def relayable(headers: Iterable[RawHeader]) -> list[RawHeader]:
    """Those of a provider's headers that go to the client, in their order. Names must be lower-case."""
    headers = list(headers)
    named = _named_by_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if name not in _NOT_RELAYED and not name.startswith(_OURS) and name not in named
    ]


def _named_by_connection(headers: list[RawHeader]) -> frozenset[bytes]:
    """Headers that `Connection` declares to be of this hop only."""
    named: set[bytes] | None = None
    for name, value in headers:
        if name == b"connection" and value.lower() not in _PLAIN_CONNECTION:
            named = named or set()
            named.update(token.strip().lower() for token in value.split(b","))
    return frozenset(named) if named else _NOTHING
