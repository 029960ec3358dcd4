"""The end of a Gemini stream, kept back until somebody has decided on the whole answer."""

from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.framing import SSE
from proxy.wire.gemini.answers import read_answer
from proxy.wire.gemini.listing import ARRAY
from proxy.wire.held_end import HeldEnd
from proxy.wire.sse import data_of

_AS_LIST: Final = Endpoint.GENERATE_CONTENT_LIST


def held_end(endpoint: Endpoint) -> HeldEnd:
    """What keeps the end of one stream back: its chunk that tells how it ended, and all behind that."""
    if endpoint is _AS_LIST:
        return _HeldList(lambda event: event.strip() == b"]" or _ends(ARRAY.data_of(event)), framing=ARRAY)
    return HeldEnd(lambda event: _ends(data_of(event)), framing=SSE)


class _HeldList(HeldEnd):
    """The end of an array."""

    _is_begun = False

    def feed(self, chunk: bytes) -> bytes:
        out = super().feed(chunk)
        self._is_begun |= bool(out)
        return out

    def instead(self, event: bytes) -> bytes:
        """A first element follows no other."""
        return event if self._is_begun else b"[" + event.lstrip(b",")


def _ends(data: bytes | None) -> bool:
    answer = read_answer(data) if data else None
    return answer is not None and answer.finish_reason is not None
