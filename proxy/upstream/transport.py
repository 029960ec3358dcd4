"""The door to providers: one request in, one answer out, chunk by chunk; every client behind it obeys this."""

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct, field

from proxy.upstream.headers import RawHeader
from proxy.upstream.provider import Provider


class UpstreamRequest(Struct):
    """One attempt.

    `path` begins with `/` and continues the provider's base_url; `query` is the client's, raw, without `?`. `headers`
    are the client's own that may pass (see `forwardable`): host, framing, credentials and the provider's extra headers
    are added by the transport. A streamed request asks for an unencoded answer. `method` is an HTTP method. `parts` are
    a body that is still coming, in the place of `body`; `length` is how long it will be in bytes, None where nobody
    knows.
    """

    provider: Provider
    path: str
    body: bytes
    streamed: bool = False
    query: bytes = b""
    headers: list[RawHeader] = field(default_factory=list)
    method: str = "POST"
    parts: AsyncIterator[bytes] | None = None
    length: int | None = None


class UpstreamResponse(Protocol):
    """An answer whose status and headers are in and whose body is still coming."""

    @property
    def status(self) -> int:
        """The HTTP status, 200 to 599."""
        ...

    @property
    def headers(self) -> list[RawHeader]:
        """As received, names in lower case."""
        ...

    async def chunk(self) -> bytes | None:
        """The bytes that have come, at least one, waiting only when there are none; None at the clean end.

        While nobody asks, at most 256 KB are taken from the provider; then it is made to wait.

        Raises:
            UpstreamFailed: the answer broke off (after all bytes that arrived were handed out), fell silent, took
                too long, or was aborted.
        """
        ...

    def abort(self) -> None:
        """Drop the connection at once; a waiting `chunk` fails with `aborted`. Safe at any time and repeatedly."""
        ...

    async def close(self) -> None:
        """Done with it: the connection is kept if the answer was read to its end, dropped if not."""
        ...


class Transport(Protocol):
    """Sends attempts to providers."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and wait for status and headers.

        Raises:
            UpstreamFailed: no answer; `sent` tells whether the provider may have acted. It is never sent twice. What
                `parts` raise of this kind ends the attempt, and is raised.
        """
        ...

    async def close(self) -> None:
        """Drop every connection."""
        ...
