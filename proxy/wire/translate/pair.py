"""Joins the two sides of a pair: the client's dialect read and written, the provider's written and read."""

from collections.abc import Callable
from typing import Final, Protocol

from msgspec import Struct

from proxy.wire.translate.asked import Asked
from proxy.wire.translate.telling import Failure, Writer
from proxy.wire.translate.translated import (
    Context,
    Header,
    Metered,
    TranslatedAnswer,
    TranslatedCall,
    TranslatedRequest,
    Translation,
    Unreadable,
)
from proxy.wire.translate.treatment import Treatments

_OF_THE_BYTES: Final = frozenset(
    {b"content-encoding", b"content-length", b"content-type", b"content-md5", b"digest", b"etag"}
)
_REQUEST_IDS: Final = (b"x-request-id", b"request-id", b"x-amzn-requestid")


class WholeWriter(Writer, Protocol):
    """Writes an answer in one piece; `body` is it once it is over."""

    body: bytes
    failed: bool


class StreamWriter(Writer, Protocol):
    """Writes an answer as events; `out` is what there is to send."""

    out: list[bytes]


class StreamReader(Protocol):
    """Reads a provider's stream and tells it to a writer."""

    def feed(self, chunk: bytes) -> None:
        """Tell what these bytes make whole."""
        ...

    def close(self) -> None:
        """Tell what is left at the end."""
        ...

    def metered(self) -> Metered:
        """What is metered of it so far."""
        ...


class Pair(Struct, frozen=True, kw_only=True):
    """The sides of one pair. `fields` says what becomes of each field of the client's request; `id_header` is where
    the client's SDKs look for the id of a request."""

    fields: Treatments
    read_request: Callable[[bytes], Asked]
    write_request: Callable[[Asked, Context], TranslatedRequest]
    read_whole: Callable[[bytes, Writer, Context], Metered]
    read_stream: Callable[[Writer, Context], StreamReader]
    read_error: Callable[[bytes, int], Failure]
    write_whole: Callable[[Asked, Context], WholeWriter]
    write_stream: Callable[[Asked, Context], StreamWriter]
    write_error: Callable[[Failure], bytes]
    id_header: bytes

    def translation(self) -> Translation:
        """The pair as a translation of calls."""

        def translate(body: bytes, context: Context) -> TranslatedCall:
            return _Call(self, body, context)

        return translate


class _Call:
    """One call between the two dialects of a pair."""

    def __init__(self, pair: Pair, body: bytes, context: Context) -> None:
        self._pair = pair
        self._context = context
        self._asked = pair.read_request(body)
        self.request = pair.write_request(self._asked, context)

    def answer(self, status: int, body: bytes) -> TranslatedAnswer:
        """See TranslatedCall."""
        pair = self._pair
        if status >= 400:
            return TranslatedAnswer(pair.write_error(pair.read_error(body, status)), Metered())
        writer = pair.write_whole(self._asked, self._context)
        metered = pair.read_whole(body, writer, self._context)
        if writer.failed:
            raise Unreadable("the answer is not of the provider's dialect")
        return TranslatedAnswer(writer.body, metered)

    def stream(self) -> "_Stream":
        """See TranslatedCall."""
        writer = self._pair.write_stream(self._asked, self._context)
        return _Stream(self._pair.read_stream(writer, self._context), writer)

    def headers(self, headers: list[Header], *, streamed: bool) -> list[Header]:
        """See TranslatedCall."""
        told = [pair for pair in headers if pair[0] not in _OF_THE_BYTES]
        told.append((b"content-type", b"text/event-stream; charset=utf-8" if streamed else b"application/json"))
        wanted = self._pair.id_header
        if not any(name == wanted for name, _ in told):
            told += [(wanted, value) for name, value in headers if name in _REQUEST_IDS][:1]
        return told


class _Stream:
    """A provider's stream, as its client gets it."""

    __slots__ = ("_out", "_reader")

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._out = writer.out

    def feed(self, chunk: bytes) -> bytes:
        """See TranslatedStream."""
        self._reader.feed(chunk)
        return self._sent()

    def close(self) -> bytes:
        """See TranslatedStream."""
        self._reader.close()
        return self._sent()

    def metered(self) -> Metered:
        """See TranslatedStream."""
        return self._reader.metered()

    def _sent(self) -> bytes:
        out = self._out
        told = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return told
