"""One client call as the edge hands it over, and the way its answer goes back."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol, TypeAlias

import msgspec

from proxy.wire.dialect import Dialect
from proxy.wire.endpoint import Endpoint

Headers: TypeAlias = list[tuple[bytes, bytes]]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A client's request before its body is read.

    `path` is what follows a provider's base URL (`/chat/completions`), `query` the raw query string, `secret` the key
    as the client sent it. `received_ns` is monotonic, `arrived_ns` wall-clock. `deployment` is the model that the
    client's path named, which goes before the one in its body; empty where paths name none.
    """

    operation: str
    dialect: Dialect
    endpoint: Endpoint
    path: str
    query: bytes
    raw_headers: Headers
    headers: Mapping[bytes, bytes]
    secret: str
    received_ns: int
    arrived_ns: int
    method: str = "POST"
    deployment: str = ""


class Exchange(Protocol):
    """The client's end of a call: its body comes in, the answer goes out, and it may hang up at any time."""

    started: bool

    async def body(self) -> bytes:
        """The whole request body.

        Raises:
            Refused: REQUEST_TOO_LARGE over the configured bytes, INVALID_REQUEST when the client hangs up half-way.
        """
        ...

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status line and headers."""
        ...

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer; `headers` tell the body's length."""
        ...

    def write(self, chunk: bytes) -> bool:
        """Send a part of the body if the client takes it at once; false, with nothing done, where `send` must wait."""
        ...

    async def send(self, chunk: bytes) -> None:
        """Send a part of the body; waits while the client reads more slowly than we write."""
        ...

    async def finish(self, chunk: bytes = b"") -> None:
        """Send the last part of the body."""
        ...

    def gone(self) -> bool:
        """Whether the client has hung up."""
        ...

    def watch(self, when_gone: Callable[[], None]) -> None:
        """Call this once when the client hangs up, instead of what was to be called before; after the body was read."""
        ...


class UploadExchange(Exchange, Protocol):
    """A client's end of a call whose body may be a file."""

    def parts(self) -> AsyncIterator[bytes]:
        """The request body as it comes, in the place of `body`, for files: it may be as large as uploads may be.

        Raises:
            Refused: REQUEST_TOO_LARGE over the configured bytes, INVALID_REQUEST when the client hangs up half-way.
        """
        ...
