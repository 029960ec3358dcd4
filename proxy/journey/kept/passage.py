"""The facts of a carried call beside those of every journey."""

from collections.abc import AsyncIterator

from msgspec import Struct, field

from proxy.core.refusal import Refused
from proxy.journey.call import UploadExchange
from proxy.journey.state import Journey
from proxy.ownership import Kept
from proxy.upstream import Provider, UpstreamFailed
from proxy.wire.place import Place


class Upload:
    """A body on its way from the client to the provider; `refused` says why it ended early, if it did."""

    def __init__(self, exchange: UploadExchange) -> None:
        self.refused: Refused | None = None
        self.bytes = 0
        self.is_whole = False
        self._parts = exchange.parts()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            part = await anext(self._parts)
        except StopAsyncIteration:
            self.is_whole = True
            raise
        except Refused as refused:
            self.refused = refused
            raise UpstreamFailed("aborted", "the request was not whole", sent=True) from refused
        self.bytes += len(part)
        return part


class Passage(Struct):
    """One carried call.

    `named` are the objects that its body names, each with the field. `kept` are those of them, and of its path, that
    are its org's. `holds_ceiling`: it may cost what nobody can bound, and the configured ceiling is held for it.
    """

    journey: Journey
    place: Place
    exchange: UploadExchange
    upload: Upload | None = None
    named: list[tuple[str, str]] = field(default_factory=list)
    kept: dict[str, Kept] = field(default_factory=dict)
    holds_ceiling: bool = False

    @property
    def provider(self) -> Provider:
        """Where the call goes; only after `own`."""
        resolution = self.journey.resolution
        if resolution is None:
            raise RuntimeError("a provider is asked for before it was found")
        return self.journey.snapshot.providers[resolution.candidates[0].provider]
