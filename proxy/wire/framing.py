"""How a stream is cut into events: server-sent events for most dialects, frames or arrays for others."""

from typing import Final, Protocol

from proxy.wire.sse import SseSplitter, data_of, name_of


class Splitter(Protocol):
    """Cuts one stream into raw events; the same events however the stream is split."""

    @property
    def is_between_events(self) -> bool:
        """Whether all that has come is whole events."""
        ...

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk makes whole. Raises EventTooLarge."""
        ...

    def close(self) -> bytes:
        """What is left at the end of the stream."""
        ...


class Framing(Protocol):
    """One way to write a stream of events."""

    def splitter(self) -> Splitter:
        """What cuts one stream."""
        ...

    def data_of(self, event: bytes) -> bytes | None:
        """The data of one raw event; None when it has none."""
        ...

    def name_of(self, event: bytes) -> bytes | None:
        """The name of one raw event; None when it has none."""
        ...


class _ServerSentEvents:
    """WHATWG HTML §9.2."""

    def splitter(self) -> SseSplitter:
        return SseSplitter()

    def data_of(self, event: bytes) -> bytes | None:
        return data_of(event)

    def name_of(self, event: bytes) -> bytes | None:
        return name_of(event)


SSE: Final[Framing] = _ServerSentEvents()
